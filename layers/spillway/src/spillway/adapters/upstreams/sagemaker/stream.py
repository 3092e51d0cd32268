"""OpenAI's events from a container's stream, however it frames them."""

from collections.abc import AsyncIterator

from spillway.adapters.upstreams.sagemaker.chunks import ChunkReader
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.sse import Framer
from spillway.gateway.upstream import UpstreamRequest

_LONGEST_LINE_BYTES = 16 * 1024 * 1024


class _Lines:
    """JSON lines, split anywhere, as events of one line each."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return the lines that a chunk completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE_BYTES:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "a line of the upstream has no end")
        return b"".join(_as_event(line) for line in lines)

    def finish(self) -> bytes:
        """Return the last line, after which there may be no newline."""
        return _as_event(self._rest)


def _as_event(line: bytes) -> bytes:
    line = line.strip()
    return b"data: " + line + b"\n\n" if line else b""


async def openai_events(parts: AsyncIterator[bytes], request: UpstreamRequest, *, passes: bool) -> AsyncIterator[bytes]:
    """Yield blocks of whole events from bytes that are split anywhere.

    The first byte tells how they are framed, since one framework has several ways, by release, mode and settings: an
    object is the first of JSON lines, everything else server-sent events. With ``passes`` such events are taken to be
    vLLM's own, and pass as they are. Raises UpstreamUnavailable for what is no chunk.
    """
    framer: Framer | _Lines | None = None
    reader: ChunkReader | None = None
    async for part in parts:
        if framer is None:
            part = part.lstrip()
            if not part:
                continue
            is_lines = part.startswith(b"{")
            framer = _Lines() if is_lines else Framer()
            reader = ChunkReader(request) if is_lines or not passes else None
        if block := framer.feed(part):
            block = block if reader is None else reader.read(block)
            if block:
                yield block
    last = framer.finish() if framer is not None else b""
    if reader is not None:
        last = reader.read(last) + reader.end()
    if last:
        yield last
