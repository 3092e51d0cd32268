"""The composition root of what looks back: the review and the sweep."""

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.adapters.aws.sns_subscribers import SnsSubscribers
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.dynamodb.reviews_table import ReviewsTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.adapters.observe.tagged_resources import TaggedResources
from spillway.bootstrap.common import all_topics, current_prices
from spillway.domain.alerts.alert import Topic
from spillway.domain.pricing.price_book import price_book_of
from spillway.domain.pricing.throughput import benchmarks
from spillway.services.manage_credits import ManageCredits
from spillway.services.manage_prices import CurrentPrices
from spillway.services.review_costs import ReviewCosts
from spillway.services.show_costs import ShowCosts
from spillway.services.sweep import Sweep
from spillway.services.watch_subscribers import WatchSubscribers
from spillway.settings import Settings


def review_costs_service(settings: Settings) -> ReviewCosts:
    """Build the service of ``review_costs``."""
    dynamodb = client("dynamodb")
    deployments = DeploymentsTable(dynamodb, settings.deployments_table)
    usage, stored = UsageTable(dynamodb, settings.usage_table), PricesTable(dynamodb, settings.prices_table)
    prices = CurrentPrices(price_book_of(settings.region), stored, clock.utc_now)
    costs = ShowCosts(deployments, usage, prices, benchmarks(), settings.region, clock.utc_now)
    return ReviewCosts(
        stack=settings.stack,
        deployments=deployments,
        usage=usage,
        decisions=DecisionsTable(dynamodb, settings.decisions_table),
        reviews=ReviewsTable(dynamodb, settings.reviews_table),
        credits=ManageCredits(stored, costs, clock.utc_now),
        alerts=SnsAlerts(client("sns"), {Topic.COST: settings.cost_topic_arn}),
        prices=prices,
        benchmarks=benchmarks(),
        region=settings.region,
        now=clock.utc_now,
    )


def sweep_services(settings: Settings) -> tuple[WatchSubscribers, Sweep]:
    """Build the services of ``sweep_leftovers``."""
    dynamodb, sns, topics = client("dynamodb"), client("sns"), all_topics(settings)
    alerts, reviews = SnsAlerts(sns, topics), ReviewsTable(dynamodb, settings.reviews_table)
    watch = WatchSubscribers(
        stack=settings.stack,
        subscribers=SnsSubscribers(sns, topics),
        reviews=reviews,
        alerts=alerts,
        region=settings.region,
        now=clock.utc_now,
    )
    sweep = Sweep(
        stack=settings.stack,
        deployments=DeploymentsTable(dynamodb, settings.deployments_table),
        tagged=TaggedResources(settings.stack, client("ec2"), client("autoscaling"), client("sagemaker")),
        reviews=reviews,
        alerts=alerts,
        prices=current_prices(settings),
        region=settings.region,
        now=clock.utc_now,
    )
    return watch, sweep
