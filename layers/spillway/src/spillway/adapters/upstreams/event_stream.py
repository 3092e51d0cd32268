"""AWS's binary event stream, as SageMaker and Bedrock use it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from botocore.eventstream import EventStreamBuffer, ParserError

from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable

_SATURATED = frozenset({"throttlingException", "serviceUnavailableException"})


@dataclass(frozen=True)
class Event:
    """One message; ``name`` is its event type, or its exception type when ``is_error``."""

    name: str
    payload: bytes
    is_error: bool

    def fields(self) -> dict[str, Any]:
        """Return the payload's JSON object; empty when it is none."""
        try:
            value = orjson.loads(self.payload)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}


async def decoded(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Yield the messages of a stream that is split anywhere; raises UpstreamUnavailable for a damaged one."""
    buffer = EventStreamBuffer()
    async for chunk in chunks:
        buffer.add_data(chunk)
        try:
            # The stubs know the buffer's items by an older type.
            for message in cast("Iterator[Any]", iter(buffer)):
                yield _event(message.headers, message.payload)
        except ParserError as err:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, f"the event stream is damaged: {err}") from err


def failure(event: Event, code: Code | None = None) -> UpstreamUnavailable:
    """Return what an error inside a stream means: this target is out, before the first event or after it.

    ``code`` stands in place of what the error's name says.
    """
    fields = event.fields()
    message = fields.get("message") or fields.get("Message") or fields.get("ErrorCode") or ""
    by_name = Code.ENGINE_SATURATED if event.name in _SATURATED else Code.PRIMARY_FAILED
    return UpstreamUnavailable(code or by_name, f"{event.name}: {message}"[:500])


def _event(headers: Mapping[str, Any], payload: bytes) -> Event:
    kind = headers.get(":message-type", "event")
    if kind == "event":
        return Event(str(headers.get(":event-type", "")), payload, is_error=False)
    if kind == "exception":
        return Event(str(headers.get(":exception-type", "")), payload, is_error=True)
    message = orjson.dumps({"message": str(headers.get(":error-message", ""))})
    return Event(str(headers.get(":error-code", "error")), message, is_error=True)
