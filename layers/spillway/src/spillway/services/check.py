"""The check: look at every deployment, decide, act. Repeated, late or overlapping runs do no harm."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spillway.domain.alerts.alert import Alert
from spillway.domain.alerts.evaluate import evaluate
from spillway.domain.costs.running_estimate import add_up, count_instances
from spillway.domain.decision import Action, Code, Decision, Reason, decision_to_json, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.economics.economy import larger_news_of, why_unused
from spillway.domain.economics.windows.in_check import imported_of
from spillway.domain.errors import Retryable, Superseded
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.hours import hour_at
from spillway.domain.observations.traffic import LONGEST_GAP, RECENT, Load
from spillway.domain.observations.usage import InstanceTime
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.routing.route import Route
from spillway.domain.routing.route_for_status import is_still_lost, may_replace, route_of
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import decide, remember
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
from spillway.services.per_deployment import raise_unexpected

logger = logging.getLogger(__name__)

# A check that died holds up the next ones this long: the function's time-out in the template.
LEASE = timedelta(seconds=120)
# What changed is written by so many at once; it is also the number of connections that a client keeps.
_PARALLEL = 8
# EC2 shows an instance for about so long after its end: the last ones of a retired deployment are counted meanwhile.
_LINGERS = timedelta(hours=1)
_QUIET = frozenset({Code.STEADY, Code.STARTING, Code.ASLEEP})


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
class _Sight:
    """What was read of one deployment."""

    deployment: Deployment
    capacity: Capacity
    load: Load
    memory: Memory
    route: Route | None


@dataclass(frozen=True)
class _Outcome:
    memory: Memory
    instance_times: Sequence[InstanceTime]
    acted: bool = False
    alerts: Sequence[Alert] = ()


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
        try:
            return self._look(now)
        finally:
            self.memories.release(owner)
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
        sights = self._see(stored.deployments, now)
        prices = self.prices()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            turns = {name: pool.submit(self._one, sight, prices, now) for name, sight in sights.items()}
        done = {name: turn.result() for name, turn in turns.items() if turn.exception() is None}
        kept = {name: sight.memory for name, sight in sights.items()}
        # Memories first: without them the next run would count, and alert, the same again.
        self.memories.save({**kept, **{name: outcome.memory for name, outcome in done.items()}})
        self.instance_times.put_instance_times([time for outcome in done.values() for time in outcome.instance_times])
        raise_unexpected("check", turns)
        return Looked(
            deployments=sum(sight.deployment.status is not Status.RETIRED for sight in sights.values()),
            actions=sum(outcome.acted for outcome in done.values()),
            alerts=sum(len(outcome.alerts) for outcome in done.values()),
            failed=len(sights) - len(done),
            unreadable=len(stored.unreadable),
        )

    def _see(self, stored: Sequence[Deployment], now: datetime) -> dict[str, _Sight]:
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
            deployment.name: _Sight(
                deployment,
                capacities.get(deployment.name, Capacity()),
                loads.get(deployment.name, Load()),
                memories[deployment.name],
                routes.get(deployment.name),
            )
            for deployment in seen
        }

    def _one(self, sight: _Sight, prices: PriceBook, now: datetime) -> _Outcome:
        deployment, capacity, load = sight.deployment, sight.capacity, sight.load
        if deployment.status is Status.RETIRED:
            counted = count_instances(deployment, capacity, sight.memory, prices, self.region, now)
            return _Outcome(replace(counted.memory, checked_at=now), counted.instance_times)
        price = prices.instance_of(deployment.spec, self.region, capacity.instance_type)
        spent = add_up(deployment, capacity, load, sight.memory, prices, self.region, now)
        spill = deployment.spec.spill
        tokens = prices.tokens(spill.model_id, self.region) if spill else None
        larger = self._larger_price(deployment, prices)
        usd_per_hour = price.usd_per_hour if price else None
        imported = imported_of(deployment, prices, self.region)
        snapshot = Snapshot(deployment, capacity, load, spent.memory, usd_per_hour, tokens, larger, imported)
        snapshot = replace(snapshot, memory=remember(snapshot, now))
        decision = decide(snapshot, now)
        self._keep_route(sight, why_unused(snapshot.memory.economy), now)
        acted = self._act(deployment, decision, snapshot.memory.code, now)
        if (news := larger_news_of(snapshot.memory.economy)) is not None:
            self.decisions.add(deployment.name, Decision(Action.HOLD, deployment.desired, news, 0.0), now)
        alerts, memory = evaluate(deployment, capacity, snapshot.memory, now, usd_per_hour)
        for alert in alerts:
            self.alerts.send(alert)
        return _Outcome(replace(memory, code=decision.reason.code), spent.instance_times, acted, alerts)

    def _larger_price(self, deployment: Deployment, prices: PriceBook) -> float | None:
        larger = deployment.spec.capacity.larger
        price = prices.instance_of(deployment.spec, self.region, larger.instance_type) if larger else None
        return price.usd_per_hour if price else None

    def _keep_route(self, sight: _Sight, unused: Reason | None, now: datetime) -> None:
        deployment, route = sight.deployment, sight.route
        # In every other state the route is the workflow's.
        if deployment.status is not Status.SERVING or route is None or not may_replace(route, deployment):
            return
        if is_still_lost(route, deployment, sight.capacity, now):
            return
        # A model in Bedrock has no capacity that could be lost.
        seen = sight.capacity if deployment.spec.profile.has_instances else None
        wanted = route_of(deployment, seen, sight.load, version=route.version, unused=unused)
        if wanted == route:
            return
        try:
            self.routes.put(wanted)
        except Superseded:
            logger.info("route changed meanwhile", extra={"deployment": deployment.name})

    def _act(self, deployment: Deployment, decision: Decision, last_code: str, now: datetime) -> bool:
        if decision.action is Action.HOLD:
            # That everything just goes on is no news at the first look.
            is_news = decision.reason.code not in _QUIET if not last_code else decision.reason.code != last_code
            if is_news:
                self.decisions.add(deployment.name, decision, now)
            return False
        # The version names the state that the decision was taken on: a repeat of it starts nothing new.
        execution = f"{deployment.name}-{decision.action}-{deployment.version}"
        payload = {
            "deployment": deployment.name,
            "path": deployment.spec.path,
            "desired": decision.desired,
            "reason": reason_to_json(decision.reason),
        }
        try:
            self.workflows.start("scale", execution, payload)
        except Retryable as err:
            logger.warning("scale not started", extra={"deployment": deployment.name, "error": str(err)})
            return False
        self.events.publish("DecisionTaken", deployment.name, decision_to_json(decision))
        return True


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
