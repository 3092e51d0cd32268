"""The ladder in the check, on paper: whether the larger instances that a deployment names would pay now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from spillway.domain.decision import Code, Reason, reason_from_json, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.ladders.rule import State, stayed, step
from spillway.domain.economics.ladders.rungs import Ladder, Rung
from spillway.domain.economics.rule import Traffic
from spillway.domain.economics.scenario import MINUTES_PER_HOUR, Scenario

_LARGER = 1
# A ladder of more places than any fleet has use for would only fill the check's memory.
_MOST_SMALL = 50


@dataclass(frozen=True)
class LadderEconomy:
    """What the weighing of larger instances keeps from one minute to the next.

    ``state`` is the rule's; ``rates`` are dollars a minute at each place, the last hour counting most; ``reason`` is
    that of the last move on paper; ``news`` is what the last look has to say; ``told_on`` is the last day with any.
    """

    state: State
    rates: tuple[float, ...]
    reason: Reason | None = None
    news: Reason | None = None
    told_on: date | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object, in millionths of a dollar."""
        return {
            "costs": [round(cost, 6) for cost in self.state.costs],
            "rates": [round(rate, 6) for rate in self.rates],
            "place": self.state.place,
            "reason": reason_to_json(self.reason) if self.reason else None,
            "news": reason_to_json(self.news) if self.news else None,
            "told_on": self.told_on.isoformat() if self.told_on else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LadderEconomy":
        """Read back what :meth:`to_json` wrote."""
        return cls(
            State(data["costs"], data["place"]),
            tuple(data["rates"]),
            reason_from_json(data["reason"]) if data["reason"] else None,
            reason_from_json(data["news"]) if data.get("news") else None,
            date.fromisoformat(data["told_on"]) if data["told_on"] else None,
        )


def ladder_of(deployment: Deployment, scenario: Scenario, usd_per_hour: float | None) -> Ladder | None:
    """Return the deployment's ladder; ``usd_per_hour`` is the larger instances' price. None where there is none.

    What the larger ones need to start is not measured: they are taken to need what the present ones do.
    """
    larger, capacity = deployment.spec.capacity.larger, scenario.tokens_per_minute_per_instance
    if larger is None or not usd_per_hour or larger.tokens_per_minute_per_instance <= capacity:
        return None
    small = Rung(
        name=(deployment.spec.capacity.instance_types or ("present",))[0],
        usd_per_instance_hour=scenario.usd_per_instance_hour,
        tokens_per_minute_per_instance=capacity,
        cold_start_seconds=scenario.cold_start_seconds,
        max_instances=min(scenario.max_instances, _MOST_SMALL),
    )
    large = replace(
        small,
        name=larger.instance_type,
        usd_per_instance_hour=usd_per_hour,
        tokens_per_minute_per_instance=larger.tokens_per_minute_per_instance,
        max_instances=larger.max,
    )
    return Ladder((small, large), waiting_usd_per_request=scenario.waiting_usd_per_request)


def advance(
    known: LadderEconomy | None, minutes: Iterable[Traffic], ladder: Ladder, desired: int, now: datetime
) -> LadderEconomy:
    """Return what is known with these minutes, and once a day the news that larger instances would pay.

    ``desired`` instances of the present size are what they are held against. What is known of other places is begun
    anew.
    """
    count = len(ladder.places)
    if known is None or len(known.state.costs) != count:
        known = LadderEconomy(State.of(ladder), (0.0,) * count)
    state, rates, reason = replace(known.state), known.rates, known.reason
    for load in minutes:
        spent = stayed([0.0] * count, load, ladder)
        rates = tuple(rate + (usd - rate) / MINUTES_PER_HOUR for rate, usd in zip(rates, spent, strict=True))
        state, _, found = step(state, load, ladder)
        reason = found or reason
    today, told_on = now.date(), known.told_on
    news = None if told_on == today or reason is None else _news(state.place, rates, reason, ladder, desired)
    return LadderEconomy(state, rates, reason, news, today if news else told_on)


def _news(place: int, rates: Sequence[float], reason: Reason, ladder: Ladder, desired: int) -> Reason | None:
    present = min(desired, ladder.rungs[0].max_instances)
    usd, instead = rates[place] * MINUTES_PER_HOUR, rates[present] * MINUTES_PER_HOUR
    if ladder.places[place].rung != _LARGER or instead <= usd:
        return None
    sentence = (
        f"{ladder.places[place].name} would now serve this traffic for ${usd:.2f} an hour, ${instead - usd:.2f} less "
        f"than {ladder.places[present].name} and {ladder.elsewhere} beyond it. {reason.sentence} Nothing was moved: "
        "with that type first in capacity.instance_types, what starts from then on is of it."
    )
    return replace(reason, code=Code.LARGER_PAYS, sentence=sentence)
