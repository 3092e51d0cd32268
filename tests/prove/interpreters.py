"""The two interpreters of state machines: the sandbox's, which is moto's, and aws-local-stepfunctions.

Both are given the same answers of functions and make an ``End`` of each scenario.
"""

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import boto3

from tests.prove import tools
from tests.prove.scenarios import ITEMS, Scenario
from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION, MotoCloud
from tests.sandbox.cloud.ports import FunctionError
from tests.sandbox.cloud.workflows import Workflows
from tests.template.asl import Definition

SCRIPT = Path(__file__).parent / "node" / "run_machines.cjs"
LAMBDA = "Lambda."
MESSAGE = "said by the function"
# Eleven days in a second: no wait and no back-off is felt.
_FACTOR = 1e6
_SECONDS = 60
_CAUSE = ", its cause"


@dataclass(frozen=True)
class End:
    """What an execution did: the states entered, the calls of functions (name, payload), and how it ended."""

    visited: list[str]
    calls: list[list[Any]]
    unused: int
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None


def execution_arn(number: int, machine: str) -> str:
    """Return the ARN that a scenario's execution has in both."""
    return f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:scenario-{number}"


def run_theirs(work: Path, definitions: Mapping[str, Definition], scenarios: Sequence[Scenario]) -> list[End]:
    """Run all on aws-local-stepfunctions."""
    given = [
        {
            **asdict(scenario),
            "context": {"Execution": {"Id": execution_arn(number, scenario.machine)}},
            "answers": [_with_cause(answer) for answer in scenario.answers],
            "inner": [_with_cause(answer) for answer in scenario.inner],
        }
        for number, scenario in enumerate(scenarios)
    ]
    command = [str(tools.node(work)), str(SCRIPT), str(tools.node_modules(work))]
    theirs = {name: _with_plain_causes(definition) for name, definition in definitions.items()}
    asked = json.dumps({"definitions": theirs, "scenarios": given})
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise tools.Unavailable(f"aws-local-stepfunctions ended with {done.returncode}: {done.stderr[-2000:]}")
    ends = [End(**end) for end in json.loads(done.stdout)]
    return [replace(end, visited=[name for name in end.visited if not name.endswith(_CAUSE)]) for end in ends]


def run_ours(definitions: Mapping[str, Definition], scenarios: Sequence[Scenario]) -> list[End]:
    """Run all on the sandbox's."""
    ours = _Ours(definitions)
    try:
        return [ours.run(number, scenario) for number, scenario in enumerate(scenarios)]
    finally:
        ours.close()


def _with_plain_causes(definition: Definition) -> Definition:
    """Give a Fail state its cause by a Pass state where a function makes it: they take only a path there.

    The specification allows both; a Pass state's parameters have functions in both.
    """
    states: dict[str, Any] = {}
    for name, state in definition["States"].items():
        if state["Type"] == "Fail" and str(state.get("CausePath")).startswith("States."):
            made = {"Cause.$": state["CausePath"]}
            states[name] = {"Type": "Pass", "Parameters": made, "Next": name + _CAUSE}
            states[name + _CAUSE] = {**state, "CausePath": "$.Cause"}
        else:
            states[name] = state
    return {**definition, "States": states}


def _with_cause(answer: dict[str, Any]) -> dict[str, Any]:
    """Add what the Lambda integration gives as the cause of a failure."""
    match answer:
        case {"error": str(error)} if error.startswith(LAMBDA):
            return {**answer, "cause": MESSAGE}
        case {"error": str(error)}:
            said = json.loads(FunctionError(error, MESSAGE).payload())
            return {**answer, "cause": json.dumps(said, separators=(",", ":"))}
    return answer


class _Ours:
    """moto with the sandbox's patches, and functions that answer from a scenario."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._cloud = MotoCloud()
        self._clock = SandboxClock(_FACTOR)
        self._client = boto3.client(
            "stepfunctions", REGION, endpoint_url=self._cloud.start(), aws_access_key_id="a", aws_secret_access_key="b"
        )
        Workflows(self._clock, self._invoke, self._hear).install(self._cloud.patches)
        role = f"arn:aws:iam::{ACCOUNT}:role/workflow"
        self._machines = {
            name: self._client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
            for name, definition in definitions.items()
        }
        self._answering = threading.Lock()

    def run(self, number: int, scenario: Scenario) -> End:
        self._begin(scenario)
        arn = execution_arn(number, scenario.machine)
        machine = self._machines[scenario.machine]["stateMachineArn"]
        self._client.start_execution(
            stateMachineArn=machine, name=arn.rsplit(":", 1)[1], input=json.dumps(scenario.input)
        )
        assert self._ended.wait(_SECONDS), f"{scenario.proves} does not end"
        found = self._client.describe_execution(executionArn=arn)
        output = json.loads(found["output"]) if "output" in found else None
        unused = len(self._answers)
        return End(
            self._visited(arn), self._calls, unused, found["status"], output, found.get("error"), found.get("cause")
        )

    def close(self) -> None:
        self._client.close()
        self._cloud.stop()
        self._clock.close()

    def _begin(self, scenario: Scenario) -> None:
        self._answers, self._inner = list(scenario.answers), list(scenario.inner)
        self._items: dict[bytes, list[dict[str, Any]]] = {}
        self._calls: list[list[Any]] = []
        self._ended = threading.Event()

    def _hear(self, source: str, kind: str, detail: dict[str, Any]) -> None:
        if detail["status"] != "RUNNING":
            self._ended.set()

    def _invoke(self, function: str, payload: bytes) -> bytes:
        with self._answering:
            self._calls.append([function, json.loads(payload)])
            inner = json.loads(payload) in ITEMS
            answers = self._items.setdefault(payload, list(self._inner)) if inner else self._answers
            answer = answers.pop(0) if answers else {"error": "NotForeseen"}
        match answer:
            case {"error": str(error)} if error.startswith(LAMBDA):
                raise AwsError(error.removeprefix(LAMBDA), MESSAGE, 500)
            case {"error": str(error)}:
                raise FunctionError(error, MESSAGE)
        return json.dumps(answer["body"]).encode()

    def _visited(self, arn: str) -> list[str]:
        events = self._client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
