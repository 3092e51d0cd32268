"""The least that anyone could have spent on a ladder who had known all traffic in advance."""

from collections import deque
from collections.abc import Sequence
from itertools import groupby

from spillway.domain.economics.ladders.rungs import NOWHERE, Ladder

_NEVER = float("inf")


def optimum_usd(tokens: Sequence[float], spill_usd: Sequence[float], ladder: Ladder) -> float:
    """Return the least cost of this traffic over all sequences of moves, one at a time; one entry a minute.

    Exact, by dynamic programming over the places. A start that is given up is never worth its price to who knows all,
    so a move is a jump over its minutes, at what the old place costs meanwhile.
    """
    places = ladder.places
    best = [_NEVER] * len(places)
    best[NOWHERE] = 0.0
    stays = [0.0] * len(places)
    rungs = [list(group) for rung, group in groupby(range(len(places)), lambda at: places[at].rung) if rung >= 0]
    longest = max(place.start_minutes for place in places)
    # What each place had cost when a move could have begun, less what staying there had cost until then.
    begun: deque[list[float]] = deque([_less(best, stays)], maxlen=longest)
    for load, usd in zip(tokens, spill_usd, strict=True):
        for at, place in enumerate(places):
            over = usd * (load - place.capacity) / load if load > place.capacity else 0.0
            best[at] += place.usd_per_minute + over
            stays[at] += place.usd_per_minute + over
        for rung in rungs:
            minutes = places[rung[0]].start_minutes
            if len(begun) >= minutes:
                _arrive(best, begun[-minutes], stays, rung, places[rung[0]].start_usd)
        for rung in rungs:
            for at in reversed(rung):
                below = at - 1 if places[at].instances > 1 else NOWHERE
                best[below] = min(best[below], best[at])
        begun.append(_less(best, stays))
    return min(best)


def _less(best: Sequence[float], stays: Sequence[float]) -> list[float]:
    return [cost - stayed for cost, stayed in zip(best, stays, strict=True)]


def _arrive(
    best: list[float], begun: Sequence[float], stays: Sequence[float], rung: Sequence[int], start_usd: float
) -> None:
    """Let moves to a rung's places end that began when ``begun`` was; ``start_usd`` is one instance's."""
    least = min(cost + stayed for at, (cost, stayed) in enumerate(zip(begun, stays, strict=True)) if at not in rung)
    for at in rung:
        least += start_usd
        best[at] = min(best[at], least)
        least = min(least, begun[at] + stays[at])
