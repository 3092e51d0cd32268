"""Run policies over a traffic log, minute by minute, and hold them against the optimum."""

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from spillway.domain.economics.baselines import (
    Always,
    HorizontalPodAutoscaler,
    IdleTimeout,
    Policy,
    SkyServe,
    Spillway,
    TargetTracking,
)
from spillway.domain.economics.fleet import Fleet
from spillway.domain.economics.optimum import optimum_usd
from spillway.domain.economics.scenario import Scenario
from spillway.domain.economics.trace import Trace

_PEAK, _MOST = 1.0, 0.95


@dataclass(frozen=True)
class Outcome:
    """What a policy did with a trace. ``over_optimum`` is None where the optimum is zero; ``sizes`` are the billed
    instances by the minute, kept only when asked for."""

    policy: str
    usd: float
    over_optimum: float | None
    cold_starts: int
    cold_requests: float
    spilled_share: float
    instance_hours: float
    sizes: Sequence[float] = ()


_Make = Callable[[Scenario, Sequence[float]], Policy]


def _always(share: float) -> _Make:
    return lambda scenario, tokens: Always(_needed(tokens, share, scenario))


def _idle(minutes: int) -> _Make:
    return lambda scenario, _tokens: IdleTimeout(scenario, minutes)


# The always-on policies look at the whole trace to choose their size: they are hindsight's best case of themselves.
POLICIES: dict[str, _Make] = {
    "spillway": lambda scenario, _tokens: Spillway(scenario),
    "bedrock-only": lambda _scenario, _tokens: Always(0),
    "always-on-peak": _always(_PEAK),
    "always-on-p95": _always(_MOST),
    "idle-5": _idle(5),
    "idle-15": _idle(15),
    "idle-60": _idle(60),
    "target-tracking": lambda scenario, _tokens: TargetTracking(scenario),
    "skyserve": lambda scenario, _tokens: SkyServe(scenario),
    "hpa": lambda scenario, _tokens: HorizontalPodAutoscaler(scenario),
}


def replay(trace: Trace, scenario: Scenario, policies: Iterable[str], *, keep_sizes: bool = False) -> list[Outcome]:
    """Return the outcome of each policy in ``policies`` (names of :data:`POLICIES`), in that order."""
    tokens, usd = trace.tokens(), trace.spill_usd(scenario)
    best = optimum_usd(tokens, usd, scenario)
    return [_outcome(name, trace, tokens, usd, scenario, best, keep_sizes) for name in policies]


def run(
    policy: Policy, trace: Trace, tokens: Sequence[float], spill_usd: Sequence[float], scenario: Scenario
) -> tuple[Fleet, "array[int]"]:
    """Return the fleet after the trace, and its size by the minute."""
    fleet, sizes = Fleet(scenario), array("I")
    minute, interval = trace.first_minute, scenario.check_interval_minutes
    low, high = scenario.min_instances, scenario.max_instances
    # What is static is asked for before the first minute; nobody else has seen anything then.
    first = policy.decide(0.0, 0.0, minute - 1, fleet) if isinstance(policy, Always) else 0
    fleet.want(min(max(first, low), high))
    for load, usd, requests in zip(tokens, spill_usd, trace.requests, strict=True):
        sizes.append(fleet.size)
        fleet.serve(load, usd, requests)
        wanted = policy.decide(load, usd, minute, fleet)
        minute += 1
        if interval == 1 or minute % interval == 0:
            wanted = low if wanted < low else high if wanted > high else wanted
            if wanted != fleet.ready + len(fleet.starting):
                fleet.want(wanted)
    return fleet, sizes


def _outcome(
    name: str,
    trace: Trace,
    tokens: Sequence[float],
    spill_usd: Sequence[float],
    scenario: Scenario,
    best: float,
    keep_sizes: bool,
) -> Outcome:
    fleet, sizes = run(POLICIES[name](scenario, tokens), trace, tokens, spill_usd, scenario)
    total = sum(tokens)
    return Outcome(
        policy=name,
        usd=fleet.usd,
        over_optimum=fleet.usd / best if best > 0 else None,
        cold_starts=fleet.cold_starts,
        cold_requests=fleet.cold_requests,
        spilled_share=fleet.spilled_tokens / total if total else 0.0,
        instance_hours=fleet.instance_minutes / 60,
        sizes=sizes if keep_sizes else (),
    )


def busy_load(tokens: Sequence[float], share: float) -> float:
    """Return the load that this share of the busy minutes does not exceed."""
    busy = sorted(load for load in tokens if load > 0)
    return busy[max(0, math.ceil(share * len(busy)) - 1)] if busy else 0.0


def _needed(tokens: Sequence[float], share: float, scenario: Scenario) -> int:
    load = busy_load(tokens, share)
    return min(scenario.max_instances, math.ceil(load / scenario.tokens_per_minute_per_instance))
