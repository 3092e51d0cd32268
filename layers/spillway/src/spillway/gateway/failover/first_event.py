"""The first event of an answer: status 200 may still carry an error, as engines' streams do under overload."""

from typing import Any

from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.streaming.endpoint_formats import answers, error_in
from spillway.gateway.streaming.sse import DONE, events, parsed, payload
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

_CLIENTS_MISTAKES = frozenset({400, 413, 422})
_SATURATED = frozenset({429, 503, "rate_limit_exceeded", "server_is_overloaded"})


async def first_of(stream: UpstreamStream, request: UpstreamRequest) -> tuple[bytes, dict[str, Any]]:
    """Read up to the first event of the answer, or the whole body; close the stream if it is none of an answer.

    Raises UpstreamUnavailable, or UpstreamRejected when an error under status 200 is the client's mistake.
    """
    try:
        return await (_first_event(stream) if request.stream else _whole_body(stream))
    except BaseException:
        await stream.close()
        raise


async def _first_event(stream: UpstreamStream) -> tuple[bytes, dict[str, Any]]:
    read = b""
    async for block in stream.blocks:
        read += block
        for event in events(block):
            if (data := payload(event)) and answers(first := None if data == DONE else parsed(data)):
                return read, _checked(first)
    raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the stream ended before its first event")


async def _whole_body(stream: UpstreamStream) -> tuple[bytes, dict[str, Any]]:
    async for body in stream.blocks:
        return body, _checked(parsed(body))
    raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the answer is empty")


def _checked(answer: dict[str, Any] | None) -> dict[str, Any]:
    """Return an answer that is one: status 200 may still carry an error, as engines' streams do under overload."""
    if answer is None:
        raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the answer is not a JSON object")
    error = error_in(answer)
    if error is None:
        return answer
    fields = error if isinstance(error, dict) else {"message": str(error)}
    status, message = fields.get("code"), str(fields.get("message") or "the upstream reported an error")
    status = status if isinstance(status, int | str) else None
    if status in _CLIENTS_MISTAKES:
        raise UpstreamRejected(status, message, param=fields.get("param"))
    code = Code.ENGINE_SATURATED if status in _SATURATED else Code.PRIMARY_FAILED
    raise UpstreamUnavailable(code, f"error under status 200: {message}")
