"""The ladder in the check, on paper: whether the larger instances that a deployment names would pay now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from spillway.domain.decision import Code, Reason, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.ladders.rule import State, stayed, step
from spillway.domain.economics.ladders.rungs import Ladder, Rung
from spillway.domain.economics.rule import Traffic
from spillway.domain.economics.scenario import MINUTES_PER_HOUR, Scenario

_LARGER = 1
# A ladder of more places than any fleet has use for would only fill the check's memory.
_MOST_SMALL = 50


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
    memory: Mapping[str, Any] | None, minutes: Iterable[Traffic], ladder: Ladder, desired: int, now: datetime
) -> Mapping[str, Any]:
    """Return the memory (JSON) with these minutes, and once a day the news that larger instances would pay.

    ``desired`` instances of the present size are what they are held against. ``rates`` are dollars a minute at each
    place, the last hour counting most. A memory of other places is begun anew.
    """
    count = len(ladder.places)
    if memory is None or len(memory["costs"]) != count:
        memory = {"costs": State.of(ladder).costs, "place": 0, "rates": [0.0] * count, "reason": None, "told_on": None}
    state, rates, reason = State(list(memory["costs"]), memory["place"]), memory["rates"], memory["reason"]
    for load in minutes:
        spent = stayed([0.0] * count, load, ladder)
        rates = [rate + (usd - rate) / MINUTES_PER_HOUR for rate, usd in zip(rates, spent, strict=True)]
        state, _, found = step(state, load, ladder)
        reason = reason_to_json(found) if found else reason
    kept = {"costs": [round(cost, 6) for cost in state.costs], "rates": [round(rate, 6) for rate in rates]}
    today, told_on = now.date().isoformat(), memory["told_on"]
    news = None if told_on == today or reason is None else _news(state.place, rates, reason, ladder, desired)
    return {**kept, "place": state.place, "reason": reason, "news": news, "told_on": today if news else told_on}


def news_of(economy: Mapping[str, Any] | None) -> Reason | None:
    """Return what the check's last look has to say of larger instances."""
    news = ((economy or {}).get("ladder") or {}).get("news")
    return Reason(**{**news, "code": Code(news["code"])}) if news else None


def _news(
    place: int, rates: Sequence[float], reason: Mapping[str, Any], ladder: Ladder, desired: int
) -> dict[str, Any] | None:
    present = min(desired, ladder.rungs[0].max_instances)
    usd, instead = rates[place] * MINUTES_PER_HOUR, rates[present] * MINUTES_PER_HOUR
    if ladder.places[place].rung != _LARGER or instead <= usd:
        return None
    sentence = (
        f"{ladder.places[place].name} would now serve this traffic for ${usd:.2f} an hour, ${instead - usd:.2f} less "
        f"than {ladder.places[present].name} and {ladder.elsewhere} beyond it. {reason['sentence']} Nothing was moved: "
        "with that type first in capacity.instance_types, what starts from then on is of it."
    )
    return {**reason, "code": Code.LARGER_PAYS, "sentence": sentence}
