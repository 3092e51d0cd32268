"""The real state machines with the real handlers: how deployments come up, fail, and go."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import SPILL_MODEL
from tests.e2e.doomed import DOOMED, Doomed, asked_for
from tests.e2e.operator import Operator
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 120
SCHEDULES = ()
WANTED, SECOND = "g6e.xlarge", "g5.2xlarge"
PATHS: dict[str, dict[str, Any]] = {
    "fleet": {},
    "jumpstart": {"path": "jumpstart", "capacity": {"max": 2, "instance_types": ["ml.g5.2xlarge"]}},
    "bedrock": {"path": "bedrock", "capacity": None, "spill": None},
}


@pytest.fixture(scope="module", autouse=True)
def doomed_ones(sandbox: Sandbox) -> Iterator[None]:
    """They fail in their own time, while other tests run."""
    with asked_for(sandbox):
        yield


async def test_a_fleet_falls_over_to_the_second_type_when_the_first_has_no_capacity(
    sandbox: Sandbox, faults: Faults, operator: Operator
) -> None:
    faults.insufficient_capacity.add(WANTED)
    await operator.serving("second-choice")
    machines = [each for each in sandbox.emulation.fleet.machines.values() if each.deployment == "second-choice"]
    assert [each.type for each in machines] == [SECOND]


THROTTLED = {
    "fleet": [
        ("service-quotas", "GetServiceQuota"),
        ("ec2", "DescribeInstanceTypes"),
        ("elbv2", "CreateTargetGroup"),
        ("elbv2", "CreateRule"),
        ("ec2", "CreateLaunchTemplate"),
        ("autoscaling", "CreateAutoScalingGroup"),
        ("autoscaling", "DescribeAutoScalingGroups"),
        ("elbv2", "DescribeTargetHealth"),
    ],
    "jumpstart": [
        ("sagemaker", "DescribeHubContent"),
        ("sagemaker", "CreateModel"),
        ("sagemaker", "CreateEndpointConfig"),
        ("sagemaker", "CreateEndpoint"),
        ("sagemaker", "CreateInferenceComponent"),
        ("sagemaker", "DescribeInferenceComponent"),
    ],
    "bedrock": [("bedrock", "GetFoundationModel"), ("bedrock", "GetFoundationModelAvailability")],
}


@pytest.mark.parametrize("path", ["fleet", "jumpstart", "bedrock"])
async def test_throttled_calls_are_retried_and_the_deployment_comes_up(
    sandbox: Sandbox, faults: Faults, operator: Operator, path: str
) -> None:
    for service, operation in THROTTLED[path]:
        # As often as the SDK tries by itself: the last refusal reaches the workflow.
        faults.throttle(service, operation, 3)
    await operator.serving(f"throttled-{path}", **PATHS[path])
    retried = {name for name, each in sandbox.functions.failures if each.error_type == "Retryable"}
    assert any(path in name.lower() for name in retried)
    assert (await operator.chat(f"throttled-{path}")).status == 200


async def test_a_second_delete_does_no_harm_and_a_late_one_finds_nothing(operator: Operator) -> None:
    await operator.serving("twice-deleted", **PATHS["bedrock"])
    first = await operator.call("DELETE", "/deployments/twice-deleted")
    second = await operator.call("DELETE", "/deployments/twice-deleted")
    assert (first.status, second.status in (202, 409)) == (202, True)
    await operator.when("twice-deleted", lambda found: found["status"] == "retired")
    await operator.eventually(lambda: "retired" in operator.statuses("twice-deleted"))
    assert operator.statuses("twice-deleted").count("retired") == 1
    late = await operator.call("DELETE", "/deployments/twice-deleted")
    assert (late.status, late.error["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("doomed", DOOMED, ids=lambda doomed: doomed.name)
async def test_what_cannot_come_up_says_why_leaves_nothing_and_alerts_once(operator: Operator, doomed: Doomed) -> None:
    operator.adopt(doomed.name)
    failed = await operator.until(doomed.name, "failed")
    assert failed["status_reason"].startswith(f"{doomed.error}: ")
    assert doomed.says in failed["status_reason"]
    assert (failed["desired"], failed["route"]["state"]) == (0, "failed")
    assert "serving" not in operator.statuses(doomed.name)
    assert operator.leftovers(doomed.name) == []
    alert = await operator.alerted(doomed.name, "deploy_failed")
    assert (alert["severity"], alert["why"]["sentence"]) == ("critical", failed["status_reason"])
    answer = await operator.chat(doomed.name)
    if failed["spec"]["spill"] and doomed.spill_answers:
        assert (answer.status, answer.headers["x-spillway-target"]) == (200, "bedrock")
    else:
        code = "spill_failed" if failed["spec"]["spill"] else "deploy_failed"
        assert (answer.status, answer.error["code"]) == (503, code)
        assert int(answer.headers["Retry-After"]) > 0
    await operator.retired(doomed.name)
    assert len(await operator.alerts(doomed.name, "deploy_failed/")) == 1
    (told,) = await operator.failed_executions(doomed.name)
    assert told["workflow"].endswith("-deploy")
    assert told["what"].endswith("ended as FAILED.")


async def test_a_model_behind_a_cross_region_profile_answers_under_the_profiles_id(operator: Operator) -> None:
    bedrock = {"path": "bedrock", "model": {"id": f"us.{SPILL_MODEL}"}, "capacity": None, "spill": None}
    found = await operator.serving("profiled", **bedrock)
    assert found["route"]["primary"]["model_id"] == f"us.{SPILL_MODEL}"
    for answer in (await operator.chat("profiled"), await operator.chat("profiled", stream=True)):
        assert (answer.status, answer.headers["x-spillway-target"]) == (200, "bedrock")


async def test_a_name_that_failed_can_be_used_again_once_it_is_retired(operator: Operator) -> None:
    await operator.serving("no-capacity", capacity={"instance_types": ["g6e.xlarge"]})
