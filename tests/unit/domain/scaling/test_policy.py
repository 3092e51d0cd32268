"""What is decided, on what, as tables of cases: each threshold just below it, at it and above it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from spillway.domain.decision import Action, Code
from spillway.domain.deployments.deployment import CLAIM_LIMIT, Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import decide, remember
from tests.builders import NOW, a_capacity, a_deployment, a_spec, minutes_of

LONG_AGO = NOW - timedelta(days=1)
WINDOW = {"days": ["tue"], "from": "09:00", "to": "10:00", "time_zone": "UTC", "min": 2}


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def a_snapshot(
    deployment: Deployment | None = None,
    capacity: Capacity | None = None,
    load: Load | None = None,
    memory: Memory | None = None,
    usd_per_hour: float | None = 2.0,
    **changes: Any,
) -> Snapshot:
    """A fleet that has served since yesterday, with traffic just now, unless changed."""
    deployment = deployment or a_deployment(**{"updated_at": LONG_AGO, **changes})
    return Snapshot(
        deployment,
        capacity or a_capacity(deployment.desired),
        load or Load(),
        memory or Memory(last_request_at=NOW),
        usd_per_hour,
    )


def spec_with(**capacity: Any) -> dict[str, Any]:
    return {"spec": a_spec(capacity={"min": 0, "max": 4, "instance_types": ["g6e.xlarge"], **capacity})}


def test_a_busy_fleet_within_its_thresholds_is_left_alone() -> None:
    decision = decide(a_snapshot(), NOW)
    assert (decision.action, decision.desired, decision.usd_per_hour) == (Action.HOLD, 1, 0.0)
    assert decision.reason.code is Code.STEADY


@pytest.mark.parametrize(
    ("changes", "action", "desired"),
    [
        ({"status": Status.ASLEEP, "desired": 0}, Action.SLEEP, 0),
        ({"status": Status.SERVING, "desired": 1}, Action.SCALE, 1),
        ({"status": Status.ASLEEP, "desired": 0, "workflow": "arn:at:work"}, Action.HOLD, 0),
        ({"status": Status.ASLEEP, "desired": 0, "hold_until": NOW + timedelta(seconds=1)}, Action.HOLD, 0),
        ({"status": Status.DRAINING, "desired": 0, "workflow": "arn:at:work"}, Action.HOLD, 0),
    ],
)
def test_what_aws_was_asked_for_beyond_the_record_is_given_back(
    changes: dict[str, Any], action: Action, desired: int
) -> None:
    decision = decide(a_snapshot(a_deployment(**changes), Capacity(desired=3, ready=1, starting=1)), NOW)
    assert (decision.action, decision.desired) == (action, desired)
    if action is not Action.HOLD:
        assert (decision.reason.code, decision.reason.observed) == (Code.LEFT_BEHIND, 3)
        assert decision.usd_per_hour == (desired - 3) * 2.0


@pytest.mark.parametrize(
    ("idle_after", "last_request", "sleeps"),
    [
        (900, timedelta(seconds=899), False),
        (900, timedelta(seconds=900), True),
        (900, timedelta(seconds=901), True),
        # Metrics are late: nothing counts as idle sooner than a late datapoint could still arrive.
        (60, timedelta(seconds=179), False),
        (60, timedelta(seconds=180), True),
    ],
)
def test_a_fleet_sleeps_when_it_has_been_idle_for_the_threshold(
    idle_after: int, last_request: timedelta, sleeps: bool
) -> None:
    spec = a_spec(thresholds={"idle_after_seconds": idle_after})
    decision = decide(a_snapshot(spec=spec, memory=Memory(last_request_at=NOW - last_request)), NOW)
    assert decision.action is (Action.SLEEP if sleeps else Action.HOLD)
    if sleeps:
        assert (decision.desired, decision.usd_per_hour) == (0, -2.0)
        assert decision.reason.code is Code.IDLE
        assert decision.reason.observed == last_request.total_seconds()
        assert decision.reason.threshold == idle_after


@pytest.mark.parametrize(("since", "sleeps"), [(899, False), (900, True)])
def test_idleness_is_counted_from_the_start_of_serving_at_the_earliest(since: int, sleeps: bool) -> None:
    snapshot = a_snapshot(updated_at=ago(seconds=since), memory=Memory(last_request_at=LONG_AGO))
    assert decide(snapshot, NOW).action is (Action.SLEEP if sleeps else Action.HOLD)
    assert decide(replace(snapshot, memory=Memory()), NOW).action is (Action.SLEEP if sleeps else Action.HOLD)


@pytest.mark.parametrize(
    "bounds",
    [spec_with(min=1), spec_with(warm_windows=[{**WINDOW, "min": 1}]), {"spec": a_spec(spill=None)}],
    ids=["minimum", "warm window", "no spill target"],
)
def test_an_idle_fleet_with_a_floor_stays_up(bounds: dict[str, Any]) -> None:
    assert decide(a_snapshot(memory=Memory(), **bounds), NOW).action is Action.HOLD


@pytest.mark.parametrize(
    ("waiting", "ready", "desired", "wanted"),
    [
        # The threshold is 8 requests per instance that answers.
        (8.0, 1, 1, None),
        (8.1, 1, 1, 2),
        (16.0, 2, 2, None),
        (16.2, 2, 2, 3),
        # As many more as the queue needs, at once, up to the maximum of 4.
        (24.0, 1, 1, 3),
        (25.0, 1, 1, 4),
        (800.0, 1, 1, 4),
        (800.0, 4, 4, None),
        (None, 1, 1, None),
    ],
)
def test_a_queue_above_its_threshold_asks_for_the_instances_that_it_needs(
    waiting: float | None, ready: int, desired: int, wanted: int | None
) -> None:
    load = Load(running=4.0, waiting=waiting)
    decision = decide(a_snapshot(capacity=a_capacity(ready), load=load, desired=desired), NOW)
    if wanted is None:
        assert decision.action is Action.HOLD
    else:
        assert (decision.action, decision.desired) == (Action.SCALE, wanted)
        assert decision.usd_per_hour == (wanted - desired) * 2.0
        assert (decision.reason.code, decision.reason.threshold) == (Code.QUEUE_DEPTH, 8.0)
        assert decision.reason.observed == pytest.approx((waiting or 0) / ready)


@pytest.mark.parametrize(
    ("use", "waiting", "desired", "wanted"),
    [(0.95, 1.0, 1, 2), (0.94, 1.0, 1, None), (1.0, 0.0, 1, None), (None, 1.0, 1, None), (1.0, 1.0, 4, None)],
)
def test_a_full_kv_cache_asks_for_one_more_instance_while_anything_waits(
    use: float | None, waiting: float, desired: int, wanted: int | None
) -> None:
    load = Load(running=4.0, waiting=waiting, kv_cache_use=use)
    decision = decide(a_snapshot(capacity=a_capacity(desired), load=load, desired=desired), NOW)
    if wanted is None:
        assert decision.action is Action.HOLD
    else:
        assert (decision.action, decision.desired) == (Action.SCALE, wanted)
        reason = decision.reason
        assert (reason.code, reason.observed, reason.threshold) == (Code.KV_CACHE_FULL, use, 0.95)


def test_a_queue_waits_for_the_instances_that_are_already_starting() -> None:
    load = Load(running=4.0, waiting=100.0)
    assert decide(a_snapshot(capacity=a_capacity(1, starting=1), load=load, desired=2), NOW).action is Action.HOLD
    assert decide(a_snapshot(capacity=a_capacity(1), load=load, desired=2), NOW).action is Action.SCALE


@pytest.mark.parametrize(
    ("roomy_for", "settled_for", "shrinks"),
    [
        (timedelta(seconds=599), timedelta(days=1), False),
        (timedelta(seconds=600), timedelta(days=1), True),
        # The step down before this one does not lend its time to this one.
        (timedelta(hours=1), timedelta(seconds=599), False),
        (timedelta(hours=1), timedelta(seconds=600), True),
        (None, timedelta(days=1), False),
    ],
)
def test_a_fleet_shrinks_by_one_after_ten_minutes_of_room_at_its_present_size(
    roomy_for: timedelta | None, settled_for: timedelta, shrinks: bool
) -> None:
    memory = Memory(last_request_at=NOW, roomy_since=NOW - roomy_for if roomy_for else None)
    decision = decide(a_snapshot(desired=3, updated_at=NOW - settled_for, memory=memory), NOW)
    assert decision.action is (Action.SCALE if shrinks else Action.HOLD)
    if shrinks:
        assert (decision.desired, decision.usd_per_hour, decision.reason.code) == (2, -2.0, Code.UNDERUSED)


@pytest.mark.parametrize(
    ("desired", "changes"), [(1, {}), (2, spec_with(min=2)), (2, spec_with(warm_windows=[WINDOW]))]
)
def test_a_fleet_never_shrinks_below_one_or_its_floor(desired: int, changes: dict[str, Any]) -> None:
    memory = Memory(last_request_at=NOW, roomy_since=LONG_AGO)
    assert decide(a_snapshot(desired=desired, memory=memory, **changes), NOW).action is Action.HOLD


@pytest.mark.parametrize(
    ("desired", "bounds", "wanted"),
    [
        (1, spec_with(min=1), None),
        (1, spec_with(min=2), 2),
        (1, spec_with(warm_windows=[WINDOW]), 2),
        (4, spec_with(max=4), None),
        (5, spec_with(max=4), 4),
    ],
)
def test_capacity_outside_its_bounds_is_brought_inside(
    desired: int, bounds: dict[str, Any], wanted: int | None
) -> None:
    decision = decide(a_snapshot(desired=desired, **bounds), NOW)
    if wanted is None:
        assert decision.action is Action.HOLD
    else:
        assert (decision.action, decision.desired, decision.reason.code) == (Action.SCALE, wanted, Code.OUT_OF_BOUNDS)


def asleep(**changes: Any) -> dict[str, Any]:
    return {"status": Status.ASLEEP, "desired": 0, "capacity": Capacity(), "memory": Memory(), **changes}


@pytest.mark.parametrize(
    ("fell_asleep", "minute", "wakes"),
    [
        (LONG_AGO, ago(minutes=1), True),
        (LONG_AGO, ago(minutes=3), True),
        (LONG_AGO, ago(minutes=3, seconds=1), False),
        # What the fleet still answered by itself is no reason to wake it.
        (ago(seconds=59), ago(minutes=1), False),
        (ago(minutes=1), ago(minutes=1), True),
    ],
)
def test_traffic_since_it_fell_asleep_wakes_a_fleet(fell_asleep: datetime, minute: datetime, wakes: bool) -> None:
    snapshot = a_snapshot(load=Load(minutes_of(3, minute)), **asleep(updated_at=fell_asleep))
    decision = decide(snapshot, NOW)
    assert decision.action is (Action.WAKE if wakes else Action.HOLD)
    assert decision.reason.code is (Code.TRAFFIC_RETURNED if wakes else Code.ASLEEP)
    if wakes:
        assert (decision.desired, decision.usd_per_hour, decision.reason.observed) == (1, 2.0, 3)


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        (spec_with(), None),
        (spec_with(min=1), 1),
        (spec_with(warm_windows=[WINDOW]), 2),
        ({"spec": a_spec(spill=None)}, 1),
    ],
)
def test_a_floor_wakes_a_fleet_without_any_traffic(bounds: dict[str, Any], wanted: int | None) -> None:
    decision = decide(a_snapshot(**asleep(updated_at=LONG_AGO, **bounds)), NOW)
    if wanted is None:
        assert decision.action is Action.HOLD
    else:
        assert (decision.action, decision.desired, decision.reason.code) == (Action.WAKE, wanted, Code.WARM_WINDOW)


def test_a_fleet_without_an_instance_that_answers_is_lost_and_left_to_its_replacements() -> None:
    decision = decide(a_snapshot(capacity=a_capacity(0, starting=1), load=Load(waiting=99.0)), NOW)
    assert (decision.action, decision.reason.code) == (Action.HOLD, Code.CAPACITY_LOST)


def test_a_lost_fleet_that_nobody_asks_for_sleeps_instead_of_starting_for_ever() -> None:
    snapshot = a_snapshot(capacity=a_capacity(0, starting=1), memory=Memory(last_request_at=ago(hours=1)))
    assert decide(snapshot, NOW).action is Action.SLEEP


@pytest.mark.parametrize(
    ("held", "acts"), [(timedelta(seconds=1), False), (timedelta(0), True), (timedelta(seconds=-1), True)]
)
def test_nothing_is_tried_again_before_a_failures_hold_has_run_out(held: timedelta, acts: bool) -> None:
    load = Load(minutes_of(3, ago(minutes=1)))
    decision = decide(a_snapshot(load=load, **asleep(updated_at=LONG_AGO, hold_until=NOW + held)), NOW)
    assert decision.action is (Action.WAKE if acts else Action.HOLD)
    assert (decision.reason.code is Code.NO_CAPACITY) is not acts


@pytest.mark.parametrize(
    ("since", "acts"),
    [(timedelta(0), False), (CLAIM_LIMIT - timedelta(seconds=1), False), (CLAIM_LIMIT, True)],
)
def test_a_deployment_that_a_workflow_works_on_is_left_alone(since: timedelta, acts: bool) -> None:
    changes: dict[str, Any] = {"workflow": "an execution", "updated_at": NOW - since, "memory": Memory(), "desired": 5}
    assert decide(a_snapshot(**changes), NOW).action is (Action.SCALE if acts else Action.HOLD)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.SERVING, Status.ASLEEP}))
def test_nothing_is_decided_in_the_states_that_workflows_own(status: Status) -> None:
    assert decide(a_snapshot(status=status, memory=Memory()), NOW).action is Action.HOLD


def test_nothing_is_decided_for_bedrock() -> None:
    spec = a_spec(path="bedrock", spill=None)
    assert decide(a_snapshot(spec=spec, capacity=Capacity(), memory=Memory()), NOW).action is Action.HOLD


def test_an_unknown_price_stays_unknown_in_the_decision() -> None:
    decision = decide(a_snapshot(memory=Memory(), usd_per_hour=None), NOW)
    assert (decision.action, decision.usd_per_hour) == (Action.SLEEP, None)


@pytest.mark.parametrize(
    ("load", "before", "last"),
    [
        (Load(), None, None),
        (Load(), ago(hours=1), ago(hours=1)),
        # A minute's requests came until its end at the latest.
        (Load(minutes_of(1, ago(minutes=10))), None, ago(minutes=9)),
        (Load(minutes_of(1, ago(minutes=10))), ago(minutes=5), ago(minutes=5)),
        (Load(minutes_of(1, ago(seconds=30))), None, NOW),
        (Load(minutes_of(0, ago(minutes=10))), None, None),
        (Load(running=1.0), ago(hours=1), NOW),
        (Load(waiting=1.0), ago(hours=1), NOW),
        (Load(running=0.0, waiting=0.0), ago(hours=1), ago(hours=1)),
    ],
)
def test_the_last_request_is_remembered(load: Load, before: datetime | None, last: datetime | None) -> None:
    earlier = Memory(last_request_at=before, checked_at=ago(minutes=1))
    memory = remember(a_snapshot(load=load, memory=earlier), NOW)
    assert memory.last_request_at == last
    assert memory.checked_at == NOW


@pytest.mark.parametrize(
    ("checked", "last"),
    [(ago(minutes=15), ago(hours=2)), (ago(minutes=15, seconds=1), NOW), (None, NOW)],
)
def test_what_nobody_looked_at_does_not_count_as_idle(checked: datetime | None, last: datetime) -> None:
    earlier = Memory(last_request_at=ago(hours=2), checked_at=checked)
    assert remember(a_snapshot(memory=earlier), NOW).last_request_at == last


@pytest.mark.parametrize(
    ("desired", "running", "waiting", "starting", "is_roomy"),
    [
        # One of two instances carries half of the queue threshold of 8.
        (2, 4.0, 0.0, 0, True),
        (2, 4.0, 0.1, 0, False),
        (3, 8.0, None, 0, True),
        (3, 8.1, None, 0, False),
        (2, 0.0, 0.0, 1, False),
        (1, 0.0, 0.0, 0, False),
        # Unknown is not zero.
        (2, None, 0.0, 0, False),
    ],
)
def test_room_is_what_one_instance_fewer_would_carry_with_ease(
    desired: int, running: float | None, waiting: float | None, starting: int, is_roomy: bool
) -> None:
    since = ago(minutes=5)
    snapshot = a_snapshot(
        desired=desired, capacity=a_capacity(desired, starting), load=Load(running=running, waiting=waiting)
    )
    assert remember(snapshot, NOW).roomy_since == (NOW if is_roomy else None)
    earlier = replace(snapshot, memory=Memory(roomy_since=since))
    assert remember(earlier, NOW).roomy_since == (since if is_roomy else None)


@pytest.mark.parametrize(("use", "is_roomy"), [(None, True), (0.47, True), (0.48, False)])
def test_a_few_long_requests_that_fill_their_instances_leave_no_room(use: float | None, is_roomy: bool) -> None:
    snapshot = a_snapshot(load=Load(running=2.0, waiting=0.0, kv_cache_use=use), capacity=a_capacity(2), desired=2)
    assert (remember(snapshot, NOW).roomy_since is not None) is is_roomy
