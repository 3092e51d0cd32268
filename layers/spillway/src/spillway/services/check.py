"""The check: look at every deployment, decide, act. Repeated, late or overlapping runs do no harm."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.hours import hour_at
from spillway.domain.observations.traffic import LONGEST_GAP, RECENT, Load
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.required_metrics import signals_of
from spillway.ports import (
    Alerts,
    CapacityReader,
    Decisions,
    Deployments,
    Events,
    InstanceTimes,
    LoadReader,
    Memories,
    Routes,
    Workflows,
)
from spillway.services.check_turn import Turn, TurnSteps
from spillway.services.per_deployment import raise_unexpected

logger = logging.getLogger(__name__)

# A check that died holds up the next ones this long: the function's time-out in the template.
LEASE = timedelta(seconds=120)
# What changed is written by so many at once; it is also the number of connections that a client keeps.
_PARALLEL = 8
# EC2 shows an instance for about so long after its end: the last ones of a retired deployment are counted meanwhile.
_LINGERS = timedelta(hours=1)


@dataclass(frozen=True)
class Looked:
    """What one run saw and did; ``failed`` deployments are looked at again in the next run, on the same memory.

    ``unreadable`` ones are stored in a form that this version doesn't know: nothing is decided about them.
    """

    deployments: int
    actions: int
    alerts: int
    failed: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class Check:
    """``run`` is one look; all reads are batched, and only what changed is written a deployment at a time.

    ``megabytes`` is the memory that Lambda bills a look for, 0 where it runs elsewhere and is not metered.
    """

    deployments: Deployments
    routes: Routes
    decisions: Decisions
    memories: Memories
    instance_times: InstanceTimes
    loads: LoadReader
    capacities: CapacityReader
    workflows: Workflows
    alerts: Alerts
    events: Events
    prices: Callable[[], PriceBook]
    region: str
    now: Callable[[], datetime]
    megabytes: int = 0
    monotonic: Callable[[], float] = time.monotonic

    def run(self, owner: str) -> Looked | None:
        """Look at every deployment once; None when another check is at work. ``owner`` names this run.

        A deployment whose turn fails keeps nobody else from theirs: a retryable failure is left to the next run, any
        other is raised in a group once everything else is done and remembered.
        """
        now, began = self.now(), self.monotonic()
        if not self.memories.acquire(owner, now, now + LEASE):
            return None
        looked: Looked | None = None
        try:
            looked = self._look(now)
            return looked
        finally:
            self.memories.release(owner)
            # What a look at nothing took is shared by nobody.
            if looked is None or looked.deployments:
                self._meter(now, self.monotonic() - began)

    def _meter(self, now: datetime, seconds: float) -> None:
        if not self.megabytes:
            return
        try:
            self.instance_times.add_check(hour_at(now), round(self.megabytes * seconds * 1000))
        except Retryable as err:
            logger.warning("check not metered", extra={"error": str(err)})

    def _look(self, now: datetime) -> Looked:
        stored = self.deployments.all()
        seen = self._see(stored.deployments, now)
        prices = self.prices()
        steps = TurnSteps(self.routes, self.decisions, self.workflows, self.alerts, self.events, self.region)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            taken = {name: pool.submit(steps.take, turn, prices, now) for name, turn in seen.items()}
        done = {name: future.result() for name, future in taken.items() if future.exception() is None}
        # Memories first: without them the next run would count, and alert, the same again.
        self.memories.save({name: turn.memory for name, turn in {**seen, **done}.items()})
        self.instance_times.put_instance_times([time for turn in done.values() for time in turn.instance_times])
        raise_unexpected("check", taken)
        return Looked(
            deployments=sum(turn.deployment.status is not Status.RETIRED for turn in seen.values()),
            actions=sum(turn.acted for turn in done.values()),
            alerts=sum(len(turn.alerts) for turn in done.values()),
            failed=len(seen) - len(done),
            unreadable=len(stored.unreadable),
        )

    def _see(self, stored: Sequence[Deployment], now: datetime) -> dict[str, Turn]:
        living = [found for found in stored if found.status is not Status.RETIRED]
        seen = [found for found in stored if found.status is not Status.RETIRED or now - found.updated_at < _LINGERS]
        names = [deployment.name for deployment in living]
        known = self.memories.load([deployment.name for deployment in seen])
        memories = {item.name: _memory_of(item, known.get(item.name)) for item in seen}
        since = min((_counted(memories[name], now) for name in names), default=now)
        loads = self.loads.read({item.name: signals_of(item) for item in living}, since, now)
        capacities = self.capacities.read(seen, now)
        routes = self.routes.get_many(names)
        return {
            item.name: Turn(
                Snapshot(
                    item,
                    capacities.get(item.name, Capacity()),
                    loads.get(item.name, Load()),
                    memories[item.name],
                ),
                routes.get(item.name),
            )
            for item in seen
        }


def _memory_of(deployment: Deployment, memory: Memory | None) -> Memory:
    """Return an empty memory for a deployment that only shares its name with one that was retired before."""
    if memory is None or memory.checked_at is None or memory.checked_at < deployment.created_at:
        return Memory()
    return memory


def _counted(memory: Memory, now: datetime) -> datetime:
    earliest, recent = now - LONGEST_GAP, now - RECENT - timedelta(minutes=1)
    if memory.counted_until is None:
        return recent
    return min(max(memory.counted_until, earliest), recent)
