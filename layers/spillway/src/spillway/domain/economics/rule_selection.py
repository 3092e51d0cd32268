"""Rules that are played on paper: what each would have cost a layer so far, and how bold that has made it.

Amounts are in instance minutes, costs are relative to never having an instance. The rules are in docs/policy.md, what
else was tried is in docs/policy-experiments.md.
"""

import math
from dataclasses import dataclass, field
from typing import Any

OFF, READY = -1, 0


@dataclass(frozen=True, slots=True)
class Rule:
    """Start at ``start`` and stop at ``stop`` times the start price of regret.

    Where the forecast agrees with the step the threshold is divided by ``trust``, where it speaks against it the
    threshold is multiplied. What the rule's starts have earned so far moves ``start`` further.
    """

    start: float
    stop: float
    trust: float


RULES = (Rule(0.5, 0.25, 1.0), Rule(1.0, 0.5, 2.0), Rule(1.0, 1.0, 2.0), Rule(4.0, 0.5, 2.0))
# What a start earned counts from -1 to 1, which is reached at so many start prices. How far the last start moves what a
# rule remembers of them, and by what power of e the threshold falls when all earned the most.
_MOST_EARNED = 2.0
_LAST_WEIGHT = 0.3
_BOLDNESS = 2.0

# By the forecast's lean (0 none, 1 busy, -1 idle: the last entry) the thresholds of all rules.
_START = (
    tuple(rule.start for rule in RULES),
    tuple(rule.start / rule.trust for rule in RULES),
    tuple(rule.start * rule.trust for rule in RULES),
)
_STOP = (
    tuple(rule.stop for rule in RULES),
    tuple(rule.stop * rule.trust for rule in RULES),
    tuple(rule.stop / rule.trust for rule in RULES),
)
_ALL = range(len(RULES))


def _zeros() -> list[float]:
    return [0.0] * len(RULES)


@dataclass(slots=True)
class RuleScores:
    """``modes``: OFF, READY, or the minutes left until ready, of each rule; ``costs``: what each cost so far.

    ``cautions`` multiply the start thresholds; ``begun`` is what a rule had cost when it last started, and ``crossed``
    the regret at which it last started or stopped.
    """

    modes: list[int] = field(default_factory=lambda: [OFF] * len(RULES))
    regrets: list[float] = field(default_factory=_zeros)
    costs: list[float] = field(default_factory=_zeros)
    crossed: list[float] = field(default_factory=_zeros)
    cautions: list[float] = field(default_factory=lambda: [1.0] * len(RULES))
    begun: list[float] = field(default_factory=_zeros)

    def see(self, gain: float, start: int, lean: int) -> bool:
        """Play a minute in which an instance would have saved ``gain``; whether all rules are off, without regret."""
        modes, regrets, costs = self.modes, self.regrets, self.costs
        starts, stops = _START[lean], _STOP[lean]
        is_quiet = True
        for rule in _ALL:
            mode = modes[rule]
            if mode == OFF:
                regret = regrets[rule] + gain
                if regret <= 0.0:
                    regrets[rule] = 0.0
                    continue
                if regret >= starts[rule] * self.cautions[rule] * start:
                    modes[rule], self.crossed[rule], self.begun[rule], regret = start, regret, costs[rule], 0.0
            elif mode == READY:
                costs[rule] -= gain
                regret = regrets[rule] - gain
                if regret <= 0.0:
                    regret = 0.0
                elif regret >= stops[rule] * start:
                    modes[rule], self.crossed[rule], regret = OFF, regret, 0.0
                    self._learn(rule, start)
            else:
                costs[rule] += 1.0
                modes[rule], regret = mode - 1, 0.0
            regrets[rule] = regret
            is_quiet = False
        return is_quiet

    def _learn(self, rule: int, start: int) -> None:
        """Make the rule's next start easier by what the one that just ended earned, or harder by what it lost."""
        earned = min(1.0, max(-1.0, (self.begun[rule] - self.costs[rule]) / (_MOST_EARNED * start)))
        kept = self.cautions[rule] ** (1 - _LAST_WEIGHT)
        # Rounded as it is stored, so that a state read back goes on as if it had not been.
        self.cautions[rule] = round(kept * math.exp(-_BOLDNESS * _LAST_WEIGHT * earned), 3)

    def threshold(self, rule: int, lean: int, *, is_start: bool) -> float:
        """Return a rule's threshold as the forecast and what its starts earned lean it, in start prices."""
        return _START[lean][rule] * self.cautions[rule] if is_start else _STOP[lean][rule]

    def copy(self) -> "RuleScores":
        """Return the scores as they stand, apart from these."""
        return RuleScores(
            list(self.modes),
            list(self.regrets),
            list(self.costs),
            list(self.crossed),
            list(self.cautions),
            list(self.begun),
        )

    def to_json(self) -> list[Any]:
        """Return the state in a short JSON form."""
        regrets = [round(value, 3) for value in self.regrets]
        costs, crossed, begun = (
            [round(value, 2) for value in values] for values in (self.costs, self.crossed, self.begun)
        )
        return [self.modes, regrets, costs, crossed, self.cautions, begun]
