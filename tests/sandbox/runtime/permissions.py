"""Every AWS call that a role makes: who, what, and whether its policies allow it."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.calls.record import CallShape
from tests.sandbox.runtime.functions import access_key_id

KEPT_CALLS = 200_000

# What the sandbox itself and whoever looks into it from outside sign with: the account's administrator.
OPERATOR_KEY_ID = "sandbox"


@dataclass(frozen=True)
class Refusal:
    """Why a call is denied."""

    message: str


# Role ARN, boto3's service and operation, parameters: why it is denied, or None.
Evaluate = Callable[[str, str, str, Mapping[str, Any]], Refusal | None]


@dataclass(frozen=True)
class RecordedCall:
    """One call of one role."""

    role: str
    service: str
    operation: str
    allowed: bool
    message: str | None = None


class UnknownKeyError(LookupError):
    """No role of the stack has this access key id."""


class Permissions:
    """Decide and record; thread-safe."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._roles: dict[str, str] = {}
        self._calls: deque[RecordedCall] = deque(maxlen=KEPT_CALLS)
        self._lock = threading.Lock()
        self.shapes: set[CallShape] = set()  # of what was allowed by boto3's clients

    def know(self, role_arns: Iterable[str]) -> None:
        """Make roles known, each with its own access key id."""
        self._roles |= {access_key_id(arn): arn for arn in role_arns}

    def role_of(self, key_id: str) -> str | None:
        """Return the role behind an access key id, None for the operator's; raise UnknownKeyError."""
        if key_id == OPERATOR_KEY_ID:
            return None
        if key_id not in self._roles:
            raise UnknownKeyError(key_id)
        return self._roles[key_id]

    def refusal_of_key(self, key_id: str, service: str, operation: str, params: Mapping[str, Any]) -> str | None:
        """Return why a call signed with this key is denied, or None."""
        role = self.role_of(key_id)
        return None if role is None else self.refusal(role, service, operation, params)

    def refusal(self, role: str, service: str, operation: str, params: Mapping[str, Any]) -> str | None:
        """Return why a role's call is denied, or None; records it."""
        refused = self._evaluate(role, service, operation, params)
        if refused is not None:
            return self.deny(role, service, operation, refused.message)
        with self._lock:
            self._calls.append(RecordedCall(role, service, operation, allowed=True))
        return None

    def deny(self, caller: str, service: str, operation: str, message: str) -> str:
        """Record a denied call and return the message."""
        with self._lock:
            self._calls.append(RecordedCall(caller, service, operation, allowed=False, message=message))
        return message

    def calls(self, *, denied: bool = False) -> list[RecordedCall]:
        """Return what was recorded, or only what was denied."""
        with self._lock:
            return [call for call in self._calls if not (denied and call.allowed)]

    def describe(self, *, denied: bool = False) -> list[dict[str, Any]]:
        """Return the calls as JSON has them, equal ones counted together."""
        counts: dict[RecordedCall, int] = {}
        for call in self.calls(denied=denied):
            counts[call] = counts.get(call, 0) + 1
        return [asdict(call) | {"times": times} for call, times in counts.items()]
