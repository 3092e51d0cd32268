"""What moto's interpreter would let pass fails an execution as on AWS; what AWS lets nobody catch is not caught."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.ports import FunctionError
from tests.sandbox.cloud.workflow_rules import DATA_BYTES
from tests.template.transform import definition
from tests.unit.sandbox.cloud.conftest import Clients
from tests.unit.sandbox.cloud.state_machines import GIVEN, StateMachines, distributed, task

DONE = ("Done", {"Type": "Succeed"})
CAUGHT = ("Caught", {"Type": "Pass", "Result": {"by": "Catch"}, "End": True})
MISSING = {"Variable": "$.missing", "StringEquals": "a"}
HERE = {"Variable": "$.deployment", "StringEquals": "chat"}
ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]


@pytest.fixture
def cloud(moto: MotoCloud, clients: Clients, fast_clock: SandboxClock) -> StateMachines:
    return StateMachines(moto, clients, fast_clock)


def choose(cloud: StateMachines, rule: dict[str, Any]) -> dict[str, Any]:
    """Return how a Choice by one rule ends; its Default ends the execution well."""
    choice = {"Type": "Choice", "Choices": [{**rule, "Next": "Done"}], "Default": "Done"}
    return cloud.run(cloud.make(("Choose", choice), DONE), GIVEN)


@pytest.mark.parametrize(
    "rule",
    [
        MISSING,
        {"Not": MISSING},
        {"And": [HERE, MISSING]},
        {"Or": [MISSING, HERE]},
        {"Variable": "$.missing", "IsNull": True},
        {"Variable": "$.missing", "IsString": False},
        {"Variable": "$.deployment", "StringEqualsPath": "$.missing"},
    ],
    ids=json.dumps,
)
def test_a_choice_by_what_is_missing_fails(cloud: StateMachines, rule: dict[str, Any]) -> None:
    ended = choose(cloud, rule)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "$.missing" in ended["cause"]


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.missing", "IsPresent": True},
        {"And": [{"Variable": "$.missing", "IsPresent": True}, MISSING]},
        {"Or": [{"Variable": "$.missing", "IsPresent": False}, MISSING]},
        {"Variable": "$.deployment", "NumericEquals": 1},
    ],
    ids=json.dumps,
)
def test_a_choice_may_ask_whether_it_is_there(cloud: StateMachines, rule: dict[str, Any]) -> None:
    assert choose(cloud, rule)["status"] == "SUCCEEDED"


RETRY = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
BROKEN = {
    "Parameters": task(Parameters={"FunctionName.$": "$.nobody", "Payload": {}}),
    "ResultSelector": task(ResultSelector={"found.$": "$.Payload.nothing"}),
    "InputPath": task(InputPath="$.nobody"),
    "OutputPath": task(OutputPath="$.nobody"),
    "context": task(Parameters={"FunctionName.$": "$.driver", "Payload": {"id.$": "$$.Execution.Nothing"}}),
    "intrinsic": task(Parameters={"FunctionName.$": "States.Format('{}', $.nobody)", "Payload": {}}),
    "items": {**distributed()[1], "ItemsPath": "$.nobody"},
    "no list": {**distributed()[1], "ItemsPath": "$.deployment"},
}


@pytest.mark.parametrize("state", BROKEN.values(), ids=BROKEN)
def test_a_path_that_leads_nowhere_is_caught_by_nobody(cloud: StateMachines, state: dict[str, Any]) -> None:
    machine = cloud.make(("Work", {**state, "Retry": RETRY, "Catch": ALL}), CAUGHT)
    ended = cloud.run(machine, GIVEN)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert len(cloud.calls) <= 1


def test_not_even_by_its_name(cloud: StateMachines) -> None:
    catch = [{"ErrorEquals": ["States.Runtime"], "Next": "Caught"}]
    ended = cloud.run(cloud.make(("Work", {**BROKEN["Parameters"], "Catch": catch}), CAUGHT), GIVEN)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")


def catching(error: str, **fields: Any) -> tuple[tuple[str, dict[str, Any]], ...]:
    catch = [{"ErrorEquals": [error], "ResultPath": "$.failure", "Next": "Caught"}]
    return ("Work", task(**fields, Catch=catch)), ("Caught", {"Type": "Pass", "OutputPath": "$.failure", "End": True})


def test_a_function_of_the_language_that_fails_can_be_caught(cloud: StateMachines) -> None:
    broken = {"FunctionName.$": "$.driver", "Payload": {"n.$": "States.StringToJson($.deployment)"}}
    ended = cloud.run(cloud.make(*catching("States.ALL", Parameters=broken)), GIVEN)
    assert json.loads(ended["output"])["Error"] == "States.IntrinsicFailure"


def test_a_result_without_a_place_can_be_caught(cloud: StateMachines) -> None:
    ended = cloud.run(cloud.make(*catching("States.ALL", ResultPath="$.deployment.found")), GIVEN)
    assert json.loads(ended["output"])["Error"] == "States.ResultPathMatchFailure"


def test_a_child_that_fails_fails_its_distributed_map(cloud: StateMachines) -> None:
    name, work = distributed()
    cloud.answers = [FunctionError("NotReady", "no")]
    failed = cloud.run(cloud.make((name, work), name="plain"), {"items": [{}]})
    assert (failed["status"], failed["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    cloud.answers = [FunctionError("NotReady", "no")]
    caught = cloud.run(cloud.make((name, {**work, "Catch": ALL}), CAUGHT, name="caught"), {"items": [{}]})
    assert json.loads(caught["output"]) == {"by": "Catch"}


def test_too_large_a_result_is_caught_by_its_name_alone(cloud: StateMachines) -> None:
    cloud.answers = [{"text": "x" * DATA_BYTES}] * 2
    by_name = cloud.run(cloud.make(*catching("States.DataLimitExceeded"), name="by-name"), GIVEN)
    by_wildcard = cloud.run(cloud.make(*catching("States.ALL"), name="by-wildcard"), GIVEN)
    assert json.loads(by_name["output"])["Error"] == "States.DataLimitExceeded"
    assert (by_wildcard["status"], by_wildcard["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_too_large_parameters_call_nobody(cloud: StateMachines) -> None:
    doubled = {"FunctionName.$": "$.driver", "Payload": {"one.$": "$.half", "two.$": "$.half"}}
    ended = cloud.run(cloud.make(("Work", task(Parameters=doubled))), {**GIVEN, "half": "x" * (DATA_BYTES // 2)})
    assert (ended["error"], cloud.calls) == ("States.DataLimitExceeded", [])


def test_an_inputs_limit_is_in_bytes(cloud: StateMachines) -> None:
    machine = cloud.make(DONE)
    largest = '{"text": "%s"}' % ("x" * (DATA_BYTES - len('{"text": ""}')))
    cloud.states.start_execution(stateMachineArn=machine, input=largest)
    for larger, code in (
        (largest + " ", "ValidationException"),
        (largest.replace("x", "é", 1), "InvalidExecutionInput"),
    ):
        with pytest.raises(ClientError, match=code):
            cloud.states.start_execution(stateMachineArn=machine, input=larger)


@pytest.mark.parametrize("name", ["x" * 81, "a b", "a/b", "a:b", "a,b", "a\x7fb"])
def test_names_of_executions_are_limited(cloud: StateMachines, name: str) -> None:
    machine = cloud.make(DONE)
    with pytest.raises(ClientError):
        cloud.states.start_execution(stateMachineArn=machine, name=name, input="{}")
    cloud.states.start_execution(stateMachineArn=machine, name=f"-{'x' * 78}_", input="{}")


def test_a_failing_state_may_not_take_a_name_of_the_languages_own(cloud: StateMachines) -> None:
    fail = {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"}
    failure = {"Error": "States.Timeout", "Cause": "too late"}
    ended = cloud.run(cloud.make(("Failed", fail)), {"failure": failure})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize("workflow", ["deploy", "scale", "retire", "benchmark"])
def test_a_workflow_of_ours_ends_by_its_own_name_and_keeps_what_failed(cloud: StateMachines, workflow: str) -> None:
    failed = definition(f"statemachines/{workflow}.asl.yaml")["States"]["Failed"]
    failure = {"Error": "States.Timeout", "Cause": "{} of 'it'"}
    ended = cloud.run(cloud.make(("Failed", failed)), {"failure": failure})
    assert (ended["error"], ended["cause"]) == (f"{workflow.capitalize()}Failed", "States.Timeout: {} of 'it'")
