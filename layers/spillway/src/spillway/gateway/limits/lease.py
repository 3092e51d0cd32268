"""A part of a key's budget that one gateway instance holds, until it is spent, given back, or lapses.

The month's item counts ``used`` (spent and held together), ``held``, and what lapses at a moment: ``held_<moment>``, of
which all that is spent is written down, and ``drawn_<moment>``, of which some may be spent and not written down yet.
Whoever finds a moment passed takes its counter away and its amount off ``held``, and off ``used`` too unless it was
drawn on, in one conditional write, so it happens once; so what a crashed instance held comes back, or counts as spent,
without anyone knowing of the crash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from spillway.domain.access.limits import Window
from spillway.gateway.timeouts import STREAM_SECONDS

# New requests draw on a lease for so long.
DRAWN_ON_FOR = timedelta(minutes=5)
LONGEST_REQUEST = timedelta(seconds=STREAM_SECONDS)
CLOCKS_DIFFER_BY = timedelta(minutes=1)
LAPSES_AFTER = DRAWN_ON_FOR + LONGEST_REQUEST + CLOCKS_DIFFER_BY
HELD_PREFIX, DRAWN_PREFIX = "held_", "drawn_"
_GRID_SECONDS = 60


@dataclass(eq=False)
class Lease:
    """Amounts in nano-dollars; ``reserved`` is the part of ``held`` that requests in flight may still spend, ``spent``
    the part that ended ones did spend and that is still to be written.

    ``until`` and ``until_monotonic`` end the drawing on it: a clock that is set back must not prolong a lease, nor one
    that stands still while Lambda has us frozen.
    """

    month: Window
    counter: str
    until: datetime
    until_monotonic: float
    held: int = 0
    reserved: int = 0
    spent: int = 0

    @property
    def free(self) -> int:
        """What new requests may reserve."""
        return self.held - self.reserved - self.spent

    def usable(self, month: Window, now: datetime, moment: float) -> bool:
        """Whether new requests may draw on it."""
        return self.month.name == month.name and now < self.until and moment < self.until_monotonic


def new_lease(month: Window, now: datetime, moment: float, prefix: str = HELD_PREFIX) -> Lease:
    """Return a lease that holds nothing yet; those of the same minute share their counter."""
    lapses = int((now + LAPSES_AFTER).timestamp())
    on_grid = lapses + -lapses % _GRID_SECONDS
    return Lease(month, f"{prefix}{on_grid}", now + DRAWN_ON_FOR, moment + DRAWN_ON_FOR.total_seconds())


def lapsed(counters: Mapping[str, int], now: datetime) -> dict[str, int]:
    """Return the counters of leases that have lapsed, with what each still holds."""
    moment = now.timestamp()
    return {name: value for name, value in counters.items() if (at := _lapses_at(name)) is not None and at < moment}


def given_back(gone: Mapping[str, int]) -> int:
    """Return how much of the lapsed counters nobody has spent."""
    return sum(value for name, value in gone.items() if name.startswith(HELD_PREFIX))


def _lapses_at(counter: str) -> int | None:
    prefix, _, moment = counter.partition("_")
    return int(moment) if moment and f"{prefix}_" in (HELD_PREFIX, DRAWN_PREFIX) else None
