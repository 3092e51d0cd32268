"""A statement that is missing from a role shows: the call is denied, recorded, and the tests fail for it."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.builders import SPILL_MODEL
from tests.e2e.operator import Operator
from tests.sandbox.runtime.deployed import Deployed
from tests.sandbox.runtime.options import Options
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
# Each is needed by the role it is taken from, and each by a different way of calling AWS: boto3, a signed request,
# a Task of a state machine, and a distributed map.
TAKEN = [
    ("DriveJumpstartFunctionRole", "sagemaker:CreateModel"),
    ("AdvanceDeploymentFunctionRole", "sns:Publish"),
    ("ServeOpenaiFunctionRole", "bedrock:InvokeModel"),
    ("RetireWorkflowRole", "lambda:InvokeFunction"),
    ("BenchmarkWorkflowRole", "states:StartExecution"),
]
BEDROCK: dict[str, Any] = {"path": "bedrock", "model": {"id": SPILL_MODEL}, "spill": None, "capacity": None}


class CarelessSandbox(Sandbox):
    """Stands up a template from which somebody took permissions away."""

    def _deploy(self, template: Mapping[str, Any], moto_url: str) -> Deployed:
        return super()._deploy(without(template, TAKEN), moto_url)


def without(template: Mapping[str, Any], taken: list[tuple[str, str]]) -> dict[str, Any]:
    """Return a transformed template without these actions in these roles; every one of them must be there."""
    changed = deepcopy(dict(template))
    for role, action in taken:
        policies = changed["Resources"][role]["Properties"]["Policies"]
        statements = [each for policy in policies for each in policy.get("PolicyDocument", {}).get("Statement", [])]
        holding = [each for each in statements if action in _actions(each)]
        assert holding, f"{role} has no {action}"
        for statement in holding:
            statement["Action"] = [each for each in _actions(statement) if each != action] or ["sts:GetCallerIdentity"]
    return changed


def _actions(statement: Mapping[str, Any]) -> list[str]:
    found = statement.get("Action", [])
    return [found] if isinstance(found, str) else list(found)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with CarelessSandbox(Options(port=0, folder=folder, time_factor=TIME_FACTOR)) as running:
        yield running


@pytest.fixture
def operator(sandbox: Sandbox, http: aiohttp.ClientSession) -> Operator:
    """Without the look at the end, which is what is tested here."""
    return Operator(sandbox, http)


async def expect_denied(operator: Operator, role: str, service: str, operation: str) -> None:
    arn = operator.sandbox.deployed.stack.attribute(role, "Arn")

    def is_recorded() -> bool:
        return any((call.role, call.service, call.operation) == (arn, service, operation) for call in operator.denied())

    await operator.eventually(is_recorded)
    with pytest.raises(AssertionError):
        operator.expect_no_accident()


async def test_a_driver_that_may_not_make_what_it_needs_fails_the_deployment(operator: Operator) -> None:
    await operator.ask_for("no-model", path="jumpstart", capacity=None)
    failed = await operator.until("no-model", "failed")
    assert "AccessDenied" in failed["status_reason"]
    assert "sagemaker:CreateModel" in failed["status_reason"]
    await expect_denied(operator, "DriveJumpstartFunctionRole", "sagemaker", "CreateModel")


async def test_an_alert_that_may_not_be_sent_fails_no_deployment_but_the_tests(operator: Operator) -> None:
    await operator.serving("no-alert", **BEDROCK)
    await expect_denied(operator, "AdvanceDeploymentFunctionRole", "sns", "Publish")
    assert await operator.alerts("no-alert") == []


async def test_a_gateway_that_may_not_call_bedrock_is_denied_though_it_signs_by_itself(operator: Operator) -> None:
    await operator.serving("no-answer", **BEDROCK)
    answer = await operator.chat("no-answer")
    assert answer.status == 503
    await expect_denied(operator, "ServeOpenaiFunctionRole", "bedrock-runtime", "Converse")


async def test_a_state_machine_that_may_not_call_its_functions_does_not(operator: Operator) -> None:
    await operator.serving("no-end", **BEDROCK)
    answer = await operator.call("DELETE", "/deployments/no-end")
    assert answer.status == 202
    await expect_denied(operator, "RetireWorkflowRole", "lambda", "Invoke")


async def test_a_benchmark_that_may_not_start_its_load_workers_ends_and_gives_the_deployment_back(
    operator: Operator,
) -> None:
    await operator.serving("no-load")
    answer = await operator.call("POST", "/deployments/no-load/benchmarks", {})
    assert answer.status == 202
    path = f"/deployments/no-load/benchmarks/{answer.body['id']}"
    await expect_denied(operator, "BenchmarkWorkflowRole", "stepfunctions", "StartExecution")
    await operator.when("no-load", lambda seen: seen["workflow"] is None)
    found = (await operator.call("GET", path)).body
    assert (found["state"], found["end"], found["best"]) == ("failed", "failed", None)
