"""AWS's binary event stream, as SageMaker and Bedrock use it."""

from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple
from zlib import crc32

import orjson
from botocore.eventstream import EventStreamHeaderParser, ParserError

from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable

_SATURATED = frozenset({"throttlingException", "serviceUnavailableException"})
# Lengths of the message and of its headers, and a checksum of the two; at the end one of everything before it.
_PRELUDE = Struct(">III")
_CHECKSUM = Struct(">I")
# AWS's own limit is 24 MB of payload and 128 KB of headers.
_LARGEST_MESSAGE = 25 * 1024 * 1024


class Event(NamedTuple):
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


class Decoder:
    """Gives back the whole messages of a stream that is split anywhere.

    botocore's own takes several times as long, most of it for headers, which in a stream are the same again and again.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the messages that a chunk completes; raises UpstreamUnavailable for a damaged one."""
        data = self._rest + chunk if self._rest else chunk
        start, size = 0, len(data)
        while size - start >= _PRELUDE.size:
            length, headers_length, checksum = _PRELUDE.unpack_from(data, start)
            headers_start = start + _PRELUDE.size
            payload_start, payload_end = headers_start + headers_length, start + length - _CHECKSUM.size
            if crc32(data[start : headers_start - _CHECKSUM.size]) != checksum:
                raise _damaged("the lengths' checksum differs")
            if payload_start > payload_end or length > _LARGEST_MESSAGE:
                raise _damaged(f"a message of {length} bytes with {headers_length} of headers")
            if size - start < length:
                break
            if (crc32(data[start:payload_end]),) != _CHECKSUM.unpack_from(data, payload_end):
                raise _damaged("a message's checksum differs")
            yield _event(data[headers_start:payload_start], data[payload_start:payload_end])
            start += length
        self._rest = data[start:]


async def decoded(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Yield the messages of a stream that is split anywhere; raises UpstreamUnavailable for a damaged one."""
    decoder = Decoder()
    async for chunk in chunks:
        for event in decoder.feed(chunk):
            yield event


def failure(event: Event, code: Code | None = None) -> UpstreamUnavailable:
    """Return what an error inside a stream means: this target is out, before the first event or after it.

    ``code`` stands in place of what the error's name says.
    """
    fields = event.fields()
    message = fields.get("message") or fields.get("Message") or fields.get("ErrorCode") or ""
    by_name = Code.ENGINE_SATURATED if event.name in _SATURATED else Code.PRIMARY_FAILED
    return UpstreamUnavailable(code or by_name, f"{event.name}: {message}"[:500])


def _damaged(detail: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(Code.PRIMARY_FAILED, f"the event stream is damaged: {detail}")


def _event(headers: bytes, payload: bytes) -> Event:
    name, is_error, message = _said_by(headers)
    return Event(name, payload if message is None else message, is_error)


@lru_cache(maxsize=128)
def _said_by(headers: bytes) -> tuple[str, bool, bytes | None]:
    """Return a message's name, whether it is an error, and the payload that an error's headers stand for."""
    try:
        read = EventStreamHeaderParser().parse(headers)
    except ParserError as err:
        raise _damaged(str(err)) from err
    kind = read.get(":message-type", "event")
    if kind == "event":
        return str(read.get(":event-type", "")), False, None
    if kind == "exception":
        return str(read.get(":exception-type", "")), True, None
    message = orjson.dumps({"message": str(read.get(":error-message", ""))})
    return str(read.get(":error-code", "error")), True, message
