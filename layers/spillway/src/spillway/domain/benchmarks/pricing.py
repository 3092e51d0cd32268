"""What a benchmark costs while it runs: the deployment's instances, and the load workers."""

import math

from spillway.domain.benchmarks.worker_orders import STREAMS_PER_WORKER
from spillway.domain.pricing.price_book import SECONDS_PER_HOUR, PriceBook

# Memory of the load function, as the template gives it.
WORKER_GB = 1.0


def usd_per_second(prices: PriceBook, usd_per_hour: float | None, instances: int, concurrency: int) -> float | None:
    """Return dollars a second with so many requests at once; None where a price is unknown.

    The instances run anyway; they are counted because nobody else is to use them meanwhile.
    """
    compute = prices.platform.get("lambda_gb_second_arm64")
    if usd_per_hour is None or compute is None:
        return None
    workers = math.ceil(concurrency / STREAMS_PER_WORKER)
    return instances * usd_per_hour / SECONDS_PER_HOUR + workers * WORKER_GB * compute.usd
