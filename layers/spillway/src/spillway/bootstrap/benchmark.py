"""The composition root of the benchmark workflow's own steps."""

import time

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.event_bus import EventBus
from spillway.adapters.dynamodb.benchmarks_table import BenchmarksTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.domain.pricing.price_book import price_book_of
from spillway.services.manage_prices import CurrentPrices
from spillway.services.run_benchmark import RunBenchmark
from spillway.settings import Settings


def benchmark_service(settings: Settings) -> RunBenchmark:
    """Build the service of ``advance_benchmark``."""
    dynamodb = client("dynamodb")
    return RunBenchmark(
        deployments=DeploymentsTable(dynamodb, settings.deployments_table),
        records=BenchmarksTable(dynamodb, settings.benchmarks_table),
        events=EventBus(client("events"), settings.event_bus),
        usage=UsageTable(dynamodb, settings.usage_table),
        prices=CurrentPrices(
            price_book_of(settings.region), PricesTable(dynamodb, settings.prices_table), clock.utc_now
        ),
        region=settings.region,
        now=clock.utc_now,
        moment=time.time,
    )
