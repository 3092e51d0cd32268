"""What a shape's hours ask of instances: how many follow them, and what a baseline takes off them."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from spillway.domain.planner.traffic_profile import TrafficProfile
from spillway.domain.pricing.price_book import TokenPrice

# What a sum of floats may be off by: no instance for that, and no profit.
NOISE = 1e-9


@dataclass(frozen=True)
class Needed:
    """Instances that hours need: at the peak, instance hours of all, and starts from one hour to the next."""

    peak: int
    hours: int
    starts: int


@dataclass(frozen=True)
class Load:
    """Hours by size: what a baseline takes off them is one look-up, however many they are.

    ``sizes`` are the hours' tokens in order of size; the others are sums of as many of the smallest.
    ``rates`` are USD a token, hour by hour: hours differ in what their tokens are.
    """

    sizes: Sequence[float]
    tokens: Sequence[float]
    usd: Sequence[float]
    rates: Sequence[float]

    def below(self, room: float) -> tuple[float, float]:
        """Return the tokens and their USD that all hours have when none is served more than ``room`` tokens."""
        at = bisect_right(self.sizes, room)
        tokens = self.tokens[at] + room * (len(self.sizes) - at)
        return tokens, self.usd[at] + room * (self.rates[-1] - self.rates[at])


def load_of(shape: TrafficProfile, price: TokenPrice) -> Load:
    """Return a shape's load at a price by the token."""
    hours = sorted(shape.hours, key=lambda hour: hour.tokens)
    sizes = [hour.tokens for hour in hours]
    usd = [price.cost(hour.requests * hour.prompt_tokens, hour.requests * hour.completion_tokens) for hour in hours]
    rates = [cost / tokens if tokens else 0.0 for cost, tokens in zip(usd, sizes, strict=True)]
    return Load(sizes, *([*accumulate(amounts, initial=0.0)] for amounts in (sizes, usd, rates)))


def needed_for(shape: TrafficProfile, capacity: float) -> Needed:
    """Count the instances of each hour at ``capacity`` tokens an hour; any traffic needs one, however little it is."""
    counts = [math.ceil(tokens / capacity - NOISE) or int(tokens > 0) for tokens in shape.sizes]
    starts = sum(now - before for before, now in pairwise([counts[-1], *counts]) if now > before)
    return Needed(max(counts), sum(counts), starts)
