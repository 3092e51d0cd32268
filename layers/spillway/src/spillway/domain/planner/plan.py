"""The plan: what the traffic costs on every path, where paths start to pay, and what all of it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from spillway.domain.costs.credits import CreditsOutlook, outlook
from spillway.domain.errors import InvalidRequest
from spillway.domain.planner.breakeven import BreakEven, break_even
from spillway.domain.planner.costs import Option, token_usd
from spillway.domain.planner.inputs import Gap, Inputs, inputs_of
from spillway.domain.planner.options import all_options, best_of_each, cheapest
from spillway.domain.planner.platform import platform_usd
from spillway.domain.planner.provenance import Fact, facts_of
from spillway.domain.planner.request import PlanRequest
from spillway.domain.planner.traffic_profile import TrafficProfile
from spillway.domain.planner.volumes import Volumes, volumes_of
from spillway.domain.pricing.price_book import HOURS_PER_MONTH, PriceBook
from spillway.domain.pricing.throughput import Benchmarks

_HOURS_PER_DAY = 24
_FACTORS = (0.5, 0.8, 1.2, 1.5)


@dataclass(frozen=True)
class Sensitivity:
    """The cheapest way if one input were this many times what it is; break-even of the best machine then."""

    of: str
    factor: float
    cheapest: Option | None
    break_even_utilisation: float | None


@dataclass(frozen=True)
class Plan:
    """``best`` has one option a family, ``options`` all of them, cheapest first.

    ``flex_usd`` and ``batch_usd`` are the month if every request took that tier. ``platform_usd`` is what Spillway's
    own services cost, the same on every path.
    """

    request: PlanRequest
    shape: TrafficProfile
    cheapest: Option | None
    best: Sequence[Option]
    options: Sequence[Option]
    flex_usd: float | None
    batch_usd: float | None
    platform_usd: float | None
    break_evens: Sequence[BreakEven]
    sensitivities: Sequence[Sensitivity]
    volumes: Volumes
    credits: CreditsOutlook | None
    facts: Sequence[Fact]
    gaps: Sequence[Gap]


def make_plan(
    request: PlanRequest,
    prices: PriceBook,
    benchmarks: Benchmarks,
    region: str,
    today: date,
    shape: TrafficProfile | None = None,
) -> Plan:
    """Plan; InvalidRequest for a region, model or log that nothing can be planned from.

    A ``shape`` takes the place of the request's traffic: one that was read from a log too long to be held.
    """
    shape = shape or request.traffic.shape()
    if shape.requests_per_month and not shape.tokens_per_month:
        raise InvalidRequest("the traffic's requests have no tokens: nothing costs anything", param="traffic")
    inputs = inputs_of(request, shape, prices, benchmarks, region)
    options = all_options(inputs, shape)
    chosen, platform = cheapest(options), platform_usd(prices, shape, request.response_seconds)
    burn = (chosen.usd_per_month if chosen else 0.0) + (platform or 0.0)
    return Plan(
        request=request,
        shape=shape,
        cheapest=chosen,
        best=best_of_each(options),
        options=options,
        flex_usd=round(token_usd(inputs.flex, shape), 2) if inputs.flex else None,
        batch_usd=round(token_usd(inputs.batch, shape), 2) if inputs.batch else None,
        platform_usd=platform,
        break_evens=break_evens_of(inputs, shape),
        sensitivities=[
            _sensitivity(inputs, shape, of, factor)
            for of in ("throughput", "instance_price", "token_price")
            for factor in _FACTORS
        ],
        volumes=volumes_of(inputs, shape),
        credits=outlook(request.credits, burn / HOURS_PER_MONTH * _HOURS_PER_DAY, request.starts_on or today)
        if request.credits
        else None,
        facts=facts_of(inputs, shape),
        gaps=inputs.gaps,
    )


def break_evens_of(inputs: Inputs, shape: TrafficProfile) -> list[BreakEven]:
    """Return each machine's break-even against Bedrock on demand, lowest utilisation first."""
    if inputs.bedrock is None:
        return []
    found = [
        (machine, break_even(machine.price.usd_per_hour, machine.throughput, inputs.bedrock, *_lengths(shape)))
        for machine in inputs.machines
    ]
    known = [even.named(machine.family, machine.name) for machine, even in found if even is not None]
    return sorted(known, key=lambda even: even.utilisation)


def _lengths(shape: TrafficProfile) -> tuple[float, float]:
    return shape.prompt_tokens, shape.completion_tokens


def _sensitivity(inputs: Inputs, shape: TrafficProfile, of: str, factor: float) -> Sensitivity:
    changed = inputs.changed(**{of: factor})
    evens = break_evens_of(changed, shape)
    return Sensitivity(of, factor, cheapest(all_options(changed, shape)), evens[0].utilisation if evens else None)
