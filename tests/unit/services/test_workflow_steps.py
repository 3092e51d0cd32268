"""The workflows' own steps: what each leaves behind, and that a second time changes nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.decision import Code, reason_to_json
from spillway.domain.deployments.deployment import CLAIM_LIMIT, Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Retryable, Superseded
from spillway.domain.paths.targets import FleetTarget, target_to_json
from spillway.domain.routing.route import Route, RouteState
from spillway.domain.routing.route_for_status import route_of
from spillway.services.events.deployment_steps import Announce, read_deployment_step
from spillway.services.workflow_steps import WorkflowSteps
from tests.builders import NOW, SPILL_MODEL, a_deployment, a_reason, a_route, a_spec
from tests.fakes import FakeDeployments, FakeEvents, FakeRoutes, FakeWorkflows

NAME, MINE, OTHER = "support-llama", "execution-mine", "execution-other"
REASON = reason_to_json(a_reason(sentence="It is time."))
ERROR = {"Error": "CapacityUnavailable", "Cause": '{"errorMessage": "No g6e.xlarge is left.", "errorType": "x"}'}


class World:
    """One deployment with its route, and the step service over them."""

    def __init__(self, deployment: Deployment, *, route: Route | None = None) -> None:
        self.now = NOW
        self.deployments = FakeDeployments(deployment)
        self.routes = FakeRoutes(route or a_route(version=1))
        self.events = FakeEvents()
        self.workflows = FakeWorkflows()
        self.service = WorkflowSteps(self.deployments, self.routes, self.events, self.workflows, lambda: self.now)

    def step(self, step: str, execution: str = MINE, **more: Any) -> dict[str, Any]:
        taken = read_deployment_step({"step": step, "deployment": NAME, "execution": execution, **more})
        assert not isinstance(taken, Announce)
        return self.service.run(taken)

    @property
    def record(self) -> Deployment:
        return self.deployments.get(NAME)

    @property
    def route(self) -> Route:
        route = self.routes.get(NAME)
        assert route is not None
        return route

    @property
    def statuses(self) -> list[tuple[object, object]]:
        return [
            (detail["previous"], detail["status"])
            for kind, name, detail in self.events.published
            if (kind, name) == ("DeploymentStatusChanged", NAME)
        ]


def a_world(status: Status = Status.SERVING, **changes: Any) -> World:
    return World(a_deployment(status=status, **changes))


STEPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "begin_deploy": ({"status": Status.REQUESTED, "target": None, "desired": 0}, {}),
    "mark_warming": ({"status": Status.PROVISIONING, "workflow": MINE}, {"resources": {"target_group": "arn"}}),
    "begin_scale": ({"status": Status.ASLEEP, "desired": 0}, {"desired": 2, "reason": REASON}),
    "settle": (
        {"status": Status.WAKING, "workflow": MINE, "restore": 0},
        {"started_at": NOW.isoformat(), "target": None},
    ),
    "fail": ({"status": Status.WAKING, "workflow": MINE, "restore": 0}, {"error": ERROR}),
    "begin_retire": ({"status": Status.SERVING}, {}),
    "finish_retire": ({"status": Status.RETIRING, "workflow": MINE}, {}),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_taken_twice_is_taken_once(step: str) -> None:
    before, event = STEPS[step]
    world = a_world(**before)
    first = world.step(step, **event)
    left = (world.record, dict(world.routes.items), list(world.events.published), list(world.workflows.stopped))
    assert len(world.statuses) == 1
    assert world.step(step, **event) == first
    assert (world.record, world.routes.items, world.events.published, world.workflows.stopped) == left


@pytest.mark.parametrize("step", sorted(STEPS.keys() - {"finish_retire"}))
@pytest.mark.parametrize("broken", ["route", "event"])
def test_what_a_first_try_left_undone_is_done_by_the_second(
    step: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, event = STEPS[step]
    whole = a_world(**before)
    whole.step(step, **event)

    def fail(*_: object) -> None:
        raise Retryable("throttled")

    world = a_world(**before)
    with monkeypatch.context() as patch:
        if broken == "event":
            patch.setattr(world.events, "publish", fail)
        else:
            patch.setattr(world.routes, "put", fail)
            patch.setattr(world.routes, "delete", fail)
        with pytest.raises(Retryable):
            world.step(step, **event)
    world.step(step, **event)
    assert world.record == whole.record
    assert world.routes.items == whole.routes.items


@pytest.mark.parametrize("step", ["mark_warming", "settle", "fail", "finish_retire"])
def test_a_deployment_that_another_execution_owns_is_not_touched(step: str) -> None:
    before, event = STEPS[step]
    world = a_world(**{**before, "workflow": OTHER})
    untouched = world.record
    with pytest.raises(Superseded):
        world.step(step, **event)
    assert (world.record, world.events.published, world.route) == (untouched, [], a_route(version=1))


@pytest.mark.parametrize("step", sorted(STEPS.keys() - {"begin_scale"}))
def test_a_step_goes_on_when_a_user_changes_the_record_in_between(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, event = STEPS[step]
    world = a_world(**before)
    update = world.deployments.update

    def change_first(deployment: Deployment) -> Deployment:
        monkeypatch.setattr(world.deployments, "update", update)
        update(replace(world.record, spec=a_spec(budget={"usd_per_month": 5})))
        return update(deployment)

    monkeypatch.setattr(world.deployments, "update", change_first)
    world.step(step, **event)
    assert world.record.spec.budget is not None
    assert len(world.statuses) == 1


def test_a_step_goes_on_when_the_check_writes_the_route_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(desired=1)
    put = world.routes.put

    def write_first(route: Route) -> None:
        monkeypatch.setattr(world.routes, "put", put)
        put(replace(world.route, state=RouteState.SATURATED))
        put(route)

    monkeypatch.setattr(world.routes, "put", write_first)
    assert world.step("begin_scale", desired=0, reason=REASON)["direction"] == "down"
    assert (world.record.status, world.route.state) == (Status.DRAINING, RouteState.DRAINING)


# ------------------------------------------------------------------------------------------------------------- deploy


def test_a_deploy_without_a_spill_target_has_none_to_check() -> None:
    assert "spill" not in a_world(Status.REQUESTED, spec=a_spec(spill=None), target=None, desired=0).step(
        "begin_deploy"
    )


@pytest.mark.parametrize(("minimum", "desired"), [(0, 1), (3, 3)])
def test_a_deploy_begins_with_at_least_one_instance(minimum: int, desired: int) -> None:
    spec = a_spec(capacity={"min": minimum, "max": 4})
    world = a_world(Status.REQUESTED, spec=spec, target=None, desired=0)
    plan = world.step("begin_deploy")
    assert (plan["desired"], plan["at_least"]) == (desired, 1)
    assert plan["spill"] == {"kind": "bedrock", "model_id": SPILL_MODEL, "api": "converse"}
    assert datetime.fromisoformat(plan["deadline"]) == NOW + timedelta(minutes=60)
    assert datetime.fromisoformat(plan["release_by"]) == NOW + timedelta(minutes=150)
    assert (world.record.status, world.record.workflow) == (Status.PROVISIONING, MINE)
    assert world.record.desired == desired
    assert world.route.state is RouteState.WARMING
    assert world.statuses == [(Status.REQUESTED, Status.PROVISIONING)]


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.REQUESTED, Status.PROVISIONING, Status.RETIRED}))
def test_a_deploy_does_not_begin_in_any_other_state(status: Status) -> None:
    with pytest.raises(Superseded):
        a_world(status).step("begin_deploy")


def test_identifiers_that_only_aws_could_choose_are_kept_as_they_come() -> None:
    world = a_world(Status.PROVISIONING, workflow=MINE, resources={"instance_type": "g6e.xlarge"})
    world.step("mark_warming", resources={"target_group": "arn:1"})
    world.step("mark_warming", resources={"rule": "arn:2"})
    assert world.record.resources == {"instance_type": "g6e.xlarge", "target_group": "arn:1", "rule": "arn:2"}
    assert world.statuses == [(Status.PROVISIONING, Status.WARMING)]


def test_a_deployment_that_is_ready_serves_and_its_start_was_measured() -> None:
    world = a_world(Status.WARMING, workflow=MINE, target=None)
    world.now = NOW + timedelta(seconds=212)
    world.step("settle", started_at=NOW.isoformat(), target=target_to_json(FleetTarget(NAME)))
    assert (world.record.status, world.record.workflow) == (Status.SERVING, None)
    assert (world.record.target, world.record.cold_start_seconds) == (FleetTarget(NAME), 212)
    assert (world.route.state, world.route.primary) == (RouteState.READY, FleetTarget(NAME))
    assert world.route.retry_after_seconds == 212


# -------------------------------------------------------------------------------------------------------------- scale


@pytest.mark.parametrize(
    ("desired", "wanted", "direction", "status", "news", "at_least", "drain"),
    [
        (0, 1, "up", Status.WAKING, AlertKind.AWAKE, 1, 1),
        # A fleet that wakes answers with its first instance.
        (0, 3, "up", Status.WAKING, AlertKind.AWAKE, 1, 1),
        (1, 3, "up", Status.SERVING, AlertKind.GROWN, 3, 1),
        (3, 2, "down", Status.SERVING, AlertKind.SHRUNK, 2, 1),
        # Only a fleet that goes to sleep is drained off the route.
        (3, 0, "down", Status.DRAINING, AlertKind.ASLEEP, 0, 30),
    ],
)
def test_a_scale_begins_by_claiming_the_deployment(
    desired: int, wanted: int, direction: str, status: Status, news: AlertKind, at_least: int, drain: int
) -> None:
    world = a_world(Status.SERVING if desired else Status.ASLEEP, desired=desired, hold_until=NOW)
    world.now = NOW + timedelta(minutes=1)
    plan = world.step("begin_scale", desired=wanted, reason=REASON)
    expected = {
        "direction": direction,
        "desired": wanted,
        "restore": desired,
        "at_least": at_least,
        "drain_seconds": drain,
        "news": news,
        "change": wanted - desired,
    }
    assert {key: plan[key] for key in expected} == expected
    record = world.record
    assert (record.status, record.workflow, record.desired) == (status, MINE, wanted)
    assert (record.restore, record.hold_until, record.updated_at) == (desired, None, world.now)


@pytest.mark.parametrize(
    "changes",
    [
        {"desired": 2},
        {"workflow": OTHER},
        {"status": Status.ASLEEP, "desired": 0, "workflow": OTHER},
        *({"status": status} for status in sorted(set(Status) - {Status.SERVING, Status.ASLEEP})),
    ],
)
def test_a_scale_that_is_not_called_for_does_nothing(changes: dict[str, Any]) -> None:
    world = a_world(**changes)
    untouched = world.record
    assert world.step("begin_scale", desired=2, reason=REASON) == {"direction": "none"}
    assert (world.record, world.events.published) == (untouched, [])


@pytest.mark.parametrize(("status", "desired"), [(Status.ASLEEP, 0), (Status.SERVING, 1)])
def test_what_was_left_behind_is_given_back_without_a_move(status: Status, desired: int) -> None:
    deployment = a_deployment(status=status, desired=desired)
    world = World(deployment, route=route_of(deployment, version=1))
    event: dict[str, Any] = {"desired": desired, "reason": reason_to_json(a_reason(code=Code.LEFT_BEHIND))}
    plan = world.step("begin_scale", **event)
    assert (plan["direction"], plan["desired"], plan["restore"]) == ("down", desired, desired)
    assert world.step("begin_scale", **event) == plan
    assert (world.record.status, world.record.workflow, world.statuses) == (status, MINE, [])
    world.step("settle", started_at=NOW.isoformat(), target=None)
    assert (world.record.status, world.record.desired, world.record.workflow) == (status, desired, None)


def test_a_claim_that_was_never_given_back_runs_out() -> None:
    world = a_world(workflow=OTHER, updated_at=NOW - CLAIM_LIMIT)
    assert world.step("begin_scale", desired=2, reason=REASON)["direction"] == "up"
    assert world.record.workflow == MINE


@pytest.mark.parametrize(
    ("before", "status", "state", "cold_start"),
    [
        ({"status": Status.WAKING, "desired": 2, "restore": 0}, Status.SERVING, RouteState.READY, 60.0),
        ({"status": Status.DRAINING, "desired": 0, "restore": 2}, Status.ASLEEP, RouteState.COLD, 7.0),
        # A fleet that only grows was never cold.
        ({"status": Status.SERVING, "desired": 2, "restore": 1}, Status.SERVING, RouteState.READY, 7.0),
    ],
)
def test_a_scale_settles_where_its_capacity_is(
    before: dict[str, Any], status: Status, state: RouteState, cold_start: float
) -> None:
    world = a_world(**before, workflow=MINE, cold_start_seconds=7.0)
    world.now = NOW + timedelta(minutes=1)
    world.step("settle", started_at=NOW.isoformat(), target=None)
    record = world.record
    assert (record.status, record.workflow, record.restore, record.desired) == (status, None, None, before["desired"])
    assert (record.cold_start_seconds, record.target) == (cold_start, FleetTarget(NAME))
    assert world.route.state is state


# ------------------------------------------------------------------------------------------------------------ failure


@pytest.mark.parametrize(
    ("before", "status", "desired", "state"),
    [
        ({"status": Status.REQUESTED, "desired": 0, "workflow": None}, Status.FAILED, 0, RouteState.FAILED),
        ({"status": Status.PROVISIONING, "desired": 2}, Status.FAILED, 0, RouteState.FAILED),
        ({"status": Status.WARMING, "desired": 2}, Status.FAILED, 0, RouteState.FAILED),
        ({"status": Status.WAKING, "desired": 2, "restore": 0}, Status.ASLEEP, 0, RouteState.COLD),
        ({"status": Status.DRAINING, "desired": 0, "restore": 2}, Status.SERVING, 2, RouteState.READY),
        ({"status": Status.SERVING, "desired": 3, "restore": 1}, Status.SERVING, 1, RouteState.READY),
    ],
)
def test_a_failure_goes_back_to_where_it_was_and_holds(
    before: dict[str, Any], status: Status, desired: int, state: RouteState
) -> None:
    world = a_world(**{"workflow": MINE, **before})
    world.step("fail", error=ERROR)
    record = world.record
    assert (record.status, record.desired, record.workflow, record.restore) == (status, desired, None, None)
    assert record.status_reason == "CapacityUnavailable: No g6e.xlarge is left."
    assert record.hold_until == NOW + timedelta(minutes=10)
    assert world.route.state is state


def test_a_retirement_that_fails_can_be_asked_for_again_and_brings_no_route_back() -> None:
    world = a_world(Status.SERVING, desired=2)
    world.step("begin_retire")
    world.step("fail", error=ERROR)
    assert (world.record.status, world.record.workflow, world.routes.items) == (Status.RETIRING, None, {})
    world.step("begin_retire", OTHER)
    assert (world.record.status, world.record.workflow, world.routes.items) == (Status.RETIRING, OTHER, {})


@pytest.mark.parametrize("status", [Status.SERVING, Status.ASLEEP])
def test_a_workflow_that_failed_before_its_claim_uses_its_version_up(status: Status) -> None:
    # Executions are named after the version: without a new one, the next would be taken for this one.
    world = a_world(status, desired=0 if status is Status.ASLEEP else 1)
    before = world.record
    world.step("fail", error=ERROR)
    assert world.record.version > before.version
    assert (world.record.status, world.record.desired) == (before.status, before.desired)


@pytest.mark.parametrize("status", [Status.FAILED, Status.RETIRED])
def test_nothing_more_can_fail_once_it_is_over(status: Status) -> None:
    world = a_world(status)
    before = world.record
    world.step("fail", error=ERROR)
    assert world.record == before


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ({"Error": "States.Timeout"}, "States.Timeout: "),
        ({"Error": "E", "Cause": "plain words"}, "E: plain words"),
        ({"Error": "E", "Cause": "[1]"}, "E: [1]"),
        ({"Error": "E", "Cause": '{"other": 1}'}, 'E: {"other": 1}'),
        ({}, "Unknown: "),
    ],
)
def test_a_failures_sentence_is_what_the_error_said(error: dict[str, str], sentence: str) -> None:
    world = a_world(Status.WARMING, workflow=MINE)
    world.step("fail", error=error)
    assert world.record.status_reason == sentence


LEFT: dict[str, Any] = {"replaces": OTHER, "version": 1, "error": {"Error": "ABORTED", "Cause": "From outside."}}


@pytest.mark.parametrize(
    ("before", "restore", "status", "desired"),
    [
        ({"status": Status.REQUESTED, "desired": 0, "workflow": None}, 0, Status.FAILED, 0),
        ({"status": Status.WARMING, "desired": 1, "version": 9}, 1, Status.FAILED, 0),
        ({"status": Status.WAKING, "desired": 2, "restore": 0}, 0, Status.ASLEEP, 0),
        ({"status": Status.DRAINING, "desired": 0, "restore": 2}, 2, Status.SERVING, 2),
        ({"status": Status.SERVING, "desired": 3, "restore": 1}, 1, Status.SERVING, 1),
        ({"status": Status.ASLEEP, "desired": 0, "workflow": None}, 0, Status.ASLEEP, 0),
    ],
)
def test_a_clean_up_takes_over_what_was_left_and_ends_where_a_failure_would_have(
    before: dict[str, Any], restore: int, status: Status, desired: int
) -> None:
    world = a_world(**{"workflow": OTHER, **before})
    plan = world.step("take_over", **LEFT)
    assert plan["restore"] == restore
    assert plan["release_by"] == (NOW + timedelta(minutes=150)).isoformat()
    assert (world.record.status, world.record.workflow) == (before["status"], MINE)
    assert world.record.status_reason == "ABORTED: From outside. What it left is being cleaned up."
    taken = world.record
    assert world.step("take_over", **LEFT) == plan
    assert world.record == taken
    world.step("fail", error=LEFT["error"])
    assert (world.record.status, world.record.desired, world.record.workflow) == (status, desired, None)


def test_what_has_moved_on_meanwhile_is_not_taken_over() -> None:
    world = a_world(Status.RETIRING, workflow="a retirement", version=2)
    with pytest.raises(Superseded):
        world.step("take_over", **LEFT)
    assert world.record.workflow == "a retirement"


# ------------------------------------------------------------------------------------------------------------- retire


@pytest.mark.parametrize(
    ("changes", "drain", "change"),
    [
        ({"status": Status.SERVING, "desired": 2}, 30, -2),
        ({"status": Status.ASLEEP, "desired": 0}, 1, 0),
        ({"status": Status.FAILED, "desired": 0}, 1, 0),
        ({"status": Status.DRAINING, "desired": 0, "restore": 2}, 30, -2),
        ({"status": Status.WAKING, "desired": 1, "restore": 0}, 30, -1),
    ],
)
def test_a_retirement_takes_the_route_away_and_waits_for_what_may_be_running(
    changes: dict[str, Any], drain: int, change: int
) -> None:
    world = a_world(**changes)
    plan = world.step("begin_retire")
    assert (plan["drain_seconds"], plan["change"]) == (drain, change)
    assert (world.record.status, world.record.workflow, world.routes.items) == (Status.RETIRING, MINE, {})


@pytest.mark.parametrize(
    "status", [Status.PROVISIONING, Status.WARMING, Status.WAKING, Status.DRAINING, Status.SERVING, Status.RETIRING]
)
def test_a_retirement_stops_the_workflow_that_is_at_work(status: Status) -> None:
    world = a_world(status, workflow=OTHER)
    world.step("begin_retire")
    assert [execution for execution, _ in world.workflows.stopped] == [OTHER]
    assert (world.record.status, world.record.workflow) == (Status.RETIRING, MINE)


def test_a_retirement_ends_with_nothing_left_and_the_name_free() -> None:
    world = a_world(Status.RETIRING, workflow=MINE, resources={"rule": "arn"})
    world.step("finish_retire")
    record = world.record
    assert (record.status, record.desired, record.workflow) == (Status.RETIRED, 0, None)
    assert (record.resources, record.target) == ({}, None)


def test_a_second_retirement_of_what_is_retired_does_no_harm() -> None:
    world = a_world(Status.RETIRED, desired=0, target=None)
    untouched = world.record
    assert world.step("begin_retire")["change"] == 0
    assert world.step("finish_retire") == {}
    assert (world.record, world.events.published) == (untouched, [])
