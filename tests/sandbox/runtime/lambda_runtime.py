"""A local Lambda service: the template's functions as warm worker processes, called as Lambda calls them."""

import asyncio
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.ports import FunctionError
from tests.sandbox.runtime.functions import REPOSITORY, SOURCES, FunctionSpec, Surroundings, worker_environment
from tests.sandbox.runtime.log_pump import LineSink, LogPump
from tests.sandbox.runtime.worker_pool import Worker, WorkerGoneError, WorkerHungError, WorkerPool, Zygote

WORKERS_PER_FUNCTION = 4
START_SECONDS = 30.0
KEPT_LINES = 2000
KEPT_FAILURES = 500
RETRY_SECONDS = 60.0
# Of a buffered answer, and of what an asynchronous call is given.
ANSWER_BYTES = 6_291_556
EVENT_BYTES = 1_048_576

DeadLetter = Callable[[FunctionSpec, bytes, "Invocation"], None]


class UnknownFunctionError(LookupError):
    """No function of this name or ARN is in the stack (Lambda.ResourceNotFoundException)."""


@dataclass(frozen=True)
class Invocation:
    """What Lambda's Invoke answers: the payload, and ``Unhandled`` when it describes an error."""

    payload: bytes
    function_error: str | None = None
    request_id: str = ""

    @property
    def error_type(self) -> str | None:
        """The error's class name; None when the function succeeded."""
        return json.loads(self.payload).get("errorType") if self.function_error else None


class _UnstartableError(Exception):
    """The function's module cannot be imported, or has no such handler."""

    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["errorMessage"])
        self.described = described


class LambdaRuntime:
    """Invoke functions by name or ARN; thread-safe."""

    def __init__(self, surroundings: Surroundings, logs: Path, sink: LineSink | None = None) -> None:
        self._surroundings = surroundings
        self._sinks: list[LineSink] = [sink] if sink else []
        self._zygote = Zygote()
        self._logs = LogPump(logs, self._line)
        self._specs: dict[str, FunctionSpec] = {}
        self._pools: dict[str, WorkerPool] = {}
        self._servers: list[Worker] = []
        self._executor = ThreadPoolExecutor(64, thread_name_prefix="lambda")
        self._closed = threading.Event()
        self.lines: deque[tuple[str, str]] = deque(maxlen=KEPT_LINES)
        self.failures: deque[tuple[str, Invocation]] = deque(maxlen=KEPT_FAILURES)
        self.dead_letter: DeadLetter | None = None
        # How long sandbox seconds take; asynchronous invocations are retried after one and two minutes of them.
        self.real_seconds: Callable[[float], float] = float

    def register(self, specs: Iterable[FunctionSpec]) -> None:
        """Make functions known; workers start with the first invocation."""
        for spec in specs:
            self._specs[spec.name] = spec
            self._pools[spec.name] = WorkerPool(partial(self._start, spec), WORKERS_PER_FUNCTION)

    def on_line(self, sink: LineSink) -> None:
        """Also hand every log line, with the function's name, to ``sink``."""
        self._sinks.append(sink)

    def spec(self, name_or_arn: str) -> FunctionSpec:
        """Return a function by name, ARN or ARN with a qualifier; raise UnknownFunctionError."""
        name = name_or_arn
        if ":function:" in name_or_arn:
            name = name_or_arn.partition(":function:")[2].partition(":")[0]
        if name not in self._specs:
            raise UnknownFunctionError(f"Function not found: {name_or_arn}")
        return self._specs[name]

    def run(self, name_or_arn: str, payload: bytes) -> Invocation:
        """Invoke and wait, as InvocationType RequestResponse does."""
        spec = self.spec(name_or_arn)
        request_id = str(uuid.uuid4())
        try:
            with self._pools[spec.name].worker() as worker:
                answer = worker.ask(self._message(spec, payload, request_id), spec.timeout_seconds)
                if "exit" in answer:
                    raise WorkerGoneError
        except WorkerHungError:
            answer = _timed_out(spec, request_id)
        except WorkerGoneError:
            answer = _exited(request_id)
        except _UnstartableError as unstartable:
            answer = {"error": True, "payload": json.dumps(unstartable.described)}
        if len(answer["payload"].encode()) > ANSWER_BYTES:
            answer = _too_large()
        invocation = Invocation(answer["payload"].encode(), "Unhandled" if answer.get("error") else None, request_id)
        if invocation.function_error:
            self.failures.append((spec.name, invocation))
        return invocation

    def invoke(self, name_or_arn: str, payload: bytes) -> bytes:
        """Invoke and return the answer's payload; raise FunctionError, or AwsError for a function that is none."""
        try:
            invocation = self.run(name_or_arn, payload)
        except UnknownFunctionError as unknown:
            raise AwsError("ResourceNotFoundException", str(unknown), 404) from unknown
        if invocation.function_error:
            error = json.loads(invocation.payload)
            raise FunctionError(error["errorType"], error["errorMessage"], tuple(error.get("stackTrace", ())))
        return invocation.payload

    async def run_async(self, name_or_arn: str, payload: bytes) -> Invocation:
        """The same as :meth:`run`, without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.run, name_or_arn, payload)

    def invoke_event(self, name_or_arn: str, payload: bytes) -> Future[None] | None:
        """Invoke as InvocationType Event does: at once back, retried twice, then to the dead-letter queue.

        The future is done when the last try is; None once the runtime closes. Raises AwsError for too large a payload.
        """
        spec = self.spec(name_or_arn)
        if len(payload) > EVENT_BYTES:
            size = f"{len(payload)} byte payload is too large"
            message = f"{size} for the Event invocation type (limit {EVENT_BYTES} bytes)"
            raise AwsError("RequestTooLargeException", message, 413)
        return None if self._closed.is_set() else self._executor.submit(self._run_event, spec, payload)

    def serve_web(self, spec: FunctionSpec, arguments: Sequence[str], extra: dict[str, str]) -> int:
        """Start a function that is a web application behind Lambda Web Adapter; return its process id."""
        settings = self._settings(spec, extra) | {"web": list(arguments)}
        worker = Worker(self._zygote, self._logs, spec.name, settings)
        self._servers.append(worker)
        return worker.pid

    @property
    def process_group(self) -> int:
        """The process group that all workers belong to."""
        return self._zygote.group

    def close(self) -> None:
        """End every worker, whatever it is doing."""
        self._closed.set()
        self._zygote.close()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for pool in self._pools.values():
            pool.close()
        for server in self._servers:
            server.end()
        self._logs.close()

    def _start(self, spec: FunctionSpec) -> Worker:
        worker = Worker(self._zygote, self._logs, spec.name, self._settings(spec, {}))
        started = worker.ask(None, START_SECONDS)
        if "init_error" in started:
            worker.end()
            raise _UnstartableError(started["init_error"])
        return worker

    def _settings(self, spec: FunctionSpec, extra: dict[str, str]) -> dict[str, Any]:
        return {
            "handler": spec.handler,
            "code": str(spec.code),
            "layers": [str(SOURCES)],
            "root": str(REPOSITORY),
            "clock": self._surroundings.clock,
            "environment": worker_environment(spec, self._surroundings) | extra,
        }

    def _message(self, spec: FunctionSpec, payload: bytes, request_id: str) -> dict[str, Any]:
        context = {
            "function_name": spec.name,
            "invoked_function_arn": spec.arn,
            "memory_limit_in_mb": spec.memory_mb,
            "aws_request_id": request_id,
            "deadline": time.time() + spec.timeout_seconds,
        }
        return {"payload": payload.decode() or "null", "context": context}

    def _run_event(self, spec: FunctionSpec, payload: bytes) -> None:
        for attempt in range(1 + spec.retries):
            if attempt:
                self._closed.wait(self.real_seconds(RETRY_SECONDS * attempt))
            if self._closed.is_set():
                return
            invocation = self.run(spec.name, payload)
            if invocation.function_error is None:
                return
        if self.dead_letter is not None:
            self.dead_letter(spec, payload, invocation)

    def _line(self, function: str, line: str) -> None:
        self.lines.append((function, line))
        for sink in self._sinks:
            sink(function, line)


def _timed_out(spec: FunctionSpec, request_id: str) -> dict[str, Any]:
    message = f"RequestId: {request_id} Error: Task timed out after {spec.timeout_seconds:.2f} seconds"
    return _error("Sandbox.Timedout", message)


def _exited(request_id: str) -> dict[str, Any]:
    return _error("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited without providing a reason")


def _too_large() -> dict[str, Any]:
    message = f"Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES} bytes)."
    return _error("Function.ResponseSizeTooLarge", message)


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": True, "payload": json.dumps({"errorType": kind, "errorMessage": message})}
