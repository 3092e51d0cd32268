"""Server-sent events as bytes: framing that survives any split, and a look inside only where it is needed."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson

from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable

DONE = b"[DONE]"
_RECONNECTING = (b"id:", b"retry:")
_LARGEST_EVENT_BYTES = 16 * 1024 * 1024


class Framer:
    """Collects chunks and gives back whole events only."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return all events completed by ``chunk``, ending in a blank line; empty while none is complete."""
        data = self._rest + chunk if self._rest else chunk
        end = max(_after_last(data, b"\n\n"), _after_last(data, b"\r\n\r\n"))
        self._rest = data[end:]
        if len(self._rest) > _LARGEST_EVENT_BYTES:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "an event of the upstream has no end")
        return data[:end]

    def finish(self) -> bytes:
        """Return the end mark if the upstream left out the blank line after it; a torn event is never passed on."""
        return b"data: [DONE]\n\n" if payload(self._rest) == DONE else b""


async def whole_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield blocks of whole events from chunks that are split anywhere."""
    framer = Framer()
    async for chunk in chunks:
        if block := framer.feed(chunk):
            yield block
    if last := framer.finish():
        yield last


def events(block: bytes) -> Iterator[bytes]:
    """Split a block into its events, each without the blank line after it."""
    for event in block.replace(b"\r\n", b"\n").split(b"\n\n"):
        if event:
            yield event


def sent_once(block: bytes) -> bytes:
    """Return the events without ``id:`` and ``retry:`` lines, which upstreams may send.

    They ask an event source to reconnect by itself when the stream ends, and then to send the request, and pay, again.
    """
    # In JSON a newline is escaped, so these begin lines and are never generated text.
    if block.startswith(_RECONNECTING) or any(b"\n" + name in block for name in _RECONNECTING):
        return b"".join(line for line in block.splitlines(keepends=True) if not line.startswith(_RECONNECTING))
    return block


def _after_last(data: bytes, boundary: bytes) -> int:
    found = data.rfind(boundary)
    return found + len(boundary) if found >= 0 else 0


def payload(event: bytes) -> bytes:
    """Return the data of one event; empty for a comment or an event without data."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = event.replace(b"\r\n", b"\n").split(b"\n")
    return b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))


def parsed(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in an event's data, None when it is something else."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
