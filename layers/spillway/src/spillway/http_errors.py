"""The one shape in which every part of the API says what went wrong: OpenAI's, plus the allowed values.

The gateway imports this at every cold start: nothing heavy belongs here.
"""

from typing import Any

from spillway.domain.errors import Rejected, Retryable, SpillwayError, Superseded, TimedOut

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "service_unavailable",
}


class TooLarge(Rejected):
    """The request's body is over the limit."""

    status = 413
    code = "request_too_large"


class MethodNotAllowed(Rejected):
    """The path exists, but not for this method; ``allowed`` are the methods it has."""

    status = 405
    code = "method_not_allowed"


def error_type(status: int) -> str:
    """Return OpenAI's error type for an HTTP status."""
    return _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def status_of(err: SpillwayError) -> int:
    """Return the HTTP status of an error raised on purpose."""
    match err:
        case Rejected():
            return err.status
        case Superseded():
            return 409
        case TimedOut():
            return 504
        case Retryable():
            return 503
        case _:
            return 500


def error_json(err: SpillwayError) -> dict[str, Any]:
    """Return the body that tells a client about ``err``; only what was rejected says more than its kind."""
    match err:
        case Rejected():
            return error_shape(err.status, err.message, err.code, err.param, err.allowed, kind=err.kind)
        case Superseded():
            return error_shape(
                409, "Somebody else changed this at the same moment. Look at it and try again.", "conflict"
            )
        case TimedOut():
            return error_shape(504, f"{err}: try again in a moment.", "timed_out")
        case Retryable():
            return error_shape(503, "AWS could not take this now: try again in a moment.", "unavailable")
        case _:
            return internal_error_json("unknown")


def internal_error_json(request_id: str) -> dict[str, Any]:
    """Return the body for a failure of ours: nothing but where to look for it in the logs."""
    return error_shape(
        500, f"Something went wrong on our side. The logs know it as request {request_id}.", "internal_error"
    )


def error_shape(
    status: int,
    message: str,
    code: str,
    param: str | None = None,
    allowed: tuple[str, ...] | None = None,
    *,
    kind: str | None = None,
) -> dict[str, Any]:
    """Return an error's body; its type follows from the status unless ``kind`` names another."""
    error: dict[str, Any] = {"message": message, "type": kind or error_type(status), "param": param, "code": code}
    if allowed:
        error["allowed"] = list(allowed)
    return {"error": error}
