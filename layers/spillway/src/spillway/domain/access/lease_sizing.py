"""How large a slice of a limit one gateway instance may take ahead of the requests that will use it.

All that instances hold ahead of requests must never be more than a tenth of what was left of the limit when the last
of it was taken: :class:`Slice` carries the two conditions by which the table enforces that in the same write.
"""

from dataclasses import dataclass

# Of what is left, the part that may be held ahead of requests, all instances together: 1/16 is aimed at, and the
# condition allows 1/10, so that a write on slightly old knowledge still passes.
_AIMED_AT = 16
SHARE_HELD = 10
# One instance takes a quarter of what may still be held, and no more than so many requests' worth unless it is busier.
_QUARTER = 4
MOST_REQUESTS = 16
# A slice that is used up is followed by one so many times as large: the busier an instance, the fewer wait for a write.
_GROWTH = 4


def most_requests(served: int) -> int:
    """Return how many requests' worth an instance may take that has served so many since its last slice."""
    return max(MOST_REQUESTS, _GROWTH * served)


@dataclass(frozen=True)
class Slice:
    """What is taken beyond one request: ``requests`` more of its size, as long as the conditions hold.

    After the write no more than ``most_held`` may be held, and no more than ``most_used`` used.
    """

    requests: int
    most_held: int
    most_used: int


def slice_of(need: int, limit: int, used: int, held: int, most: int = MOST_REQUESTS) -> Slice:
    """Return the slice for up to ``most`` requests of size ``need``, by what was last known of the counters."""
    pool = max(0, limit - used) // _AIMED_AT
    requests = min(most, max(0, pool - held) // _QUARTER // max(1, need))
    return Slice(requests, pool, limit - SHARE_HELD * pool)
