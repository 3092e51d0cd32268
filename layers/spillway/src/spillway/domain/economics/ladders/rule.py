"""The rule on a ladder: the work function of all places, in dollars. The reasoning: docs/policy-proof.md."""

from dataclasses import dataclass

from spillway.domain.decision import Code, Reason
from spillway.domain.economics.ladders.rungs import NOWHERE, Ladder
from spillway.domain.economics.rule import Traffic


@dataclass(slots=True)
class State:
    """``costs`` are the least that could have been spent so far and be at each place now, above ``least`` of all.

    Places are numbered as the ladder has them; starts count as instant there, at their price.
    """

    costs: list[float]
    place: int = NOWHERE
    least: float = 0.0

    @classmethod
    def of(cls, ladder: Ladder) -> "State":
        """Return the state before the first minute."""
        return cls([place.start_usd for place in ladder.places])


def step(state: State, load: Traffic, ladder: Ladder) -> tuple[State, int, Reason | None]:
    """Account for the minute that just ended and return the place to be at from now on.

    The state is changed in place. The reason is None where nothing changes. It looks at nothing but this minute.
    """
    here = state.place
    kept = stayed(state.costs, load, ladder)
    costs = _reached(kept, ladder)
    there = _chosen(costs, kept, here, ladder)
    # Giving instances back is free, so nothing is ever cheaper than to be left with none.
    least = costs[NOWHERE]
    state.costs, state.place, state.least = [cost - least for cost in costs], there, state.least + least
    reason = None if there == here else _explain(kept[here] - costs[there], here, there, ladder)
    return state, there, reason


def stayed(costs: list[float], load: Traffic, ladder: Ladder) -> list[float]:
    """Return the costs after this minute of those who stayed where they were."""
    tokens, usd = load.tokens, load.usd
    per_token = usd / tokens if tokens > 0 else 0.0
    return [
        cost + place.usd_per_minute + (per_token * (tokens - place.capacity) if tokens > place.capacity else 0.0)
        for cost, place in zip(costs, ladder.places, strict=True)
    ]


def _reached(kept: list[float], ladder: Ladder) -> list[float]:
    """Return the least cost of being at each place after moving to it from wherever that is cheapest."""
    places, costs = ladder.places, list(kept)
    for at in range(len(places) - 1, 0, -1):
        below = at - 1 if places[at].instances > 1 else NOWHERE
        if costs[at] < costs[below]:
            costs[below] = costs[at]
    for at in range(1, len(places)):
        place = places[at]
        below = at - 1 if place.instances > 1 else NOWHERE
        started = costs[below] + place.start_usd / place.instances
        if started < costs[at]:
            costs[at] = started
    return costs


def _chosen(costs: list[float], kept: list[float], here: int, ladder: Ladder) -> int:
    """Return the place whose cost and way there are least among those that nobody would have come to just now.

    Going up is paid when it is done, coming down is free: less its own start, each place is judged as if each way were
    paid by halves, which makes the distances symmetric, as the theorem wants them.
    """
    best, found = float("inf"), here
    for there, place in enumerate(ladder.places):
        if costs[there] < kept[there]:
            continue
        value = costs[there] + ladder.move_usd(here, there) - place.start_usd
        if value < best or (value == best and there == here):
            best, found = value, there
    return found


def _explain(lost: float, here: int, there: int, ladder: Ladder) -> Reason:
    """Say in dollars what spoke for moving; ``lost`` is what staying cost beyond the cheapest way there."""
    way = ladder.move_usd(here, there)
    observed, threshold = lost + way, way + ladder.move_usd(there, here)
    old, new = ladder.places[here], ladder.places[there]
    code = Code.TRAFFIC_PAYS if new.usd_per_minute > old.usd_per_minute else Code.TRAFFIC_FELL
    sentence = (
        f"{old.name[0].upper()}{old.name[1:]} and {ladder.elsewhere} beyond it cost ${observed:.4f} more than "
        f"{new.name} would have; the threshold, the price of going there and back, is ${threshold:.4f}."
    )
    return Reason(code, sentence, round(observed, 6), round(threshold, 6), "USD")
