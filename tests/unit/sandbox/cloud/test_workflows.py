"""State machines run with real functions, by AWS's rules for errors, names and time."""

import json
import threading

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.ports import FunctionError
from tests.unit.sandbox.cloud.conftest import Clients
from tests.unit.sandbox.cloud.state_machines import GIVEN, StateMachines, distributed, task
from tests.waiting import eventually


@pytest.fixture
def cloud(moto: MotoCloud, clients: Clients, fast_clock: SandboxClock) -> StateMachines:
    return StateMachines(moto, clients, fast_clock)


def test_a_task_calls_the_function_that_the_state_names(cloud: StateMachines) -> None:
    cloud.answers = [{"ready": 1}]
    machine = cloud.make(("Probe", task(ResultSelector={"ready.$": "$.Payload.ready"}, ResultPath="$.capacity")))

    ended = cloud.run(machine, GIVEN)

    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["capacity"] == {"ready": 1}
    assert cloud.calls == [(GIVEN["driver"], {"verb": "probe", "deployment": "chat"})]


def test_errors_are_retried_and_caught_by_their_class_names(cloud: StateMachines) -> None:
    cloud.answers = [FunctionError("Retryable", "slow down"), FunctionError("CapacityUnavailable", "none left")]
    machine = cloud.make(
        (
            "Provision",
            task(
                Retry=[{"ErrorEquals": ["Retryable"], "IntervalSeconds": 60, "MaxAttempts": 3, "BackoffRate": 2}],
                Catch=[{"ErrorEquals": ["CapacityUnavailable"], "Next": "Release", "ResultPath": "$.error"}],
            ),
        ),
        ("Release", {"Type": "Pass", "End": True}),
    )

    ended = cloud.run(machine, GIVEN)

    error = json.loads(ended["output"])["error"]
    assert error["Error"] == "CapacityUnavailable"
    assert json.loads(error["Cause"])["errorMessage"] == "none left"
    assert len(cloud.calls) == 2


def test_an_uncaught_error_fails_the_execution_with_its_name(cloud: StateMachines) -> None:
    cloud.answers = [FunctionError("Superseded", "another workflow")]
    ended = cloud.run(cloud.make(("Probe", task())), GIVEN)
    assert (ended["status"], ended["error"]) == ("FAILED", "Superseded")


def test_states_task_failed_catches_every_function_error(cloud: StateMachines) -> None:
    cloud.answers = [FunctionError("KeyError", "'x'")]
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]
    machine = cloud.make(("Probe", task(Catch=catch)), ("Caught", {"Type": "Pass", "End": True}))
    assert cloud.run(machine, GIVEN)["status"] == "SUCCEEDED"


def test_a_function_that_is_none_is_lambdas_own_error(cloud: StateMachines) -> None:
    cloud.answers = [AwsError("ResourceNotFoundException", "Function not found: drive", 404)]
    assert cloud.run(cloud.make(("Probe", task())), GIVEN)["error"] == "Lambda.ResourceNotFoundException"


def test_a_role_that_may_not_call_the_function_fails_the_task(cloud: StateMachines) -> None:
    cloud.refusal = AwsError(
        "AccessDeniedException", "User: x is not authorized to perform: lambda:InvokeFunction", 403
    )
    machine = cloud.make(("Probe", task()))

    ended = cloud.run(machine, GIVEN)

    assert ended["error"] == "Lambda.AWSLambdaException"
    assert "not authorized" in ended["cause"]
    assert cloud.calls == []
    assert cloud.tasks[0][:2] == (machine, "arn:aws:states:::lambda:invoke")
    assert cloud.tasks[0][2]["FunctionName"] == GIVEN["driver"]


def test_a_distributed_map_starts_executions_of_its_own_machine(cloud: StateMachines) -> None:
    cloud.answers = [{"done": 1}, {"done": 1}]
    machine = cloud.make(distributed())
    ended = cloud.run(machine, {"items": [{"n": 1}, {"n": 2}]})
    assert json.loads(ended["output"])["found"] == [{"done": 1}, {"done": 1}]
    assert sorted(given["n"] for _, given in cloud.calls) == [1, 2]
    assert cloud.tasks[0] == (machine, "arn:aws:states:::states:startExecution", {"stateMachineArn": machine})


def test_a_role_that_may_not_start_them_fails_the_map(cloud: StateMachines) -> None:
    cloud.refusal = AwsError("AccessDeniedException", "not authorized to perform: states:StartExecution", 403)
    ended = cloud.run(cloud.make(distributed()), {"items": [{}]})
    assert (ended["status"], cloud.calls) == ("FAILED", [])


def test_a_task_that_takes_too_long_times_out(cloud: StateMachines) -> None:
    cloud.answers = [release := threading.Event()]
    ended = cloud.run(cloud.make(("Probe", task(TimeoutSeconds=5))), GIVEN)
    release.set()
    assert ended["error"] == "States.Timeout"


def test_waits_run_on_sandbox_time(cloud: StateMachines, fast_clock: SandboxClock) -> None:
    began = fast_clock.time()
    machine = cloud.make(("Wait", {"Type": "Wait", "Seconds": 600, "End": True}))

    cloud.run(machine)

    assert 600 <= fast_clock.time() - began < 600 + 3600 * 5


def test_an_elapsed_time_budget_compares_the_contexts_times(cloud: StateMachines) -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$$.State.EnteredTime", "TimestampGreaterThanPath": "$.deadline", "Next": "Late"}],
        "Default": "Wait",
    }
    machine = cloud.make(
        ("Poll", choice),
        ("Wait", {"Type": "Wait", "Seconds": 300, "Next": "Poll"}),
        ("Late", {"Type": "Fail", "Error": "NotReady", "Cause": "too late"}),
    )
    deadline = eventually(lambda: True) and "2026-01-01T00:00:00.500+00:00"
    assert cloud.run(machine, {"deadline": deadline})["error"] == "NotReady"


def test_the_start_time_in_the_context_has_awss_form(cloud: StateMachines) -> None:
    parameters = {"at.$": "$$.Execution.StartTime", "entered.$": "$$.State.EnteredTime"}
    output = cloud.run(cloud.make(("Say", {"Type": "Pass", "Parameters": parameters, "End": True})))["output"]
    for text in json.loads(output).values():
        assert len(text) == len("2026-11-24T09:00:00.000Z")
        assert text.endswith("Z")


def test_the_same_name_and_input_is_the_same_execution_while_it_runs(cloud: StateMachines) -> None:
    cloud.answers = [release := threading.Event()]
    machine = cloud.make(("Probe", task(TimeoutSeconds=90000)))
    given = json.dumps(GIVEN)
    first = cloud.states.start_execution(stateMachineArn=machine, name="once", input=given)

    again = cloud.states.start_execution(stateMachineArn=machine, name="once", input=given)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        cloud.states.start_execution(stateMachineArn=machine, name="once", input="{}")
    release.set()
    cloud.ended(first["executionArn"])

    assert again["executionArn"] == first["executionArn"]
    assert len(cloud.calls) == 1
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        cloud.states.start_execution(stateMachineArn=machine, name="once", input=given)


def test_executions_without_a_name_each_get_their_own(cloud: StateMachines) -> None:
    machine = cloud.make(("Done", {"Type": "Succeed"}))
    names = {cloud.run(machine)["name"] for _ in range(2)}
    assert len(names) == 2


def test_each_change_of_status_is_an_event(cloud: StateMachines) -> None:
    cloud.answers = [FunctionError("NotReady", "no")]
    machine = cloud.make(("Probe", task()))
    cloud.run(machine, GIVEN, name="told")
    eventually(lambda: len(cloud.events) == 2)
    assert {event["source"] for event in cloud.events} == {"aws.states"}
    details = [event["detail"] for event in cloud.events]
    assert [(detail["name"], detail["status"]) for detail in details] == [("told", "RUNNING"), ("told", "FAILED")]
    assert (details[1]["stateMachineArn"], details[1]["error"]) == (machine, "NotReady")
    assert json.loads(details[1]["input"]) == GIVEN


def test_an_execution_that_is_stopped_tells_that_it_was_aborted(cloud: StateMachines) -> None:
    machine = cloud.make(("Wait", {"Type": "Wait", "Seconds": 86400}), ("Done", {"Type": "Succeed"}))
    arn = cloud.states.start_execution(stateMachineArn=machine, name="stopped", input="{}")["executionArn"]
    cloud.states.stop_execution(executionArn=arn, cause="somebody pressed the button")
    eventually(lambda: len(cloud.events) == 2)
    assert (cloud.events[1]["detail"]["status"], cloud.events[1]["detail"]["executionArn"]) == ("ABORTED", arn)


def test_a_task_that_fails_after_its_execution_was_stopped_does_not_fail_it(cloud: StateMachines) -> None:
    stopped = threading.Event()
    cloud.answers = [(stopped, FunctionError("Superseded", "another workflow"))]
    machine = cloud.make(("Probe", task()))
    arn = cloud.states.start_execution(stateMachineArn=machine, name="stopped", input=json.dumps(GIVEN))["executionArn"]
    eventually(lambda: cloud.calls)
    cloud.states.stop_execution(executionArn=arn, cause="somebody pressed the button")
    stopped.set()
    ended = eventually(lambda: [each for each in cloud.events if each["detail"]["status"] != "RUNNING"])
    assert [each["detail"]["status"] for each in ended] == ["ABORTED"]
    assert cloud.ended(arn)["status"] == "ABORTED"
