"""Run policies for an imported model over a traffic log, copy by copy, and hold them against the optimum."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spillway.domain.economics.import_windows.copies import Copy, Imported
from spillway.domain.economics.import_windows.optimum import layer_optimum
from spillway.domain.economics.import_windows.rule import State, step
from spillway.domain.economics.optimum import carried
from spillway.domain.economics.replay import Outcome
from spillway.domain.economics.trace import Trace

POLICIES = ("spillway", "bedrock-only", "import-only")


class Policy(Protocol):
    """Decides after each minute whether a copy is sent its requests."""

    def decide(self, spill_usd: float) -> bool:
        """Return whether to; the minute, whose requests would have cost that much elsewhere, has just ended."""
        ...


class Spillway:
    """The rule of :mod:`spillway.domain.economics.import_windows.rule`."""

    def __init__(self, imported: Imported) -> None:
        self._state = State(Copy(imported))

    def decide(self, spill_usd: float) -> bool:  # noqa: D102
        return step(self._state, spill_usd)[1]


@dataclass(frozen=True)
class Always:
    """Everything to one place."""

    is_imported: bool

    def decide(self, spill_usd: float) -> bool:  # noqa: D102
        return self.is_imported


def replay(trace: Trace, imported: Imported, policies: Iterable[str], *, keep_sizes: bool = False) -> list[Outcome]:
    """Return the outcome of each policy in ``policies`` (of :data:`POLICIES`), in that order; sizes are paid copies."""
    tokens, usd = trace.tokens(), trace.spill_usd(imported)
    layers, rest = _layers(tokens, usd, imported)
    best = rest + sum(layer_optimum(layer, imported) for layer in layers)
    return [_outcome(name, trace, layers, rest, imported, best, keep_sizes) for name in policies]


def run(
    policy: Policy, spill_usd: Sequence[float], imported: Imported
) -> tuple[float, Copy, "array[int]", "array[int]"]:
    """Return what one layer cost, its copy, and by the minute whether that was paid and whether it answered."""
    copy, total = Copy(imported), 0.0
    paid, answered = array("b"), array("b")
    is_used = policy.is_imported if isinstance(policy, Always) else False
    for usd in spill_usd:
        windows = copy.windows
        has_answered = copy.serve(usd > 0.0, used=is_used)
        paid.append(copy.paid > 0 or has_answered)
        answered.append(has_answered)
        total += (copy.windows - windows) * imported.window_usd + (0.0 if has_answered else usd)
        is_used = policy.decide(usd)
    return total, copy, paid, answered


def _layers(tokens: Sequence[float], usd: Sequence[float], imported: Imported) -> tuple[list[list[float]], float]:
    """Return what each copy's layer costs elsewhere by the minute, and what the traffic beyond them all does."""
    capacity, peak = imported.tokens_per_minute_per_copy, max(tokens, default=0.0)
    numbers = [number for number in range(imported.max_copies) if number * capacity < peak]
    beyond = sum(carried(tokens, usd, imported.max_copies * capacity, math.inf))
    return [carried(tokens, usd, number * capacity, capacity) for number in numbers], beyond


def _outcome(
    name: str,
    trace: Trace,
    layers: Sequence[Sequence[float]],
    beyond_usd: float,
    imported: Imported,
    best: float,
    keep_sizes: bool,
) -> Outcome:
    tokens, capacity = trace.tokens(), imported.tokens_per_minute_per_copy
    usd, starts, windows, served, cold = beyond_usd, 0, 0, 0.0, 0.0
    sizes = [0] * len(tokens)
    for number, layer in enumerate(layers):
        cost, copy, paid, answered = run(_policy(name, imported), layer, imported)
        usd, starts, windows = usd + cost, starts + copy.starts, windows + copy.windows
        below = number * capacity
        served += sum(min(load - below, capacity) for load, has in zip(tokens, answered, strict=True) if has)
        sizes = [size + is_paid for size, is_paid in zip(sizes, paid, strict=True)]
        if not number:
            met = zip(trace.requests, layer, answered, strict=True)
            cold = sum(requests for requests, spill, has in met if spill > 0.0 and not has)
    total = sum(tokens)
    return Outcome(
        policy=name,
        usd=usd,
        over_optimum=usd / best if best > 0 else None,
        cold_starts=starts,
        cold_requests=cold,
        spilled_share=(total - served) / total if total else 0.0,
        instance_hours=windows * imported.window_minutes / 60,
        sizes=sizes if keep_sizes else (),
    )


def _policy(name: str, imported: Imported) -> Policy:
    return Spillway(imported) if name == "spillway" else Always(name == "import-only")
