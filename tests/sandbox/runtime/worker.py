"""What runs inside a worker process: one Lambda function's real code, in that function's own environment."""

import importlib
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType
from typing import Any

from tests.sandbox import constraints
from tests.sandbox.runtime import wire, worker_hooks
from tests.sandbox.runtime.functions import FUNCTIONS_SDK

Handler = Callable[[Any, "Context"], Any]


@dataclass(frozen=True)
class Context:
    """The second argument of a handler, with the attributes of the real one."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    aws_request_id: str
    deadline: float
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None

    @property
    def log_group_name(self) -> str:
        return os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]

    @property
    def log_stream_name(self) -> str:
        return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


def run(settings: dict[str, Any], control: socket.socket) -> int:
    """Serve invocations, or a web application, until the sandbox closes the socket."""
    _enter(settings)
    if settings.get("web"):
        return _serve_web(settings["web"], control)
    try:
        handler = _load(settings["handler"])
    except Exception as error:  # noqa: BLE001 - whatever an import raises is reported as Lambda reports it
        wire.send(control, {"init_error": _init_error(settings["handler"], error)})
        return 1
    wire.send(control, {"ready": True})
    while (received := wire.receive(control)) is not None:
        wire.send(control, _invoke(handler, received[0]))
    return 0


def _enter(settings: dict[str, Any]) -> None:
    # An older SDK's models know fewer values than the services take.
    has_our_sdk = FUNCTIONS_SDK not in os.environ
    os.environ.clear()
    os.environ.update(settings["environment"])
    time.tzset()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(settings["code"])
    # The folder of the function and its layers, as in Lambda, instead of the repository's root.
    root = settings["root"]
    kept = [entry for entry in sys.path if entry and os.path.realpath(entry) != os.path.realpath(root)]
    sys.path[:] = list(dict.fromkeys([settings["code"], *settings["layers"], *kept]))
    worker_hooks.replace_clock(settings["clock"])
    if has_our_sdk:
        constraints.refuse_what_services_refuse()
    worker_hooks.authorize_calls(settings["environment"]["AWS_ENDPOINT_URL"])


def _load(handler: str) -> Handler:
    module_name, _, attribute = handler.rpartition(".")
    module: ModuleType = importlib.import_module(module_name.replace("/", "."))
    loaded: Handler = getattr(module, attribute)
    return loaded


def _serve_web(arguments: list[str], control: socket.socket) -> int:
    """Run what the function's start script runs, in this process, and stop when the sandbox has gone."""
    import threading

    from uvicorn.main import main as uvicorn_command

    def watch() -> None:
        wire.receive(control)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    uvicorn_command.main(arguments, standalone_mode=False)
    return 0


def _invoke(handler: Handler, message: dict[str, Any]) -> dict[str, Any]:
    context = Context(**message["context"])
    try:
        answer = json.dumps(handler(json.loads(message["payload"]), context), default=_number)
    except Exception as error:  # noqa: BLE001 - the Lambda runtime turns any exception into an error answer
        return {"error": True, "payload": json.dumps(_described(error, context.aws_request_id))}
    except SystemExit as stopped:
        return {"exit": stopped.code if isinstance(stopped.code, int) else 1}
    finally:
        sys.stdout.flush()
    return {"payload": answer}


def _described(error: Exception, request_id: str) -> dict[str, Any]:
    frames = traceback.format_exception(error)
    print(f"[ERROR] {type(error).__name__}: {error} RequestId: {request_id}\n{''.join(frames)}", flush=True)
    stack = traceback.format_tb(error.__traceback__)[1:]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": stack,
    }


def _init_error(handler: str, error: Exception) -> dict[str, Any]:
    print("".join(traceback.format_exception(error)), flush=True)
    if isinstance(error, ImportError):
        return {
            "errorType": "Runtime.ImportModuleError",
            "errorMessage": f"Unable to import module '{handler.rpartition('.')[0]}': {error}",
        }
    if isinstance(error, AttributeError):
        return {"errorType": "Runtime.HandlerNotFound", "errorMessage": f"Handler '{handler}' is not there: {error}"}
    return {"errorType": type(error).__name__, "errorMessage": str(error)}


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
