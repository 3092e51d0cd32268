"""Every way in which a request can fail at the gateway, in OpenAI's shape.

Rejected (domain.errors)  the client's mistake: 4xx
├── TooLarge              413 (http_errors)
├── BodyTooSlow           408
├── MethodNotAllowed      405 (http_errors)
├── UnsupportedCoding     415 (request.content_coding)
└── UpstreamRejected      the engine's own 400, 413 or 422
Incapable                 what was asked cannot do what the request demands: another target is tried, or waited for
Unavailable               503: nothing can answer now
UpstreamUnavailable       one target failed: the next one is tried, or the stream ends with an error event
StoreUnavailable         the routes table cannot be read: the last route stays in force
ClientGone                nobody is left to answer
"""

import math
from collections.abc import Mapping
from typing import TypeAlias

import orjson

from spillway.domain.decision import Code
from spillway.domain.errors import Rejected, Retryable, SpillwayError
from spillway.domain.paths.targets import Target
from spillway.http_errors import error_json, error_shape
from spillway.http_errors import error_type as error_type

Headers: TypeAlias = list[tuple[bytes, bytes]]

# Above it OpenAI's clients give up at once (Python, from 120), ignore it (Node before 6), or wait it out, however long.
LONGEST_RETRY_AFTER_SECONDS = 60
# The codes of what no target of a deployment can do; the second is OpenAI's.
UNSUPPORTED = "unsupported_by_model"
TOO_LONG = "context_length_exceeded"


class BodyTooSlow(Rejected):
    """The request's body did not arrive in time."""

    status = 408
    code = "request_timeout"


class UpstreamRejected(Rejected):
    """The engine says that the request itself is wrong; another engine would say the same."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param, code=code)
        self.status = status


class Incapable(SpillwayError):
    """The targets that were tried cannot do what the request demands, in their own words by target."""

    def __init__(self, refusals: Mapping[Target, Rejected]) -> None:
        super().__init__("; ".join(err.message for err in refusals.values()))
        self.refusals = refusals


class Unavailable(SpillwayError):
    """Nothing can answer now; ``retry_after_seconds`` is what the client is told, in words where it is long."""

    status = 503

    def __init__(self, message: str, *, code: str, retry_after_seconds: int | None = None) -> None:
        if retry_after_seconds is not None and retry_after_seconds > LONGEST_RETRY_AFTER_SECONDS:
            message = f"{message} (ready in about {retry_after_seconds} s)"
        super().__init__(message)
        self.message = message
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class UpstreamUnavailable(SpillwayError):
    """A target could not answer, or stopped answering; ``detail`` is for our log, never for the client."""

    def __init__(self, code: Code, detail: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds

    def of(self, role: str) -> "UpstreamUnavailable":
        """Return the failure as that of a choice's role: upstreams don't know whether they are the primary's."""
        return UpstreamUnavailable(code_of(self.code, role), self.detail, retry_after_seconds=self.retry_after_seconds)


def code_of(code: Code, role: str) -> Code:
    """Return a failure's code as that of a choice's role."""
    return Code.SPILL_FAILED if role == "spill" and code is Code.PRIMARY_FAILED else code


class StoreUnavailable(Retryable):
    """The routes table cannot be read right now."""


class ClientGone(SpillwayError):
    """The client closed its connection."""


def come_back(seconds: float) -> Headers:
    """Return when a client is to come back: no later than it would believe, and beside that when it really pays."""
    whole = max(1, math.ceil(seconds))
    headers = [(b"retry-after", b"%d" % min(whole, LONGEST_RETRY_AFTER_SECONDS))]
    if whole > LONGEST_RETRY_AFTER_SECONDS:
        headers.append((b"x-spillway-ready-in", b"%d" % whole))
    return headers


def error_body(err: Rejected | Unavailable) -> bytes:
    """Return the JSON body that tells a client about ``err``."""
    if isinstance(err, Unavailable):
        return orjson.dumps(error_shape(err.status, err.message, err.code))
    return orjson.dumps(error_json(err))


def error_event(message: str, code: str, kind: str = "api_error") -> bytes:
    """Return the events that end a stream which failed after its first byte."""
    return b"data: " + orjson.dumps(error_shape(500, message, code, kind=kind)) + b"\n\ndata: [DONE]\n\n"
