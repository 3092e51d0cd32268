"""Executions that a stack of the previous release began go on with its definitions, and call the new code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.operator import Operator
from tests.sandbox.runtime.template_stack import definition
from tests.sandbox.sandbox import Sandbox
from tests.template.upgrade import RELEASED

TIME_FACTOR = 120
SCHEDULES = ()
MACHINES = {"deploy": "DeployWorkflow", "scale": "ScaleWorkflow", "retire": "RetireWorkflow"}
LAST_RELEASE = max(RELEASED.iterdir(), key=lambda each: [int(part) for part in each.name.split(".")])


@pytest.fixture(scope="module", autouse=True)
def _workflows_of_the_last_release(sandbox: Sandbox) -> Iterator[None]:
    """Every execution from now on is one that an older stack might have begun."""
    stack = sandbox.deployed.stack
    machines = stack.client("stepfunctions")
    now = {}
    for name, resource in MACHINES.items():
        arn = stack.ref(resource)
        now[arn] = machines.describe_state_machine(stateMachineArn=arn)["definition"]
        machines.update_state_machine(
            stateMachineArn=arn,
            definition=definition(
                resource, {**stack.properties(resource), "DefinitionString": _text(LAST_RELEASE, name)}
            ),
        )
    yield
    for arn, text in now.items():
        machines.update_state_machine(stateMachineArn=arn, definition=text)


def _text(release: Path, machine: str) -> str:
    return json.dumps(yaml.safe_load((release / f"{machine}.asl.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("path", "asked"),
    [("fleet", {}), ("jumpstart", {"path": "jumpstart", "capacity": {"instance_types": ["ml.g5.2xlarge"]}})],
)
async def test_a_deployment_comes_up_sleeps_wakes_and_goes_by_them(
    operator: Operator, path: str, asked: dict[str, object]
) -> None:
    name = f"older-{path}"
    await operator.serving(name, **asked)
    for verb, status in (("sleep", "asleep"), ("wake", "serving")):
        answer = await operator.call("POST", f"/deployments/{name}/{verb}")
        assert answer.status == 202, answer.body
        await operator.until(name, status)
    await operator.retired(name)
    seen = operator.statuses(name)
    assert [status for status in seen if status in ("serving", "asleep", "retired")] == [
        "serving",
        "asleep",
        "serving",
        "retired",
    ]


async def test_a_deployment_that_fails_gives_back_what_it_had(operator: Operator) -> None:
    await operator.ask_for("older-unoffered", capacity={"instance_types": ["p5e.48xlarge"]})
    await operator.until("older-unoffered", "failed")
