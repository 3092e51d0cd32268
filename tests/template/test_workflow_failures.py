"""What the operations topic is told of workflows, through the rule and the sandbox's reading of its template."""

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from tests.sandbox.cloud.events import target_input
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import REPOSITORY

RULE = "WorkflowFailedRule"
STATES = "arn:aws:states:us-east-1:123456789012"


def ended(status: str, machine: str = "spillway-retire") -> dict[str, Any]:
    """Return AWS's event of an execution's end."""
    event: dict[str, Any] = json.loads((REPOSITORY / "events/react_to_event/workflow_lost.json").read_text())
    event["detail"] |= {
        "status": status,
        "stateMachineArn": f"{STATES}:stateMachine:{machine}",
        "executionArn": f"{STATES}:execution:{machine}:llama-retire-7",
        "name": "llama-retire-7",
    }
    return event


def is_told(stack: StaticStack, event: dict[str, Any]) -> bool:
    pattern = json.dumps(stack.properties(RULE)["EventPattern"])
    return bool(EventPattern.load(pattern).matches_event(event))


@pytest.mark.parametrize(
    ("status", "told"),
    [("FAILED", True), ("TIMED_OUT", True), ("ABORTED", False), ("SUCCEEDED", False), ("RUNNING", False)],
)
def test_failures_are_told_of_and_what_is_stopped_on_purpose_is_not(
    stack: StaticStack, status: str, told: bool
) -> None:
    assert is_told(stack, ended(status)) is told


def test_every_workflow_of_the_stack_is_looked_at_and_no_other(stack: StaticStack) -> None:
    machines = [stack.resolve({"Ref": name}) for name in stack.of_type("AWS::StepFunctions::StateMachine")]
    assert len(machines) == 4
    assert all(is_told(stack, ended("FAILED", machine.rpartition(":")[2])) for machine in machines)
    assert not is_told(stack, ended("FAILED", "another-retire"))


def test_the_message_says_what_ended_how_when_and_what_to_do(stack: StaticStack) -> None:
    (target,) = stack.properties(RULE)["Targets"]
    message = json.loads(target_input(target, ended("TIMED_OUT")))
    assert message["what"] == "Spillway spillway: the workflow execution llama-retire-7 ended as TIMED_OUT."
    assert message["at"] == "2026-11-24T09:30:00Z"
    assert message["workflow"] == f"{STATES}:stateMachine:spillway-retire"
    assert message["why"].endswith(f"--execution-arn {STATES}:execution:spillway-retire:llama-retire-7")
    assert "retry with DELETE" in message["what_to_do"]
