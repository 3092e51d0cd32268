"""What this process has just learnt about targets from their own answers, faster than the next check can tell.

It changes the order in which targets are tried: a target in trouble comes last, not never. Only what has said that it
will go on refusing (a day's quota that is used up, a policy that denies) is left alone for a minute.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from spillway.domain.decision import Code
from spillway.domain.paths.targets import Target
from spillway.domain.routing.route import Choice
from spillway.gateway.errors import UpstreamUnavailable, code_of
from spillway.gateway.failover.retry_budget import RetryBudget

SATURATED_SECONDS = 1.0
EJECTED_SECONDS = 5.0
LONGEST_SECONDS = 30.0
# Nothing ends these within a minute, and each try would cost its request a round trip.
LASTING = frozenset({Code.QUOTA_USED_UP, Code.ACCESS_DENIED})
LASTING_SECONDS = 60.0
# One refused connection may be one instance's; three in a row are the target's.
FAILURES_IN_A_ROW = 3
# A probe whose client went away tells nothing; after this long another request may try.
PROBE_SECONDS = 10.0
_LARGEST_DOUBLING = 6


@dataclass
class _Trouble:
    """One target's: it cools until a moment of the monotonic clock, and then one probe at a time goes."""

    code: Code
    failures: int = 0
    trips: int = 0
    since: float = -math.inf
    cools_until: float = -math.inf
    probed_until: float = -math.inf

    def keeps_back(self, now: float) -> bool:
        """Whether requests go elsewhere first."""
        return now < max(self.cools_until, self.probed_until)


class TargetHealth:
    """Cool-downs by target, and how much may be tried again; ``draw`` spreads the ends of the cool-downs."""

    def __init__(self, monotonic: Callable[[], float], draw: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._draw = draw
        self._troubles: dict[Target, _Trouble] = {}
        self._budgets: dict[Target, RetryBudget] = {}

    def now(self) -> float:
        """Return the moment, for :meth:`answered`."""
        return self._monotonic()

    def order(self, choices: Sequence[Choice]) -> Sequence[Choice]:
        """Return the choices with a first one in trouble put last, unless all are or its time for a probe has come."""
        if not self._troubles or len(choices) < 2:
            return choices
        now = self._monotonic()
        first, *others = choices
        trouble = self._troubles.get(first.target)
        if trouble is None or trouble.trips == 0 or all(self._keeps_back(other.target, now) for other in others):
            return choices
        if not trouble.keeps_back(now):
            trouble.probed_until = now + PROBE_SECONDS
            return choices
        return [*(replace(other, code=code_of(trouble.code, first.role)) for other in others), first]

    def barred(self, choices: Sequence[Choice]) -> dict[Choice, UpstreamUnavailable]:
        """Return the choices that are not asked at all now, and why."""
        if not self._troubles:
            return {}
        return {choice: err for choice in choices if (err := self._bar(choice.target)) is not None}

    def may_try(self, choice: Choice, attempt: int) -> bool:
        """Note a request's attempt, 0 being its first; False when the primary would get one retry too many.

        The spill target is there for what the primary fails: it is never refused. A fleet that requests come back to,
        after the spill target failed them, is what a budget keeps from being run over.
        """
        if choice.role == "spill":
            return True
        budget = self._budgets.get(choice.target)
        if budget is None:
            budget = self._budgets[choice.target] = RetryBudget()
        return budget.allows(self._monotonic(), retry=attempt > 0)

    def answered(self, target: Target, begun: float) -> None:
        """Note that a target answered a request sent at ``begun``; one sent before the trouble proves nothing."""
        trouble = self._troubles.get(target)
        if trouble is not None and begun >= trouble.since:
            del self._troubles[target]

    def failed(self, target: Target, err: UpstreamUnavailable) -> None:
        """Note a failure: saturation cools at once, the rest after a few in a row, each time for longer."""
        now = self._monotonic()
        trouble = self._troubles.setdefault(target, _Trouble(err.code))
        trouble.failures += 1
        is_lasting = err.code in LASTING
        at_once = is_lasting or err.code is Code.ENGINE_SATURATED
        is_first = not at_once and trouble.trips == 0 and trouble.failures < FAILURES_IN_A_ROW
        # What was sent before the cool-down and fails during it is the same trouble, not more of it.
        is_same = now < trouble.cools_until and (trouble.code in LASTING or not is_lasting)
        if is_first or is_same:
            return
        seconds = LASTING_SECONDS if is_lasting else self._seconds(err, trouble)
        asked = min(err.retry_after_seconds or 0, LONGEST_SECONDS)
        trouble.code, trouble.since, trouble.trips = err.code, now, min(trouble.trips + 1, _LARGEST_DOUBLING)
        trouble.cools_until, trouble.probed_until = now + max(seconds, asked), -math.inf

    def _seconds(self, err: UpstreamUnavailable, trouble: _Trouble) -> float:
        base = SATURATED_SECONDS if err.code is Code.ENGINE_SATURATED else EJECTED_SECONDS
        doubled: float = base * 2**trouble.trips
        return min(doubled, LONGEST_SECONDS) * (0.5 + self._draw())

    def seconds_left(self, target: Target) -> float:
        """Return how long a target still comes last."""
        trouble = self._troubles.get(target)
        return max(0.0, trouble.cools_until - self._monotonic()) if trouble else 0.0

    def _bar(self, target: Target) -> UpstreamUnavailable | None:
        trouble = self._troubles.get(target)
        if trouble is None or trouble.code not in LASTING or self._monotonic() >= trouble.cools_until:
            return None
        return UpstreamUnavailable(trouble.code, f"{trouble.code}, not asked again for {LASTING_SECONDS:g} s")

    def _keeps_back(self, target: Target, now: float) -> bool:
        trouble = self._troubles.get(target)
        return trouble is not None and trouble.keeps_back(now)
