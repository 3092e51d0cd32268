"""What tells an answer, an error and the end of a stream in the form of the endpoint that was asked."""

from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from spillway.gateway.errors import error_event
from spillway.gateway.streaming.responses_rewriting import ResponsesRewriter
from spillway.gateway.streaming.rewriting import StreamRewriter
from spillway.gateway.streaming.usage import Usage
from spillway.gateway.upstream import Endpoint, UpstreamRequest

# Engines send these at once, before any work: they prove nothing yet.
_BEFORE_THE_ANSWER = frozenset({"response.created", "response.in_progress", "response.queued"})


class Rewriter(Protocol):
    """Follows one stream on its way to the client."""

    usage: Usage | None
    chunks: int
    done: bool
    error: dict[str, Any] | None
    end: bytes

    @property
    def complete(self) -> bool:
        """Whether the answer is whole."""
        ...

    def rewrite(self, block: bytes) -> bytes:
        """Return what the client gets of a block."""
        ...


def rewriter_for(request: UpstreamRequest, first: dict[str, Any]) -> Rewriter:
    """Return what follows a stream that begins with ``first``."""
    if request.endpoint == "responses":
        return ResponsesRewriter(request)
    return StreamRewriter(request, first)


def answers(event: Mapping[str, Any] | None) -> bool:
    """Whether an event already is of the answer, or of its failure."""
    return event is None or event.get("type") not in _BEFORE_THE_ANSWER


def error_in(answer: Mapping[str, Any]) -> Any:
    """Return the error that an answer or event carries under status 200, None when it is a good one."""
    error = answer.get("error")
    if error is None and answer.get("type") == "error":
        return answer
    if error is None and answer.get("type") == "response.failed":
        return (answer.get("response") or {}).get("error") or {}
    return error


def error_events(endpoint: Endpoint, message: str, code: str, kind: str = "api_error") -> bytes:
    """Return the events that end a stream which failed after its first byte.

    OpenAI's clients raise for an ``error`` inside an event, also where its own type is ``error``.
    """
    if endpoint != "responses":
        return error_event(message, code, kind)
    error = {"message": message, "type": kind, "param": None, "code": code}
    body = {"type": "error", "sequence_number": 0, "code": code, "message": message, "param": None, "error": error}
    return b"event: error\ndata: " + orjson.dumps(body) + b"\n\n"
