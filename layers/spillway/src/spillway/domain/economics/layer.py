"""One layer: the traffic that the k-th instance would carry, and whether that instance pays.

Amounts are in instance minutes (an instance costs 1 a minute; ``spill`` is what the layer's tokens would cost, in that
unit), costs of rules are relative to never having an instance. The rule is in docs/policy.md, its worst case in
docs/policy-proof.md.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from spillway.domain.economics.rule_selection import OFF, READY, RULES, RuleScores

MINUTES_PER_HOUR = 60
HOURS_PER_DAY = 24


# Beside the rules there is always the choice of never starting anything, whose relative cost is zero.
NEVER = len(RULES)
# A layer that nothing is known of yet follows the patient rule.
FIRST = 3
# Against the factor of the proof; what the rules may lose beyond it before the layer falls back, in start prices.
WORST_FACTOR = 3.0
ALLOWANCE = 4.0
# The forecast, in the cost of an instance: above, traffic will pay for one; below, it won't; between, it says nothing.
FORECAST_PAYS, FORECAST_IDLE = 1.2, 0.6
# How far one day moves what is remembered of an hour.
_DAY_WEIGHT = 0.5
_UNKNOWN = -1.0


@dataclass(slots=True)
class Layer:
    """``leader`` is the rule on ``paper`` that is followed; ``mode``: OFF, READY, or the minutes left until ready.

    ``paid`` is what the followed decisions cost so far; ``best_off`` and ``best_on`` are the cheapest way to have spent
    the past and end without and with an instance (the work function of the clairvoyant optimum with instant starts).
    """

    paper: RuleScores = field(default_factory=RuleScores)
    leader: int = FIRST
    mode: int = OFF
    paid: float = 0.0
    best_off: float = 0.0
    best_on: float = float("inf")
    is_worth: bool = False
    hours: list[float] = field(default_factory=lambda: [_UNKNOWN] * HOURS_PER_DAY)
    hour_spill: float = 0.0
    hour_minutes: int = 0
    lean: int = 0
    is_quiet: bool = True

    @classmethod
    def running(cls) -> "Layer":
        """Return a layer whose instance is ready, of which nothing else is known."""
        return cls(RuleScores(modes=[READY] * len(RULES)), mode=READY, best_on=0.0, is_worth=True, is_quiet=False)

    def see(self, spill: float, start: int) -> None:
        """Account for one minute; ``start`` is the start price, which is also the minutes a start takes."""
        if spill == 0.0 and self.is_quiet:
            return
        self._pay(spill)
        self.is_quiet = self.paper.see(spill - 1.0, start, self.lean) and self.mode == OFF
        off, on = self.best_off + spill, self.best_on + 1.0
        if off >= on:
            off, self.is_worth, self.is_quiet = on, True, False
        elif on >= off + start:
            on, self.is_worth = off + start, False
        else:
            self.is_quiet = False
        self.best_off, self.best_on = off, on

    def _pay(self, spill: float) -> None:
        if self.mode == OFF:
            self.paid += spill
        elif self.mode == READY:
            self.paid += 1.0
        else:
            self.paid += 1.0 + spill
            self.mode -= 1

    def is_bounded(self, start: int) -> bool:
        """Whether what was paid is within the proved factor of the optimum so far."""
        return self.paid <= WORST_FACTOR * min(self.best_off, self.best_on) + ALLOWANCE * start

    def wants(self, start: int) -> bool:
        """Whether the instance should run: as the leading rule has it, or the plain one once that lost too much."""
        if not self.is_bounded(start):
            return self.is_worth
        return self.leader != NEVER and self.paper.modes[self.leader] != OFF

    def follow(self, wanted: bool, start: int) -> None:
        """Take the decision into effect from the next minute on."""
        if not wanted:
            self.mode = OFF
        elif self.mode == OFF:
            self.mode, self.is_quiet = start, False

    def close_hour(self, hour: int) -> None:
        """Move the memory of an hour of the day (0 to 23) by what it was today."""
        if self.hour_minutes:
            mean, known = self.hour_spill / self.hour_minutes, self.hours[hour]
            self.hours[hour] = mean if known < 0 else known + _DAY_WEIGHT * (mean - known)
        self.hour_spill, self.hour_minutes = 0.0, 0

    def forecast(self, minute_of_day: int) -> float | None:
        """Return the spill a minute of the coming hour, by what these hours did on the days before."""
        hour, past = divmod(minute_of_day, MINUTES_PER_HOUR)
        this, following = self.hours[hour], self.hours[(hour + 1) % HOURS_PER_DAY]
        if this < 0 or following < 0:
            return None
        return this + (following - this) * past / MINUTES_PER_HOUR

    def look_ahead(self, minute_of_day: int) -> None:
        """Let the forecast lean the thresholds."""
        spill = self.forecast(minute_of_day)
        self.lean = 0 if spill is None else 1 if spill > FORECAST_PAYS else -1 if spill < FORECAST_IDLE else 0

    def copy(self) -> "Layer":
        """Return the layer as it stands, apart from this one."""
        return replace(self, paper=self.paper.copy(), hours=list(self.hours))

    def to_json(self) -> list[Any]:
        """Return the state in a short JSON form."""
        on = None if self.best_on == float("inf") else round(self.best_on - self.best_off, 3)
        return [
            *(self.paper.to_json(), self.leader, self.mode, round(self.paid, 2), round(self.best_off, 2), on),
            *(int(self.is_worth), [round(value, 2) for value in self.hours], round(self.hour_spill, 2)),
            *(self.hour_minutes, self.lean, int(self.is_quiet)),
        ]

    @classmethod
    def from_json(cls, data: list[Any]) -> "Layer":
        """Read back what :meth:`to_json` wrote."""
        paper, leader, mode, paid, off, on, worth, hours, spill, minutes, lean, quiet = data
        best_on = float("inf") if on is None else off + on
        return cls(
            RuleScores(*paper), leader, mode, paid, off, best_on, bool(worth), hours, spill, minutes, lean, bool(quiet)
        )
