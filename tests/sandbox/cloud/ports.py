"""What this package needs from the rest of the sandbox."""

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from tests.sandbox.engine_command import Command

Invoke = Callable[[str, bytes], bytes]
"""Run a Lambda function by name or ARN. Raises ``FunctionError`` for what the handler raises, ``AwsError`` for what
Lambda itself refuses (``ResourceNotFoundException`` for a function that is none)."""

InvokeEvent = Callable[[str, bytes], Future[Any] | None]
"""Queue an asynchronous run of a function, with Lambda's own retries and failure destination behind it. Raises
``LookupError`` or ``AwsError`` for a function that is none. May return a future that is done when the run is."""

Emit = Callable[[str, str, dict[str, Any]], None]
"""Put an AWS service's own event on the default bus: source, detail-type, detail."""

OnTask = Callable[[str, str, dict[str, Any]], None]
"""Called before each Task with the state machine's ARN, the Task's resource and its parameters; raises ``AwsError`` to
refuse it as the state machine's role would be."""

OnTarget = Callable[[str, dict[str, Any]], None]
"""Called before an event or schedule goes to a target, with the rule's or schedule's ARN and the target as AWS
describes it; raises ``AwsError`` to refuse it as the target's policy or role would."""


class FunctionError(Exception):
    """A Lambda function's handler raised: ``error_type`` is the exception's class name."""

    def __init__(self, error_type: str, message: str, trace: tuple[str, ...] = ()) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type, self.message, self.trace = error_type, message, trace

    def payload(self) -> bytes:
        """Return what Lambda answers beside ``FunctionError: Unhandled``."""
        found = {"errorMessage": self.message, "errorType": self.error_type, "stackTrace": list(self.trace)}
        return json.dumps(found).encode()


@dataclass(frozen=True)
class EngineLoad:
    """What an engine reports at ``/metrics``: requests, requests, and a share of 0 to 1."""

    running: float = 0.0
    waiting: float = 0.0
    kv_cache_use: float = 0.0


class EngineHandle(Protocol):
    """One running inference server."""

    @property
    def url(self) -> str:
        """Base URL without a path."""

    def load(self) -> EngineLoad:
        """Return its present load."""

    def stop(self) -> None:
        """End it as SIGTERM does; returns once it no longer answers."""

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""


class EngineHost(Protocol):
    """Starts inference servers; called from threads, so it must not need the caller's event loop."""

    def launch(self, instance_key: str, command: Command) -> EngineHandle:
        """Start an engine by its command line, and return once it answers."""
