"""What each event from AWS or the gateway leads to, and that foreign ones lead to nothing."""

from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.decision import Action, Code, Decision
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.status import Status
from spillway.domain.errors import InvalidRequest, Superseded
from spillway.domain.routing.route import Route, RouteState
from spillway.services.events.notices import read_notice
from spillway.services.handle_event import HandleEvent
from tests.builders import NOW, a_deployment, a_route, a_spec
from tests.fakes import (
    FakeAlerts,
    FakeDecisions,
    FakeDeployments,
    FakeEvents,
    FakeInstanceGroups,
    FakeRoutes,
    FakeWorkflows,
)

NAME = "support-llama"
GROUP = Names("spillway", NAME).base


class World:
    def __init__(self, *deployments: Deployment) -> None:
        self.deployments = FakeDeployments(*deployments)
        self.routes = FakeRoutes(*(a_route(each.name, version=1, deployment_version=1) for each in deployments))
        self.decisions, self.events, self.alerts = FakeDecisions(), FakeEvents(), FakeAlerts()
        self.groups, self.workflows = FakeInstanceGroups({"i-1": GROUP, "i-2": "somebody-else"}), FakeWorkflows()
        self.service = HandleEvent(
            stack="spillway",
            deployments=self.deployments,
            routes=self.routes,
            decisions=self.decisions,
            groups=self.groups,
            workflows=self.workflows,
            alerts=self.alerts,
            events=self.events,
            now=lambda: NOW,
        )

    def happens(self, kind: str, **detail: Any) -> None:
        self.service.run(read_notice({"detail-type": kind, "detail": detail}))

    def wake(self, name: str = NAME) -> None:
        self.happens("WakeRequested", deployment=name)

    def spot_notice(self, instance: str = "i-1") -> None:
        detail = {"instance-id": instance, "instance-action": "terminate"}
        self.happens("EC2 Spot Instance Interruption Warning", **detail)

    def endpoint(self, status: str, name: str = GROUP) -> None:
        self.happens("SageMaker Endpoint State Change", EndpointName=name, EndpointStatus=status)

    @property
    def route(self) -> Route:
        return self.routes.items[NAME]

    @property
    def noted(self) -> list[Decision]:
        return [decision for _, decision in self.decisions.items.get(NAME, [])]

    @property
    def has_done_nothing(self) -> bool:
        done = (self.noted, self.events.published, self.alerts.sent, self.workflows.executions)
        return not any(done) and all(route.version == 1 for route in self.routes.items.values())


def hosted(**changes: Any) -> Deployment:
    return a_deployment(spec=a_spec(path="jumpstart"), **changes)


def asleep(**changes: Any) -> Deployment:
    return a_deployment(**{"status": Status.ASLEEP, "desired": 0, **changes})


def test_requests_for_a_sleeping_fleet_wake_it_once() -> None:
    world = World(asleep())
    world.wake()
    world.wake()
    (started,) = world.workflows.started("scale")
    assert (started["deployment"], started["path"], started["desired"]) == (NAME, "fleet", 1)
    assert started["reason"]["code"] == Code.TRAFFIC_RETURNED


def test_a_wake_brings_as_many_instances_as_the_floor_asks_for() -> None:
    window = {"days": ["tue"], "from": "09:00", "to": "10:00", "time_zone": "UTC", "min": 2}
    world = World(asleep(spec=a_spec(capacity={"max": 4, "warm_windows": [window]})))
    world.wake()
    assert world.workflows.started("scale")[0]["desired"] == 2


def test_each_sleep_has_its_own_wake() -> None:
    world = World(asleep())
    world.wake()
    world.deployments.items[NAME] = asleep(version=9)
    world.wake()
    assert len(world.workflows.started("scale")) == 2


@pytest.mark.parametrize(
    "deployment",
    [
        *(asleep(status=status) for status in sorted(set(Status) - {Status.ASLEEP})),
        asleep(workflow="an execution"),
        asleep(hold_until=NOW + timedelta(seconds=1)),
        a_deployment("another"),
    ],
)
def test_a_wake_that_is_not_called_for_starts_nothing(deployment: Deployment) -> None:
    world = World(deployment)
    world.wake()
    assert world.has_done_nothing


def test_a_hold_that_has_run_out_is_none() -> None:
    world = World(asleep(hold_until=NOW))
    world.wake()
    assert len(world.workflows.started("scale")) == 1


@pytest.mark.parametrize("status", ["FAILED", "OUT_OF_SERVICE"])
def test_an_endpoint_that_is_gone_moves_the_route_to_the_spill_target(status: str) -> None:
    world = World(hosted())
    world.endpoint(status)
    assert (world.route.state, world.route.code) == (RouteState.WARMING, Code.CAPACITY_LOST)
    (noted,) = world.noted
    assert (noted.action, noted.reason.code) == (Action.HOLD, Code.CAPACITY_LOST)
    assert status in noted.reason.sentence


def test_an_endpoint_that_is_gone_counts_as_lost_until_it_says_that_it_is_back() -> None:
    world = World(hosted())
    world.endpoint("FAILED")
    assert world.route.lost_until == int((NOW + timedelta(minutes=15)).timestamp())
    world.endpoint("IN_SERVICE")
    # What it can do is for the next check to see.
    assert (world.route.state, world.route.lost_until) == (RouteState.WARMING, 0)


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "IN_SERVICE", "DELETING"])
def test_any_other_endpoint_state_changes_nothing(status: str) -> None:
    world = World(hosted())
    world.endpoint(status)
    assert world.has_done_nothing


@pytest.mark.parametrize("status", [Status.WARMING, Status.RETIRING, Status.DRAINING])
def test_a_route_that_a_workflow_owns_is_left_alone(status: Status) -> None:
    world = World(hosted(status=status))
    world.endpoint("FAILED")
    assert world.route == a_route(version=1, deployment_version=1)
    assert len(world.noted) == 1


def test_a_route_that_a_workflow_wrote_meanwhile_stands() -> None:
    world = World(hosted(version=3))
    draining = a_route(version=1, deployment_version=4, state=RouteState.DRAINING)
    world.routes.items[NAME] = draining
    world.endpoint("FAILED")
    assert world.route == draining


def test_losing_the_race_for_the_route_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(hosted())

    def lose(_: Route) -> None:
        raise Superseded("somebody else was faster")

    monkeypatch.setattr(world.routes, "put", lose)
    world.endpoint("FAILED")
    assert len(world.noted) == 1


def test_a_notice_is_not_lost_to_a_check_that_wrote_the_route_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(a_deployment())
    put = world.routes.put

    def lose_once(route: Route) -> None:
        monkeypatch.setattr(world.routes, "put", put)
        put(world.route)
        put(route)

    monkeypatch.setattr(world.routes, "put", lose_once)
    world.spot_notice()
    assert (world.route.state, world.route.version) == (RouteState.WARMING, 3)


def test_the_launch_of_a_replacement_ends_the_loss() -> None:
    world = World(a_deployment())
    world.spot_notice()
    assert world.route.lost_until == int((NOW + timedelta(minutes=4)).timestamp())
    world.happens("EC2 Instance Launch Successful", AutoScalingGroupName=GROUP, EC2InstanceId="i-3")
    assert world.route.lost_until == 0


def test_a_failed_launch_is_noted_with_awss_sentence_and_not_alerted() -> None:
    world = World(a_deployment())
    sentence = "We currently do not have sufficient g6e.xlarge capacity."
    world.happens("EC2 Instance Launch Unsuccessful", AutoScalingGroupName=GROUP, StatusMessage=sentence)
    (noted,) = world.noted
    assert (noted.reason.code, noted.reason.sentence) == (Code.NO_CAPACITY, sentence)
    assert world.events.published == [("InstanceLaunchFailed", NAME, {"reason": sentence})]
    assert world.alerts.sent == []


def test_a_launch_is_passed_on() -> None:
    world = World(a_deployment())
    world.happens("EC2 Instance Launch Successful", AutoScalingGroupName=GROUP, EC2InstanceId="i-1")
    assert world.events.published == [("InstanceLaunched", NAME, {"instance": "i-1"})]


@pytest.mark.parametrize(("desired", "state"), [(1, RouteState.WARMING), (2, RouteState.READY)])
def test_a_spot_notice_is_alerted_and_takes_only_the_last_instance_off_the_route(
    desired: int, state: RouteState
) -> None:
    world = World(a_deployment(desired=desired))
    world.spot_notice()
    (alert,) = world.alerts.sent
    assert (alert.why.code, alert.usd_per_hour) == (Code.SPOT_NOTICE, 0.0)
    assert "i-1" in alert.why.sentence
    assert world.route.state is state
    world.spot_notice()
    assert world.alerts.sent[1].id == alert.id


def test_what_a_lost_workflow_left_is_cleaned_up() -> None:
    world = World(a_deployment(status=Status.WARMING, workflow="arn:lost"))
    world.happens(
        "Step Functions Execution Status Change",
        executionArn="arn:lost",
        stateMachineArn="arn:aws:states:us-east-1:123456789012:stateMachine:spillway-deploy",
        name="support-llama-deploy-1",
        status="TIMED_OUT",
        input='{"deployment": "support-llama", "path": "fleet"}',
    )
    assert world.workflows.started("deploy")[0]["failure"]["Error"] == "TIMED_OUT"


@pytest.mark.parametrize("resource", ["somebody-else", "spillway-another", f"{GROUP}-2", "otherstack-support-llama"])
def test_events_about_what_is_not_ours_are_dropped(resource: str) -> None:
    world = World(a_deployment())
    world.endpoint("FAILED", resource)
    world.happens("EC2 Instance Launch Unsuccessful", AutoScalingGroupName=resource)
    world.happens("EC2 Instance Launch Successful", AutoScalingGroupName=resource)
    assert world.has_done_nothing


def test_a_resource_of_another_stack_that_is_called_as_a_deployment_here_is_not_that_deployments() -> None:
    """Deployment "b-c" of the stack "a" is called as "c" of the stack "a-b" is; both get the events of that name."""
    spec = a_spec(path="bedrock", model={"id": "meta.llama3-1-8b-instruct-v1:0"}, capacity=None, spill=None)
    for deployment in (a_deployment(), a_deployment(spec=spec)):
        world = World(deployment)
        world.endpoint("FAILED")
        assert world.has_done_nothing
    for deployment in (hosted(), a_deployment(spec=spec)):
        world = World(deployment)
        world.spot_notice()
        world.happens("EC2 Instance Launch Unsuccessful", AutoScalingGroupName=GROUP)
        assert world.has_done_nothing


@pytest.mark.parametrize("instance", ["i-2", "i-unknown"])
def test_a_spot_notice_for_a_foreign_instance_is_dropped(instance: str) -> None:
    world = World(a_deployment())
    world.spot_notice(instance)
    assert world.has_done_nothing


def test_a_record_that_cannot_be_read_keeps_nobody_from_being_reacted_to() -> None:
    world = World(a_deployment("broken"), hosted())
    world.deployments.unreadable = {"broken"}
    world.endpoint("FAILED")
    assert world.route.state is RouteState.WARMING


def test_events_about_a_retired_deployment_are_dropped() -> None:
    for deployment in (hosted(status=Status.RETIRED), a_deployment(status=Status.RETIRED)):
        world = World(deployment)
        world.endpoint("FAILED")
        world.spot_notice()
        assert world.has_done_nothing


def test_an_event_that_no_rule_should_have_sent_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match=r"^detail-type is 'Something Else': allowed are 'WakeRequested', 'Sage"):
        World().happens("Something Else")
