"""The local Lambda service answers, fails, times out and retries as the real one does."""

import json
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.ports import FunctionError
from tests.sandbox.runtime.functions import FunctionSpec, Surroundings
from tests.sandbox.runtime.lambda_runtime import ANSWER_BYTES, EVENT_BYTES, LambdaRuntime
from tests.waiting import GIVE_UP_SECONDS, eventually

CODE = """
import os, sys, time

def handler(event, context):
    if event.get("fail"):
        raise LookupError("not there")
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("size"):
        return "x" * event["size"]
    if event.get("exit"):
        os._exit(3)
    from spillway import clock
    print("seen", event)
    return {
        "variables": {name: os.environ.get(name) for name in ("TABLE", "AWS_LAMBDA_FUNCTION_NAME", "HOME")},
        "now": clock.utc_now().isoformat(),
        "left": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "pid": os.getpid(),
    }
"""
ARN = "arn:aws:lambda:us-east-1:123456789012:function:ours"
# An hour of the sandbox a second, from the start of 2030.
CLOCK = f"{time.time()}:1893456000.0:3600"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("functions")
    (made / "ours").mkdir()
    (made / "ours" / "app.py").write_text(textwrap.dedent(CODE))
    return made


@pytest.fixture(scope="module")
def runtime(folder: Path) -> Iterator[LambdaRuntime]:
    made = LambdaRuntime(Surroundings("us-east-1", "http://127.0.0.1:9", CLOCK, "123456789012"), folder / "logs")
    made.real_seconds = lambda seconds: 0.0
    made.register([spec(folder)])
    yield made
    made.close()


def spec(folder: Path, **changes: Any) -> FunctionSpec:
    given: dict[str, Any] = {
        "logical_id": "Ours",
        "name": "ours",
        "arn": ARN,
        "handler": "app.handler",
        "code": folder / "ours",
        "environment": {"TABLE": "things"},
        "timeout_seconds": 2.0,
        "memory_mb": 256,
        "role_arn": "arn:aws:iam::123456789012:role/ours",
    }
    return FunctionSpec(**given | changes)


def test_a_function_has_its_own_environment_and_the_sandboxs_clock(runtime: LambdaRuntime) -> None:
    answer = json.loads(runtime.invoke(ARN, b"{}"))
    assert answer["variables"] == {"TABLE": "things", "AWS_LAMBDA_FUNCTION_NAME": "ours", "HOME": None}
    assert answer["now"].startswith("2030-01-")
    assert answer["arn"] == ARN
    assert 0 < answer["left"] <= 2000


def test_a_worker_stays_warm(runtime: LambdaRuntime) -> None:
    first, second = (json.loads(runtime.invoke("ours", b"{}"))["pid"] for _ in range(2))
    assert first == second


def test_an_exception_is_answered_as_lambda_does(runtime: LambdaRuntime) -> None:
    invocation = runtime.run(f"{ARN}:live", b'{"fail": true}')
    answer = json.loads(invocation.payload)
    assert invocation.function_error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("LookupError", "not there")
    assert answer["stackTrace"]
    with pytest.raises(FunctionError) as raised:
        runtime.invoke("ours", b'{"fail": true}')
    assert raised.value.error_type == "LookupError"


def test_a_hung_worker_is_ended_and_replaced(runtime: LambdaRuntime, folder: Path) -> None:
    runtime.register([spec(folder, name="slow", timeout_seconds=1.0)])
    assert runtime.run("slow", b'{"sleep": 60}').error_type == "Sandbox.Timedout"
    assert runtime.run("slow", b"{}").function_error is None


def test_a_worker_that_exits_is_an_error_of_the_runtime(runtime: LambdaRuntime) -> None:
    assert runtime.run("ours", b'{"exit": true}').error_type == "Runtime.ExitError"


def test_a_handler_that_is_not_there_is_said_so(runtime: LambdaRuntime, folder: Path) -> None:
    runtime.register(
        [spec(folder, name="wrong", handler="app.nobody"), spec(folder, name="gone", handler="none.handler")]
    )
    assert runtime.run("wrong", b"{}").error_type == "Runtime.HandlerNotFound"
    assert runtime.run("gone", b"{}").error_type == "Runtime.ImportModuleError"


def test_an_unknown_function_is_a_refusal_of_lambdas_own(runtime: LambdaRuntime) -> None:
    with pytest.raises(AwsError, match="ResourceNotFoundException"):
        runtime.invoke("nobody", b"{}")


def test_an_event_is_retried_twice_and_then_given_up(runtime: LambdaRuntime, folder: Path) -> None:
    given_up: list[Any] = []
    runtime.register([spec(folder, name="failing")])
    runtime.dead_letter = lambda function, payload, invocation: given_up.append((function.name, payload))
    running = runtime.invoke_event("failing", b'{"fail": true}')
    assert running is not None
    running.result(GIVE_UP_SECONDS)
    assert given_up == [("failing", b'{"fail": true}')]
    assert [name for name, _ in runtime.failures].count("failing") == 3


def test_an_answer_has_a_largest_size(runtime: LambdaRuntime) -> None:
    quotes = 2
    largest = runtime.run("ours", json.dumps({"size": ANSWER_BYTES - quotes}).encode())
    assert (largest.function_error, len(largest.payload)) == (None, ANSWER_BYTES)
    larger = runtime.run("ours", json.dumps({"size": ANSWER_BYTES - quotes + 1}).encode())
    assert (larger.function_error, larger.error_type) == ("Unhandled", "Function.ResponseSizeTooLarge")


def test_an_event_has_a_largest_size(runtime: LambdaRuntime) -> None:
    largest = b'{"text": "%s"}' % (b"x" * (EVENT_BYTES - len(b'{"text": ""}')))
    running = runtime.invoke_event("ours", largest)
    assert running is not None
    running.result(GIVE_UP_SECONDS)
    with pytest.raises(AwsError, match="1048577 byte payload is too large for the Event invocation type"):
        runtime.invoke_event("ours", largest + b" ")


def test_lines_go_to_the_sinks_and_a_file(runtime: LambdaRuntime, folder: Path) -> None:
    arrived = threading.Event()
    runtime.on_line(lambda function, line: arrived.set() if "seen" in line else None)
    runtime.invoke("ours", b"{}")
    assert arrived.wait(GIVE_UP_SECONDS)
    assert eventually(lambda: "seen" in (folder / "logs" / "ours.log").read_text())
