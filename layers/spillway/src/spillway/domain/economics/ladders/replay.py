"""Run policies on a ladder over a traffic log, and hold them against the optimum."""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from spillway.domain.economics.ladders.optimum import optimum_usd
from spillway.domain.economics.ladders.rule import State, step
from spillway.domain.economics.ladders.rungs import NOWHERE, Ladder
from spillway.domain.economics.ladders.simulation import Climber
from spillway.domain.economics.replay import Outcome, busy_load
from spillway.domain.economics.rule import Traffic
from spillway.domain.economics.trace import Trace

_ONLY = "only-"


class Policy(Protocol):
    """Decides after each minute which place to be at."""

    def decide(self, tokens: float, spill_usd: float) -> int:
        """Return the wanted place; the minute has just ended."""
        ...


class Spillway:
    """The rule, on all rungs or on the one that is named; places are numbered as the whole ladder has them."""

    def __init__(self, ladder: Ladder, only: str | None = None) -> None:
        rungs = tuple(rung for rung in ladder.rungs if only in (None, rung.name))
        self._ladder = replace(ladder, rungs=rungs)
        self._state = State.of(self._ladder)
        names = [place.name for place in ladder.places]
        self._places = [names.index(place.name) for place in self._ladder.places]

    def decide(self, tokens: float, spill_usd: float) -> int:  # noqa: D102
        return self._places[step(self._state, Traffic(tokens, spill_usd), self._ladder)[1]]


class Stay:
    """One place for ever."""

    def __init__(self, place: int) -> None:
        self.place = place

    def decide(self, tokens: float, spill_usd: float) -> int:  # noqa: D102
        return self.place


class IdleTimeout:
    """The cheapest place that carries the largest load of so many minutes."""

    def __init__(self, ladder: Ladder, minutes: int) -> None:
        self._ladder = ladder
        self._recent: deque[float] = deque(maxlen=minutes)

    def decide(self, tokens: float, spill_usd: float) -> int:  # noqa: D102
        self._recent.append(tokens)
        return self._ladder.place_for(max(self._recent))


def policies_of(ladder: Ladder) -> list[str]:
    """Return the names of the policies that a ladder can be replayed with."""
    usual = ["spillway", "bedrock-only", "always-on-peak", "always-on-p95", "idle-5", "idle-15", "idle-60"]
    return [*usual, *(f"{_ONLY}{rung.name}" for rung in ladder.rungs)]


def replay(trace: Trace, ladder: Ladder, policies: Iterable[str], *, keep_sizes: bool = False) -> list[Outcome]:
    """Return the outcome of each policy in ``policies`` (names of :func:`policies_of`), in that order.

    ``sizes`` are in instances of the smallest rung.
    """
    tokens, usd = trace.tokens(), trace.spill_usd(ladder)
    best = optimum_usd(tokens, usd, ladder)
    return [_outcome(name, trace, tokens, usd, ladder, best, keep_sizes) for name in policies]


def run(
    policy: Policy, trace: Trace, tokens: Sequence[float], spill_usd: Sequence[float], ladder: Ladder
) -> tuple[Climber, "array[float]"]:
    """Return the deployment after the trace, and the capacity it was billed for by the minute."""
    climber, sizes = Climber(ladder), array("d")
    # What is static is asked for before the first minute; nobody else has seen anything then.
    climber.want(policy.place if isinstance(policy, Stay) else NOWHERE)
    for minute, (load, usd, requests) in enumerate(
        zip(tokens, spill_usd, trace.requests, strict=True), start=trace.first_minute + 1
    ):
        sizes.append(climber.capacity)
        climber.serve(load, usd, requests)
        wanted = policy.decide(load, usd)
        if minute % ladder.check_interval_minutes == 0:
            climber.want(wanted)
    return climber, sizes


def _policy(name: str, tokens: Sequence[float], ladder: Ladder) -> Policy:
    match name:
        case "spillway":
            return Spillway(ladder)
        case "bedrock-only":
            return Stay(NOWHERE)
        case "always-on-peak":
            return Stay(ladder.place_for(busy_load(tokens, 1.0)))
        case "always-on-p95":
            return Stay(ladder.place_for(busy_load(tokens, 0.95)))
        case "idle-5" | "idle-15" | "idle-60":
            return IdleTimeout(ladder, int(name.removeprefix("idle-")))
        case _:
            return Spillway(ladder, only=name.removeprefix(_ONLY))


def _outcome(
    name: str,
    trace: Trace,
    tokens: Sequence[float],
    spill_usd: Sequence[float],
    ladder: Ladder,
    best: float,
    keep_sizes: bool,
) -> Outcome:
    climber, sizes = run(_policy(name, tokens, ladder), trace, tokens, spill_usd, ladder)
    total, unit = sum(tokens), ladder.tokens_per_minute_per_instance
    return Outcome(
        policy=name,
        usd=climber.usd,
        over_optimum=climber.usd / best if best > 0 else None,
        cold_starts=climber.cold_starts,
        cold_requests=climber.cold_requests,
        spilled_share=climber.spilled_tokens / total if total else 0.0,
        instance_hours=climber.instance_minutes / 60,
        sizes=[size / unit for size in sizes] if keep_sizes else (),
    )
