"""Cost against volume: the same shape with ever more requests, and where one family becomes cheaper than another."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from spillway.domain.planner.costs import Option
from spillway.domain.planner.inputs import Family, Inputs
from spillway.domain.planner.options import all_options, best_of_each, cheapest
from spillway.domain.planner.traffic_profile import TrafficProfile

_STEPS_PER_DECADE = 8
_DECADES = 2
_HALVINGS = 12
# A month of less than this has no requests: it would be one in eighty years.
_FEWEST = 1e-3


@dataclass(frozen=True)
class Point:
    """One volume: requests a month, and each family's best cost."""

    requests_per_month: float
    usd_per_month: dict[Family, float]


@dataclass(frozen=True)
class Crossover:
    """From this volume on ``cheaper`` costs less than ``dearer``, which was the cheapest until there."""

    requests_per_month: float
    usd_per_month: float
    dearer: Family
    cheaper: Family


@dataclass(frozen=True)
class Volumes:
    """Points from a hundredth to a hundred times the plan's volume, and the crossovers between them."""

    points: tuple[Point, ...]
    crossovers: tuple[Crossover, ...]


def volumes_of(inputs: Inputs, shape: TrafficProfile) -> Volumes:
    """Return the curves; empty for a traffic without requests."""
    if shape.requests_per_month < _FEWEST:
        return Volumes((), ())
    steps = range(-_DECADES * _STEPS_PER_DECADE, _DECADES * _STEPS_PER_DECADE + 1)
    factors = [10 ** (step / _STEPS_PER_DECADE) for step in steps]
    options = [all_options(inputs, shape.scaled(factor)) for factor in factors]
    points = tuple(
        Point(shape.requests_per_month * factor, {one.family: one.usd_per_month for one in best_of_each(found)})
        for factor, found in zip(factors, options, strict=True)
    )
    winners = [_winner(found) for found in options]
    crossovers = [
        crossover
        for (low, before), (high, after) in pairwise(zip(factors, winners, strict=True))
        if before is not None and after is not None
        for crossover in _between(inputs, shape, (low, high), before, after)
    ]
    return Volumes(points, tuple(crossovers))


def _winner(options: list[Option]) -> Family | None:
    best = cheapest(options)
    return best.family if best else None


def _between(
    inputs: Inputs, shape: TrafficProfile, factors: tuple[float, float], before: Family, after: Family
) -> Iterator[Crossover]:
    """Yield the crossovers that lead from one winner to the next; those that cancel each other are not looked for."""
    low, high = factors
    while before is not after:
        low, crossover = _first(inputs, shape, low, high, before)
        before = crossover.cheaper
        yield crossover


def _first(inputs: Inputs, shape: TrafficProfile, low: float, high: float, before: Family) -> tuple[float, Crossover]:
    """Halve, on a scale of factors, until the volume at which ``before`` stops being the cheapest is known."""
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if _winner(all_options(inputs, shape.scaled(middle))) is before:
            low = middle
        else:
            high = middle
    best = cheapest(all_options(inputs, shape.scaled(high)))
    assert best is not None  # something was cheapest on both sides
    return high, Crossover(shape.requests_per_month * high, best.usd_per_month, before, best.family)
