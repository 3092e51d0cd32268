"""Every error that Spillway raises on purpose, split by what the caller does about it.

    SpillwayError
    ├── Rejected             the caller's mistake: answered as a 4xx, changes nothing
    │   ├── InvalidRequest   400
    │   ├── Unauthorized     401
    │   ├── Forbidden        403
    │   ├── NotFound         404
    │   └── Conflict         409
    ├── Retryable            the same call may work in a moment (throttled, 5xx, time-out)
    │   └── TimedOut         what was waited for did not answer in time
    ├── CapacityUnavailable  AWS has no such instance now, or the quota does not cover it
    ├── NotReady             asked-for capacity did not come up before the deadline
    ├── SmokeTestFailed      the target answered, but not with a completion
    ├── AccessPending        Bedrock is still letting this account in to a model: minutes, not moments
    └── Superseded           another workflow owns the deployment now: stop, touch nothing

The class names are the ``ErrorEquals`` contract of the state machines.
"""

from collections.abc import Sequence


class SpillwayError(Exception):
    """Base of all errors raised on purpose."""


class Rejected(SpillwayError):
    """The caller's mistake: which field, what is allowed, and nothing was changed."""

    status = 400
    code = "invalid_request"
    # The type in the answer, where it is another than the status's.
    kind: str | None = None

    def __init__(
        self, message: str, *, param: str | None = None, allowed: Sequence[str] | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.allowed = tuple(allowed) if allowed is not None else None
        self.code = code or type(self).code


class InvalidRequest(Rejected):
    """A field is unknown, missing, of the wrong type or out of range."""


class Unauthorized(Rejected):
    """No key, or one that is not known."""

    status = 401
    code = "invalid_api_key"


class Forbidden(Rejected):
    """A known key without the scope or deployment that the call needs."""

    status = 403
    code = "insufficient_scope"


class NotFound(Rejected):
    """The thing named in the call does not exist."""

    status = 404
    code = "not_found"


class Conflict(Rejected):
    """The call contradicts the present state: a name in use, a transition that is not possible now."""

    status = 409
    code = "conflict"


class Retryable(SpillwayError):
    """The same call may work in a moment."""


class TimedOut(Retryable):
    """What was waited for did not answer in time; its sentence is the caller's to read."""


class CapacityUnavailable(SpillwayError):
    """AWS has no such instance now, or the account's quota does not cover it."""


class NotReady(SpillwayError):
    """Capacity was asked for but did not come up before its deadline."""


class SmokeTestFailed(SpillwayError):
    """The target, or the way to it, gave no answer that is right."""


class AccessPending(SpillwayError):
    """Bedrock denies a model while the account's subscription to it is being made, which may take 15 minutes."""


class Superseded(SpillwayError):
    """Another workflow owns the deployment now."""
