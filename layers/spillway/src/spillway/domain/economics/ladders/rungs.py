"""The rungs of a ladder, and the places on it: nothing, or so many instances of one rung."""

from dataclasses import dataclass
from functools import cached_property

from spillway.domain.economics.scenario import MINUTES_PER_HOUR, Elsewhere, check_numbers, whole_minutes

MOST_RUNGS, MOST_PLACES = 8, 100
NOWHERE = 0


@dataclass(frozen=True)
class Rung:
    """Instances of one size; ``tokens_per_minute_per_instance``: prompt and completion together.

    Raises:
        ValueError: if a number is negative, not finite, or zero where it must not be.
    """

    name: str
    usd_per_instance_hour: float
    tokens_per_minute_per_instance: float
    cold_start_seconds: float = 300.0
    max_instances: int = 1

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name must not be empty")
        check_numbers(self, "usd_per_instance_hour", "tokens_per_minute_per_instance", "max_instances")
        whole_minutes(self.cold_start_seconds)

    @property
    def start_minutes(self) -> int:
        """Whole minutes from the wish for an instance to its first answer."""
        return whole_minutes(self.cold_start_seconds)

    @property
    def usd_per_instance_minute(self) -> float:
        """What one instance costs a minute, starting or ready."""
        return self.usd_per_instance_hour / MINUTES_PER_HOUR


@dataclass(frozen=True)
class Place:
    """So many instances answer, of the rung with that index (-1: none); ``start_usd`` is the price of starting all."""

    rung: int
    instances: int
    usd_per_minute: float
    capacity: float
    start_minutes: int
    start_usd: float
    name: str


@dataclass(frozen=True)
class Ladder(Elsewhere):
    """A deployment that may run on any one of its rungs, from the smallest instances to the largest.

    Raises:
        ValueError: for numbers as in ``Scenario``; if there is no rung, or one does not serve more than that before it.
    """

    rungs: tuple[Rung, ...]
    prompt_usd_per_million: float = 0.22
    completion_usd_per_million: float = 0.22
    check_interval_minutes: int = 1
    waiting_usd_per_request: float | None = None

    def __post_init__(self) -> None:
        check_numbers(self, "check_interval_minutes")
        if not 1 <= len(self.rungs) <= MOST_RUNGS:
            raise ValueError(f"rungs has {len(self.rungs)} entries: it must have from 1 to {MOST_RUNGS}")
        for at, (below, above) in enumerate(zip(self.rungs, self.rungs[1:], strict=False), start=1):
            least, given = below.tokens_per_minute_per_instance, above.tokens_per_minute_per_instance
            if given <= least:
                raise ValueError(
                    f"rungs.{at}.tokens_per_minute_per_instance is {given:g}: rungs go from small to large, so it must "
                    f"be above that of rungs.{at - 1}, which is {least:g}"
                )
        if len({rung.name for rung in self.rungs}) < len(self.rungs):
            raise ValueError("rungs must have a name each that no other has")
        if (total := sum(rung.max_instances for rung in self.rungs)) >= MOST_PLACES:
            raise ValueError(f"rungs have {total} max_instances together: they may have {MOST_PLACES - 1} at most")

    @property
    def tokens_per_minute_per_instance(self) -> float:
        """The unit of pictures: an instance of the smallest rung."""
        return self.rungs[0].tokens_per_minute_per_instance

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All places: nothing first, then rung by rung, one instance more at a time."""
        found = [Place(-1, 0, 0.0, 0.0, 0, 0.0, "no instance")]
        for at, rung in enumerate(self.rungs):
            price, minutes = rung.usd_per_instance_minute, rung.start_minutes
            for count in range(1, rung.max_instances + 1):
                capacity, name = count * rung.tokens_per_minute_per_instance, f"{count} x {rung.name}"
                found.append(Place(at, count, count * price, capacity, minutes, count * price * minutes, name))
        return tuple(found)

    def started(self, here: int, there: int) -> int:
        """Return how many instances have to start on the way from one place to another."""
        a, b = self.places[here], self.places[there]
        return max(0, b.instances - (a.instances if a.rung == b.rung else 0))

    def move_usd(self, here: int, there: int) -> float:
        """Return the price of the starts between two places; giving instances back is free."""
        place = self.places[there]
        return self.started(here, there) * place.start_usd / place.instances if place.instances else 0.0

    def place_for(self, tokens: float) -> int:
        """Return the cheapest place that carries so many tokens a minute, or else the largest."""
        able = [at for at, place in enumerate(self.places) if place.capacity >= tokens]
        if not able:
            return max(range(len(self.places)), key=lambda at: self.places[at].capacity)
        return min(able, key=lambda at: self.places[at].usd_per_minute)
