"""A state machine service whose functions a test scripts, and the Task that its machines are made of."""

import json
import threading
from typing import Any

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.workflows import Workflows
from tests.unit.sandbox.cloud.conftest import Clients
from tests.waiting import eventually

ROLE = "arn:aws:iam::123456789012:role/workflow"


class StateMachines:
    """A state machine service whose functions and hooks a test scripts."""

    def __init__(self, moto: MotoCloud, clients: Clients, clock: SandboxClock) -> None:
        self.events: list[dict[str, Any]] = []
        self.calls: list[tuple[str, Any]] = []
        self.tasks: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[Any] = []
        self.refusal: AwsError | None = None
        workflows = Workflows(
            clock,
            self._invoke,
            lambda source, kind, detail: self.events.append({"source": source, "type": kind, "detail": detail}),
            self._on_task,
            task_floor_seconds=0.05,
        )
        workflows.install(moto.patches)
        self.states = clients("stepfunctions")

    def _invoke(self, function: str, payload: bytes) -> bytes:
        self.calls.append((function, json.loads(payload)))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, threading.Event):
            answer.wait(5)
            return b"{}"
        if isinstance(answer, tuple):
            event, answer = answer
            event.wait(5)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode()

    def _on_task(self, machine: str, resource: str, parameters: dict[str, Any]) -> None:
        self.tasks.append((machine, resource, parameters))
        if self.refusal:
            raise self.refusal

    def make(self, *states: tuple[str, dict[str, Any]], name: str = "machine") -> str:
        definition = {"StartAt": states[0][0], "States": dict(states)}
        answer = self.states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        return str(answer["stateMachineArn"])

    def run(self, machine: str, given: dict[str, Any] | None = None, name: str | None = None) -> dict[str, Any]:
        names = {"name": name} if name else {}
        arn = self.states.start_execution(stateMachineArn=machine, input=json.dumps(given or {}), **names)
        return self.ended(arn["executionArn"])

    def ended(self, arn: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            answer: dict[str, Any] = self.states.describe_execution(executionArn=arn)
            return answer if answer["status"] != "RUNNING" else None

        return dict(eventually(found))


def task(**fields: Any) -> dict[str, Any]:
    """A Lambda Task that ends the machine unless told otherwise."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName.$": "$.driver", "Payload": {"verb": "probe", "deployment.$": "$.deployment"}},
        "TimeoutSeconds": 60,
        "End": True,
        **fields,
    }


GIVEN = {"driver": "arn:aws:lambda:us-east-1:123456789012:function:drive", "deployment": "chat"}


def distributed() -> tuple[str, dict[str, Any]]:
    """A map over ``$.items`` whose children each call the function with their item."""
    worker = task(Parameters={"FunctionName": GIVEN["driver"], "Payload.$": "$"}, OutputPath="$.Payload")
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Work"}
    items = {"ItemsPath": "$.items", "ItemProcessor": {**processor, "States": {"Work": worker}}}
    return "Map", {"Type": "Map", "MaxConcurrency": 3, "Label": "Work", **items, "ResultPath": "$.found", "End": True}
