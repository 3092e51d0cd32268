"""What Spillway's own services cost for a traffic, from the price book's unit prices."""

from spillway.domain.costs.shared_services import request_usd
from spillway.domain.planner.traffic_profile import TrafficProfile
from spillway.domain.pricing.price_book import PriceBook

GATEWAY_GB = 0.25


def platform_usd(prices: PriceBook, shape: TrafficProfile, response_seconds: float) -> float | None:
    """Return a month's USD; None where a unit price is unknown."""
    requests = shape.requests_per_month
    usd = request_usd(prices, requests, requests * GATEWAY_GB * response_seconds)
    return None if usd is None else round(usd, 2)
