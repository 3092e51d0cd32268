"""The composition root of the price refresh, and of the price book in force."""

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.observe.price_list import ENDPOINT_REGION, PriceList
from spillway.domain.alerts.alert import Topic
from spillway.domain.pricing.price_book import price_book_of
from spillway.domain.pricing.throughput import benchmarks
from spillway.services.refresh_prices import RefreshPrices
from spillway.settings import Settings


def refresh_prices_service(settings: Settings) -> RefreshPrices:
    """Build the service of ``refresh_prices``."""
    dynamodb = client("dynamodb")
    return RefreshPrices(
        stack=settings.stack,
        deployments=DeploymentsTable(dynamodb, settings.deployments_table),
        prices=PricesTable(dynamodb, settings.prices_table),
        source=PriceList(client("pricing", ENDPOINT_REGION), client("ec2"), settings.region),
        alerts=SnsAlerts(client("sns"), {Topic.COST: settings.cost_topic_arn}),
        snapshot=price_book_of(settings.region),
        benchmarks=benchmarks(),
        now=clock.utc_now,
    )
