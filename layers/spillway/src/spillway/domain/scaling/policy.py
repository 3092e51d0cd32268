"""The decision: a pure function of what was seen, what the user allows, and the time."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

from spillway.domain.decision import Action, Code, Decision, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.schedule import floor_at
from spillway.domain.deployments.status import Status
from spillway.domain.economics.economy import Economy, advice_of
from spillway.domain.economics.import_windows import in_check as windows
from spillway.domain.economics.import_windows.in_check import ImportEconomy
from spillway.domain.economics.in_check import FleetEconomy, advance
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import LONGEST_GAP, RECENT, Load
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.saturation import KV_CACHE_FULL, saturation

# A fleet is made smaller only after this long with room to spare; SageMaker and Kubernetes default to 5 to 15 minutes.
SCALE_IN_AFTER = timedelta(minutes=10)
# What one instance fewer would have to carry, as a share of the queue threshold, for the fleet to count as too large;
# and the share of a full KV cache that may be in use then.
SCALE_IN_LOAD = 0.5


def remember(snapshot: Snapshot, now: datetime) -> Memory:
    """Return the memory with what this look adds to it."""
    load, memory = snapshot.load, snapshot.memory
    has_gap = memory.checked_at is None or now - memory.checked_at > LONGEST_GAP
    # A benchmark keeps engines busy; users' requests are those that the gateway counted.
    seen_load = replace(load, running=None, waiting=None) if snapshot.deployment.is_benchmarked else load
    found = now if has_gap else _last_request_at(seen_load, now)
    seen = [at for at in (memory.last_request_at, found) if at is not None]
    return replace(
        memory,
        last_request_at=max(seen, default=None),
        roomy_since=(memory.roomy_since or now) if _is_roomy(snapshot) else None,
        checked_at=now,
        economy=_weighed(snapshot, now),
    )


def _weighed(snapshot: Snapshot, now: datetime) -> Economy | None:
    known = snapshot.memory.economy
    if snapshot.imported is not None:
        used = known if isinstance(known, ImportEconomy) else None
        return windows.advance(used, snapshot.load, snapshot.imported, now)
    return advance(
        known if isinstance(known, FleetEconomy) else None,
        snapshot.deployment,
        snapshot.load,
        snapshot.usd_per_hour,
        snapshot.spill_price,
        now,
        snapshot.larger_usd_per_hour,
    )


def decide(snapshot: Snapshot, now: datetime) -> Decision:
    """Return what to do about a deployment now; ``now`` is aware UTC.

    Only deployments that serve or sleep are acted on: in every other state a workflow is at work.
    """
    deployment = snapshot.deployment
    if not deployment.spec.profile.has_instances:
        economy = snapshot.memory.economy
        by_itself = Reason(Code.STEADY, "Bedrock scales by itself.")
        return _hold(snapshot, economy.why if isinstance(economy, ImportEconomy) else by_itself)
    if deployment.is_claimed(now):
        return _hold(snapshot, Reason(Code.STARTING, f"A workflow is at work ({deployment.status})."))
    if deployment.hold_until is not None and now < deployment.hold_until:
        return _hold(snapshot, Reason(Code.NO_CAPACITY, f"Waiting until {deployment.hold_until.isoformat()}."))
    if deployment.status not in (Status.ASLEEP, Status.SERVING):
        return _hold(snapshot, Reason(Code.STEADY, f"Nothing is decided while it is {deployment.status}."))
    if snapshot.capacity.desired > deployment.desired:
        return _give_back(snapshot)
    return _decide_asleep(snapshot, now) if deployment.status is Status.ASLEEP else _decide_serving(snapshot, now)


def _give_back(snapshot: Snapshot) -> Decision:
    """Ask once more for what the record says: a workflow could not take back what it had asked for."""
    there, wanted = snapshot.capacity.desired, snapshot.deployment.desired
    sentence = f"AWS was asked for {there} instance(s), and only {wanted} should run."
    reason = Reason(Code.LEFT_BEHIND, sentence, there, wanted, "instances")
    return _change(snapshot, Action.SCALE if wanted else Action.SLEEP, wanted, reason, there)


def _decide_asleep(snapshot: Snapshot, now: datetime) -> Decision:
    floor = floor_at(snapshot.deployment.spec, now)
    if floor > 0:
        sentence = f"A warm window or minimum asks for {floor} instance(s), and none is up."
        return _change(snapshot, Action.WAKE, floor, Reason(Code.WARM_WINDOW, sentence, 0, floor, "instances"))
    # Minutes that began before the fleet fell asleep still count requests that it answered itself.
    requests = snapshot.load.requests_since(max(snapshot.deployment.updated_at, now - RECENT))
    advised = advice_of(snapshot.memory.economy)
    if advised is not None and advised.wanted == 0:
        return _hold(snapshot, replace(advised.reason, code=Code.ASLEEP))
    if requests > 0:
        # What traffic paid for before wakes nothing that fell asleep for want of requests.
        if advised is not None:
            return _change(snapshot, Action.WAKE, advised.wanted, advised.reason)
        sentence = f"{requests} request(s) since it fell asleep."
        return _change(snapshot, Action.WAKE, 1, Reason(Code.TRAFFIC_RETURNED, sentence, requests, 0, "requests"))
    return _hold(snapshot, Reason(Code.ASLEEP, "Asleep, and no traffic to wake for."))


def _decide_serving(snapshot: Snapshot, now: datetime) -> Decision:
    desired, spec = snapshot.deployment.desired, snapshot.deployment.spec
    floor = floor_at(spec, now)
    if desired < floor or desired > spec.capacity.max:
        bound = floor if desired < floor else spec.capacity.max
        sentence = f"{desired} instance(s) asked for, {bound} allowed by the capacity bounds and warm windows."
        return _change(snapshot, Action.SCALE, bound, Reason(Code.OUT_OF_BOUNDS, sentence, desired, bound, "instances"))
    # Idle comes before lost: instances that start and die again cost money, and nobody is waiting for them.
    for rule in (_idle, _lost, _queue, _economy, _underused):
        decision = rule(snapshot, floor, now)
        if decision is not None:
            return decision
    return _hold(snapshot, Reason(Code.STEADY, "Within all thresholds."))


def _lost(snapshot: Snapshot, _floor: int, _now: datetime) -> Decision | None:
    if not has_lost_capacity(snapshot.deployment, snapshot.capacity):
        return None
    return _hold(snapshot, lost_reason(snapshot.deployment, snapshot.capacity))


def _queue(snapshot: Snapshot, _floor: int, _now: datetime) -> Decision | None:
    desired, capacity = snapshot.deployment.desired, snapshot.capacity
    thresholds, most = snapshot.deployment.spec.thresholds, snapshot.deployment.spec.capacity.max
    found = saturation(thresholds, snapshot.load, capacity)
    # Instances that are already starting will take part of the queue: wait for them before asking for more.
    if found is None or capacity.starting > 0 or desired >= most:
        return None
    needed = math.ceil((snapshot.load.waiting or 0.0) / thresholds.queue_depth_per_instance)
    wanted = min(desired + max(1, needed - capacity.ready), most)
    return _change(snapshot, Action.SCALE, wanted, found.reason)


def _economy(snapshot: Snapshot, floor: int, _now: datetime) -> Decision | None:
    """Follow what the traffic pays for, inside the user's thresholds."""
    desired, advised = snapshot.deployment.desired, advice_of(snapshot.memory.economy)
    if advised is None or snapshot.capacity.starting > 0:
        return None
    wanted = max(advised.wanted, floor)
    # What the engines can't do without is kept; what sleeps altogether is spilled altogether.
    if wanted == desired or (0 < wanted < desired and snapshot.memory.roomy_since is None):
        return None
    wanted = wanted if wanted > desired or wanted == 0 else desired - 1
    return _change(snapshot, Action.SCALE if wanted else Action.SLEEP, wanted, advised.reason)


def _idle(snapshot: Snapshot, floor: int, now: datetime) -> Decision | None:
    if floor > 0:
        return None
    limit = snapshot.deployment.spec.thresholds.idle_after_seconds
    idle = (now - idle_since(snapshot.deployment, snapshot.memory)).total_seconds()
    # A request may be counted this much later, so nothing can be called idle sooner.
    if idle < max(limit, RECENT.total_seconds()):
        return None
    sentence = f"No request for {idle:.0f} s; the threshold is {limit} s."
    return _change(snapshot, Action.SLEEP, 0, Reason(Code.IDLE, sentence, round(idle), limit, "seconds"))


def _underused(snapshot: Snapshot, floor: int, now: datetime) -> Decision | None:
    desired, roomy_since = snapshot.deployment.desired, snapshot.memory.roomy_since
    if roomy_since is None or desired <= max(floor, 1):
        return None
    # Room to spare counts for the present size only: each step down has to prove itself anew.
    since = max(roomy_since, snapshot.deployment.updated_at)
    if now - since < SCALE_IN_AFTER:
        return None
    minutes = (now - since).total_seconds() / 60
    limit = SCALE_IN_AFTER.total_seconds() / 60
    sentence = f"{desired - 1} instance(s) could have carried the load for {minutes:.0f} minutes."
    return _change(
        snapshot, Action.SCALE, desired - 1, Reason(Code.UNDERUSED, sentence, round(minutes), limit, "minutes")
    )


def has_lost_capacity(deployment: Deployment, capacity: Capacity) -> bool:
    """Whether a deployment should answer by its own instances, and none does."""
    is_serving = deployment.status is Status.SERVING and deployment.spec.profile.has_instances
    return is_serving and capacity.ready == 0


def lost_reason(deployment: Deployment, capacity: Capacity) -> Reason:
    """Return the reason to give for it."""
    sentence = f"None of {deployment.desired} instance(s) answers; {capacity.starting} starting."
    return Reason(Code.CAPACITY_LOST, sentence, 0, deployment.desired, "instances")


def idle_since(deployment: Deployment, memory: Memory) -> datetime:
    """Return when the deployment last had a request, or began to serve if that was later."""
    started, last = deployment.updated_at, memory.last_request_at
    return max(started, last) if last is not None else started


def _last_request_at(load: Load, now: datetime) -> datetime | None:
    if load.running or load.waiting:
        return now
    ends = [minute.at + timedelta(minutes=1) for minute in load.minutes if minute.requests > 0]
    return min(max(ends), now) if ends else None


def _is_roomy(snapshot: Snapshot) -> bool:
    desired, load = snapshot.deployment.desired, snapshot.load
    if snapshot.capacity.starting > 0 or desired < 2 or load.running is None:
        return False
    # Few requests with long contexts can fill their instances as well as many short ones.
    if (load.kv_cache_use or 0.0) > KV_CACHE_FULL * SCALE_IN_LOAD:
        return False
    per_instance = snapshot.deployment.spec.thresholds.queue_depth_per_instance
    return load.running + (load.waiting or 0.0) <= (desired - 1) * per_instance * SCALE_IN_LOAD


def _hold(snapshot: Snapshot, reason: Reason) -> Decision:
    return Decision(Action.HOLD, snapshot.deployment.desired, reason, 0.0)


def _change(snapshot: Snapshot, action: Action, desired: int, reason: Reason, before: int | None = None) -> Decision:
    price, before = snapshot.usd_per_hour, snapshot.deployment.desired if before is None else before
    delta = None if price is None else (desired - before) * price
    return Decision(action, desired, reason, delta)
