"""Where an instance starts to pay: against a price by the token, at full measured throughput."""

from dataclasses import dataclass, replace

from spillway.domain.pricing.price_book import TOKENS_PER_MILLION, TokenPrice
from spillway.domain.pricing.throughput import Throughput


@dataclass(frozen=True)
class BreakEven:
    """An instance against Bedrock at one request's lengths.

    ``throughput`` is how the instance's was measured. ``utilisation`` above 1 is never reached: even a full instance is
    dearer than Bedrock.
    """

    family: str
    instance_type: str
    throughput: str
    usd_per_hour: float
    instance_usd_per_million_tokens: float
    bedrock_usd_per_million_tokens: float
    utilisation: float
    requests_per_minute: float
    capacity_requests_per_minute: float

    def named(self, family: str, instance_type: str) -> "BreakEven":
        """Return the same of the instance as a family offers it."""
        return replace(self, family=family, instance_type=instance_type)

    @property
    def is_reachable(self) -> bool:
        """Whether a full instance is cheaper than Bedrock."""
        return self.utilisation <= 1


def break_even(
    usd_per_hour: float, throughput: Throughput, price: TokenPrice, prompt_tokens: float, completion_tokens: float
) -> BreakEven | None:
    """Return where both cost the same; None where requests have no tokens or tokens cost nothing."""
    tokens = prompt_tokens + completion_tokens
    usd_per_request = price.cost(prompt_tokens, completion_tokens)
    if tokens <= 0 or usd_per_request <= 0:
        return None
    capacity = throughput.tokens_per_second * 60 / tokens
    requests_per_minute = usd_per_hour / 60 / usd_per_request
    return BreakEven(
        family="",
        instance_type=throughput.instance_type,
        throughput=throughput.kind,
        usd_per_hour=usd_per_hour,
        instance_usd_per_million_tokens=usd_per_hour / throughput.tokens_per_hour() * TOKENS_PER_MILLION,
        bedrock_usd_per_million_tokens=usd_per_request / tokens * TOKENS_PER_MILLION,
        utilisation=requests_per_minute / capacity,
        requests_per_minute=requests_per_minute,
        capacity_requests_per_minute=capacity,
    )
