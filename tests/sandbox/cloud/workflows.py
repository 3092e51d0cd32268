"""Step Functions on moto's interpreter: real functions behind the Tasks, sandbox time in every wait."""

import json
import threading
import uuid
from datetime import UTC, datetime
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser import models as parser_models
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.program import program
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.choice.comparison.operator.implementations import is_operator
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import distributed_iteration_component
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import timestamp, wait_function
from moto.stepfunctions.parser.asl.eval import environment
from moto.stepfunctions.parser.asl.eval.event import event_manager
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.backend import execution, execution_worker

from tests.sandbox.cloud import workflow_rules
from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.patches import Patches
from tests.sandbox.cloud.ports import Emit, FunctionError, Invoke, OnTask


class Workflows:
    """Puts functions, time, permissions and events into moto's interpreter.

    Work that real code does takes real time, and the clock's factor cannot hurry it: a Task's time-out is never less
    than ``task_floor_seconds`` of the wall clock.
    """

    def __init__(
        self,
        clock: SandboxClock,
        invoke: Invoke,
        emit: Emit,
        on_task: OnTask | None = None,
        task_floor_seconds: float = 20.0,
    ) -> None:
        self._clock = clock
        self._invoke = invoke
        self._emit = emit
        self._on_task = on_task
        self._task_floor_seconds = task_floor_seconds
        self._starting = threading.Lock()

    def install(self, patches: Patches) -> None:
        """Patch the interpreter until ``patches`` are undone."""
        self._patch_time(patches)
        patches.set(lambda_eval_utils, "boto_client_for", lambda **_: _LambdaClient(self._invoke))
        self._patch_tasks(patches)
        self._patch_executions(patches)
        workflow_rules.install(patches)

    def _patch_time(self, patches: Patches) -> None:
        clock = self._clock

        class SandboxDatetime(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                now = clock.now()
                return now if tz else now.replace(tzinfo=None)

        module = SimpleNamespace(datetime=SandboxDatetime, timezone=SimpleNamespace(utc=UTC))
        for owner in (event_manager, execution, parser_models, timestamp):
            patches.set(owner, "datetime", module)
        # Both context times go into the state as text, in AWS's form.
        patches.set(state, "datetime", _datetimes_as_text(clock))
        worker_state = execution_worker.ExecutionData
        patches.set(
            execution_worker,
            "ExecutionData",
            lambda **fields: worker_state(**{**fields, "StartTime": _iso(fields["StartTime"])}),
        )
        patches.set(is_operator.IsTimestamp, "string_to_timestamp", staticmethod(_timestamp))
        patches.set(retrier_decl, "time", SimpleNamespace(sleep=clock.sleep))
        patches.set(
            wait_function.WaitFunction,
            "_wait_interval",
            lambda _, env, wait_seconds: _wait(clock, env, wait_seconds),
        )

    def _patch_tasks(self, patches: Patches) -> None:
        clock, floor = self._clock, self._task_floor_seconds

        class TaskEvent(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                return super().wait(None if timeout is None else _real(clock, timeout, floor))

        class ProgramThread(threading.Thread):
            def join(self, timeout: float | None = None) -> None:
                super().join(None if timeout is None else _real(clock, timeout, floor))

        patches.set(execute_state, "threading", SimpleNamespace(Event=TaskEvent))
        patches.set(program, "threading", SimpleNamespace(Thread=ProgramThread))
        task = state_task_service.StateTaskService
        before = patches.set(task, "_before_eval_execution", None)

        def check(this: Any, env: Any, **kwargs: Any) -> None:
            if not env.is_running():
                # moto evaluates nothing more of an execution that was stopped, and calls all the same.
                raise _refusal(this, env, AwsError("ExecutionStopped", "the execution was stopped", 400))
            workflow_rules.check_parameters(env, kwargs["raw_parameters"])
            before(this, env=env, **kwargs)
            machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
            if self._on_task:
                try:
                    self._on_task(machine, this.resource.resource_arn, kwargs["raw_parameters"])
                except AwsError as err:
                    raise _refusal(this, env, err) from err

        task._before_eval_execution = check
        self._patch_maps(patches)

    def _patch_maps(self, patches: Patches) -> None:
        """A distributed map's role must be allowed to start executions of its own state machine."""
        component = distributed_iteration_component.DistributedIterationComponent
        before = patches.set(component, "_map_run", None)
        start = SimpleNamespace(resource=SimpleNamespace(service_name="states", api_action="startExecution"))

        def run(this: Any, env: Any, eval_input: Any) -> None:
            machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
            if self._on_task:
                try:
                    self._on_task(machine, "arn:aws:states:::states:startExecution", {"stateMachineArn": machine})
                except AwsError as err:
                    raise _refusal(start, env, err) from err
            before(this, env=env, eval_input=eval_input)
            workflow_rules.check_children(env, eval_input.map_run_record)

        component._map_run = run

    def _patch_executions(self, patches: Patches) -> None:
        backend = parser_models.StepFunctionsParserBackend
        start = patches.set(backend, "start_execution", None)

        def start_once(
            this: Any, arn: str, name: str | None = None, given: str | None = None, *args: Any, **kwargs: Any
        ) -> Any:
            this._validate_name(name or "")
            workflow_rules.check_input(given)
            with self._starting:
                return start(this, arn, name or str(uuid.uuid4()), given, *args, **kwargs)

        backend.start_execution = start_once
        run = patches.set(execution.Execution, "start", None)

        def run_and_tell(this: Any) -> None:
            self._tell(this, "RUNNING")
            run(this)

        execution.Execution.start = run_and_tell
        fail = patches.set(environment.Environment, "set_error", None)

        def fail_unless_ended(this: Any, error: Any) -> None:
            if this.is_running():
                fail(this, error)

        environment.Environment.set_error = fail_unless_ended
        communication = execution.BaseExecutionWorkerCommunication
        end = patches.set(communication, "terminated", None)

        def end_and_tell(this: Any) -> None:
            end(this)
            self._tell(this.execution, this.execution.status)

        communication.terminated = end_and_tell

    def _tell(self, run: Any, status: str) -> None:
        output = json.dumps(run.output) if status == "SUCCEEDED" else None
        detail = {
            "executionArn": run.execution_arn,
            "stateMachineArn": run.state_machine_arn,
            "name": run.name,
            "status": status,
            "startDate": int(run.start_date.timestamp() * 1000),
            "stopDate": int(run.stop_date.timestamp() * 1000) if run.stop_date else None,
            "input": run.execution_input,
            "output": output,
            "error": run.error,
            "cause": run.cause,
        }
        self._emit("aws.states", "Step Functions Execution Status Change", detail)


class _LambdaClient:
    """The one method of a Lambda client that the interpreter calls."""

    def __init__(self, invoke: Invoke) -> None:
        self._invoke = invoke

    def invoke(self, **parameters: Any) -> dict[str, Any]:
        try:
            body = self._invoke(parameters["FunctionName"], parameters.get("Payload") or b"{}")
        except FunctionError as err:
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": BytesIO(err.payload())}
        except AwsError as err:
            metadata: Any = {"HTTPStatusCode": err.status, "RequestId": str(uuid.uuid4())}
            answer: Any = {"Error": {"Code": err.code, "Message": err.message}, "ResponseMetadata": metadata}
            raise ClientError(answer, "Invoke") from err
        return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": BytesIO(body or b"null")}


def _refusal(task: Any, env: Any, err: AwsError) -> FailureEventException:
    """Return the failure of a Task whose role may not do it; Lambda's own client names every such error alike."""
    service = task.resource.service_name
    name = "Lambda.AWSLambdaException" if service == "lambda" else f"{service.capitalize()}.{err.code}"
    details = TaskFailedEventDetails(
        error=name, cause=err.message, resource=task.resource.api_action, resourceType=service
    )
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=CustomErrorName(name),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )
    )


def _wait(clock: SandboxClock, env: Any, seconds: float) -> None:
    """Wait out ``seconds`` of the sandbox unless the execution ends first."""
    end = clock.time() + seconds
    while (left := end - clock.time()) > 0 and env.is_running():
        clock.wait(env.program_state_event, left)


def _real(clock: SandboxClock, seconds: float, floor: float) -> float:
    return min(max(clock.real_seconds(seconds), floor), threading.TIMEOUT_MAX)


def _datetimes_as_text(clock: SandboxClock) -> Any:
    moment = SimpleNamespace(isoformat=lambda: _iso(clock.now()))
    return SimpleNamespace(datetime=SimpleNamespace(now=lambda tz: moment), timezone=SimpleNamespace(utc=UTC))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _timestamp(text: str) -> datetime | None:
    """Read a timestamp; moto's own reader takes no fractions of a second, which AWS's context times have."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None
