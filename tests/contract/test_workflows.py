"""What every ``Workflows`` starter does."""

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from spillway.adapters.aws.workflows import StepFunctions
from spillway.ports import Workflows
from tests.fakes import FakeWorkflows

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}


@pytest.fixture
def client(aws: None) -> "SFNClient":
    return boto3.client("stepfunctions", region_name="us-east-1")


@pytest.fixture
def machine(client: "SFNClient") -> str:
    answer = client.create_state_machine(
        name="scale", definition=json.dumps(WAITS), roleArn="arn:aws:iam::123456789012:role/scale"
    )
    return answer["stateMachineArn"]


@pytest.fixture(params=["memory", "stepfunctions"])
def workflows(request: pytest.FixtureRequest) -> Workflows:
    if request.param == "memory":
        return FakeWorkflows()
    return StepFunctions(request.getfixturevalue("client"), {"scale": request.getfixturevalue("machine")})


def test_starting_twice_is_one_execution(workflows: Workflows) -> None:
    first = workflows.start("scale", "support-llama-wake-7", {"deployment": "support-llama"})
    assert first.endswith(":support-llama-wake-7")
    assert workflows.start("scale", "support-llama-wake-7", {"deployment": "support-llama", "desired": 2}) == first


def test_an_execution_may_be_stopped_again_and_again(workflows: Workflows) -> None:
    execution = workflows.start("scale", "support-llama-wake-7", {})
    for _ in range(2):
        workflows.stop(execution, "The deployment is being retired.")


def test_the_execution_gets_the_payload_and_the_arn_is_its_own(client: "SFNClient", machine: str) -> None:
    arn = StepFunctions(client, {"scale": machine}).start("scale", "a-1", {"deployment": "a", "desired": 2})
    assert json.loads(client.describe_execution(executionArn=arn)["input"]) == {"deployment": "a", "desired": 2}


def test_an_execution_nobody_knows_is_stopped_already(client: "SFNClient", machine: str) -> None:
    unknown = machine.replace(":stateMachine:", ":execution:") + ":unknown"
    StepFunctions(client, {"scale": machine}).stop(unknown, "gone")
