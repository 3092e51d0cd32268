"""How long instances live: from launch to termination, booting and draining included, hour by hour.

EC2 names its instances and tells when each was launched and ended, so what a look missed is in the next one. SageMaker
tells only how many instances an endpoint has: they are numbered here, and those that come or go between two looks do so
when the endpoint last changed, or at the last look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spillway.domain.observations.capacity import EndpointInstances, Instance, Instances
from spillway.domain.observations.hours import hour_at

# Two looks may be told of a launch or an end in either order: what lies so far before the last one is settled.
UNSETTLED = timedelta(minutes=10)
# EC2 bills Linux instances by the second, each launch for 60 of them at least (aws.amazon.com, what's new, 2017-10-02).
_EC2_MINIMUM = timedelta(seconds=60)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class InstanceLifetime:
    """One instance's billed life; it warms up until ``answered_at``, None while no look has seen it answer."""

    id: str
    instance_type: str
    launched_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None

    def lived(self, since: datetime, until: datetime) -> timedelta:
        """Return how much of a span it lived."""
        return max(_end_of(self, until) - max(self.launched_at, since), timedelta())


def lives_of(
    seen: Instances, known: Sequence[InstanceLifetime], last: datetime, now: datetime
) -> tuple[InstanceLifetime, ...]:
    """Return the lives that are not settled; ``known`` are those of the look at ``last``."""
    if isinstance(seen, EndpointInstances):
        lives = _numbered(seen, known, last, now)
    else:
        by_id = {life.id: life for life in known}
        lives = [_named(one, by_id.get(one.id), last, now) for one in seen]
    return tuple(life for life in lives if life.ended_at is None or life.ended_at >= last - UNSETTLED)


def hours_lived(life: InstanceLifetime, since: datetime, until: datetime) -> Iterator[tuple[datetime, int, int]]:
    """Return the hours from that of ``since`` on: beginning, seconds billed and, of them, those of the warm-up."""
    hour, end = hour_at(max(life.launched_at, since)), _end_of(life, until)
    warm = replace(life, ended_at=min(life.answered_at or end, end))
    while hour < end:
        seconds = round(life.lived(hour, min(hour + _HOUR, end)).total_seconds())
        yield hour, seconds, min(round(warm.lived(hour, hour + _HOUR).total_seconds()), seconds)
        hour += _HOUR


def _end_of(life: InstanceLifetime, until: datetime) -> datetime:
    return until if life.ended_at is None else min(life.ended_at, until)


def _named(seen: Instance, was: InstanceLifetime | None, last: datetime, now: datetime) -> InstanceLifetime:
    answered = was.answered_at if was else None
    if answered is None and seen.answers:
        # How long one took that no look has seen before isn't known: it counts as if it had answered at once.
        answered = now if was else seen.launched_at
    life = InstanceLifetime(seen.id, seen.instance_type, seen.launched_at, answered)
    return life if seen.runs else replace(life, ended_at=max(_end(seen, was, last), seen.launched_at + _EC2_MINIMUM))


def _end(seen: Instance, was: InstanceLifetime | None, last: datetime) -> datetime:
    """Where EC2 doesn't say when it ended, it is taken for the last moment at which it was seen running."""
    if seen.ended_at is not None:
        return seen.ended_at
    return seen.launched_at if was is None else was.ended_at or last


def _numbered(
    seen: EndpointInstances, known: Sequence[InstanceLifetime], last: datetime, now: datetime
) -> list[InstanceLifetime]:
    living = [life for life in known if life.ended_at is None]
    gone = [life for life in known if life.ended_at is not None]
    count = len(living) if seen.count is None else seen.count
    # Either may be later than ``now``: a look takes a while, and AWS is asked in the course of it.
    changed = max(seen.changed_at, last)
    began = seen.created_at if seen.created_at >= last else changed
    ended = [replace(life, ended_at=max(changed, life.launched_at)) for life in living[count:]]
    born = [
        InstanceLifetime(f"{number}-{began:%Y%m%dT%H%M%S}", seen.instance_type, began)
        for number in range(len(living), count)
    ]
    running = [
        replace(life, answered_at=life.answered_at or now) if number < seen.answering else life
        for number, life in enumerate([*living[:count], *born])
    ]
    return [*gone, *ended, *running]
