"""What is done about an execution that ended without telling, and that nothing is done about any other."""

import json
from typing import Any

import pytest

from spillway.domain.decision import Code
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.services.events.notices import ExecutionEnded, read_notice
from spillway.services.recover import Recover
from tests.builders import NOW, a_deployment
from tests.fakes import FakeAlerts, FakeDeployments, FakeWorkflows

NAME = "support-llama"
STATES = "arn:aws:states:us-east-1:123456789012"


class World:
    def __init__(self, *deployments: Deployment) -> None:
        self.deployments = FakeDeployments(*deployments)
        self.workflows, self.alerts = FakeWorkflows(), FakeAlerts()

    def ends(self, execution: str, workflow: str = "deploy", given: Any = None, **changes: Any) -> None:
        """Step Functions tells that an execution was aborted, unless changed."""
        detail = {
            "executionArn": arn_of(execution, workflow),
            "stateMachineArn": f"{STATES}:stateMachine:spillway-{workflow}",
            "name": execution,
            "status": "ABORTED",
            "input": json.dumps({"deployment": NAME, "path": "fleet"} if given is None else given),
            "error": None,
            "cause": None,
            **changes,
        }
        ended = read_notice({"detail-type": "Step Functions Execution Status Change", "detail": detail})
        assert isinstance(ended, ExecutionEnded)
        Recover(self.deployments, self.workflows, self.alerts, lambda: NOW).run(ended)

    def works_on(self, execution: str, workflow: str = "deploy", **changes: Any) -> None:
        values = {"status": Status.WARMING, "version": 3, "workflow": arn_of(execution, workflow), **changes}
        self.deployments.items[NAME] = a_deployment(**values)


def arn_of(execution: str, workflow: str = "deploy") -> str:
    return f"{STATES}:execution:spillway-{workflow}:{execution}"


@pytest.mark.parametrize("workflow", ["deploy", "scale", "retire"])
def test_what_an_aborted_execution_worked_on_is_cleaned_up_by_the_same_workflow(workflow: str) -> None:
    world = World()
    world.works_on("the-lost-one", workflow)
    world.ends("the-lost-one", workflow)
    world.ends("the-lost-one", workflow)
    assert world.workflows.executions == {
        (workflow, f"{NAME}-recover-1-3"): {
            "deployment": NAME,
            "path": "fleet",
            "replaces": arn_of("the-lost-one", workflow),
            "version": 3,
            "clean_ups": 1,
            "failure": {"Error": "ABORTED", "Cause": f"The {workflow} workflow was ended from outside."},
        }
    }


def test_an_execution_that_failed_before_it_could_record_that_says_why() -> None:
    world = World()
    world.works_on("the-lost-one")
    world.ends("the-lost-one", status="FAILED", error="NotReady", cause="0 of 1")
    assert world.workflows.started("deploy")[0]["failure"] == {"Error": "NotReady", "Cause": "0 of 1"}


@pytest.mark.parametrize("workflow", ["deploy", "scale", "retire", "benchmark"])
def test_what_failed_keeps_the_name_that_a_fail_state_may_not_give_on(workflow: str) -> None:
    world = World()
    world.works_on("the-lost-one", workflow)
    cause = 'States.TaskFailed: {"errorMessage": "in two: parts"}'
    world.ends("the-lost-one", workflow, status="FAILED", error=f"{workflow.capitalize()}Failed", cause=cause)
    (payload,) = world.workflows.started(workflow)
    assert payload["failure"] == {"Error": "States.TaskFailed", "Cause": '{"errorMessage": "in two: parts"}'}


def test_an_execution_that_ended_before_its_claim_is_told_by_the_version_in_its_name() -> None:
    world = World(a_deployment(status=Status.ASLEEP, version=7))
    world.ends(f"{NAME}-wake-6", "scale")
    assert world.workflows.executions == {}
    world.ends(f"{NAME}-wake-7", "scale")
    assert len(world.workflows.started("scale")) == 1


@pytest.mark.parametrize(
    "given",
    [{"deployment": "nobody"}, {}],
)
def test_an_execution_for_nobody_is_none_of_ours(given: Any) -> None:
    world = World(a_deployment())
    world.ends("by-hand", given=given)
    assert world.workflows.executions == {}


def test_what_another_execution_works_on_by_now_is_left_to_it() -> None:
    world = World()
    world.works_on("another")
    world.ends("the-lost-one")
    assert world.workflows.executions == {}


def test_a_clean_up_that_is_lost_too_is_begun_again_until_people_have_to_look() -> None:
    world = World()
    world.works_on(f"{NAME}-recover-1-3")
    lost = f"{NAME}-recover-1-3"
    for clean_ups, version in ((1, 4), (2, 5), (3, 6)):
        world.works_on(lost, version=version)
        given = {"deployment": NAME, "path": "fleet", "clean_ups": clean_ups}
        world.ends(lost, given=given)
        lost = f"{NAME}-recover-{clean_ups + 1}-{version}"
    assert [each["clean_ups"] for each in world.workflows.started("deploy")] == [2, 3]
    (alert,) = world.alerts.sent
    assert alert.why.code is Code.INTERRUPTED
    assert "may still cost money" in alert.what


def test_a_benchmark_is_closed_whoever_has_the_deployment_by_now() -> None:
    given = {"deployment": NAME, "path": "fleet", "benchmark": "00000003-01"}
    for owner in ("the-lost-one", "a-retirement"):
        world = World()
        world.works_on(owner, "benchmark", version=4)
        world.ends("the-lost-one", "benchmark", given)
        (payload,) = world.workflows.started("benchmark")
        assert (payload["benchmark"], payload["replaces"]) == ("00000003-01", arn_of("the-lost-one", "benchmark"))
        assert list(world.workflows.executions) == [("benchmark", f"{NAME}-recover-1-00000003-01")]
        world.ends("the-lost-one", "benchmark", {**given, "clean_ups": 3})
        assert (len(world.workflows.executions), world.alerts.sent) == (1, [])


def test_a_clean_up_that_could_not_take_over_is_begun_again() -> None:
    world = World()
    world.works_on("the-lost-one")
    given = {"deployment": NAME, "path": "fleet", "clean_ups": 1, "replaces": arn_of("the-lost-one"), "version": 3}
    world.ends(f"{NAME}-recover-1-3", given=given, status="FAILED")
    assert list(world.workflows.executions) == [("deploy", f"{NAME}-recover-2-3")]
