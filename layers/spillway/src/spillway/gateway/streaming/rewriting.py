"""What happens to an answer on its way to the client: the model's name, the usage, the end.

A streamed block is looked into only when it holds one of a few marks, so that most chunks pass as they came.
Inside JSON strings the marks' quotes are escaped, so generated text does not trigger them.
"""

from typing import Any

import orjson

from spillway.gateway.streaming.reasoning import renamed_answer, renamed_events
from spillway.gateway.streaming.sse import DONE, events, parsed, payload
from spillway.gateway.streaming.usage import Usage, usage_of
from spillway.gateway.upstream import UpstreamRequest

_MARKS = (b'"usage":{', b'"usage": {', b'"error"', b"[DONE]")


class StreamRewriter:
    """Follows one stream: ``usage`` and ``complete`` say what has been seen of it, ``error`` how it broke."""

    end = b"data: [DONE]\n\n"

    def __init__(self, request: UpstreamRequest, first: dict[str, Any]) -> None:
        self._wants_usage = request.wants_usage
        self._names = _renaming(first.get("model"), request.deployment)
        self.usage: Usage | None = None
        self.chunks = 0
        self.done = False
        self._ended = False
        self.error: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer is whole: its end mark came, or the usage that comes after its last token."""
        return self.error is None and (self.done or self._ended)

    def rewrite(self, block: bytes) -> bytes:
        """Return what the client gets of a block; the end mark and errors are kept back for the caller to send."""
        for old, new in self._names:
            block = block.replace(old, new)
        block = renamed_events(block)
        self.chunks += block.count(b"data:")
        if not any(mark in block for mark in _MARKS):
            return block
        return b"".join(event + b"\n\n" for event in events(block) if self._keeps(event))

    def _keeps(self, event: bytes) -> bool:
        data = payload(event)
        if data == DONE:
            self.done = True
        if self.done or self.error:
            return False
        chunk = parsed(data) or {}
        if chunk.get("error") is not None:
            self.error = chunk
            return False
        if usage := usage_of(chunk):
            self.usage = usage
            self._ended = not chunk.get("choices")
            return self._wants_usage or not self._ended
        return True


def rewrite_answer(body: bytes, answer: dict[str, Any], deployment: str) -> bytes:
    """Return a whole answer under the deployment's name, its thoughts under theirs; untouched when both are so."""
    renamed = renamed_answer(body, answer)
    if renamed is answer and answer.get("model") == deployment:
        return body
    return orjson.dumps(renamed | {"model": deployment})


def _renaming(model: object, deployment: str) -> list[tuple[bytes, bytes]]:
    """Return the byte strings to replace so that every event carries the deployment's name."""
    if not isinstance(model, str) or model == deployment:
        return []
    new = b'"model":' + orjson.dumps(deployment)
    return [(b'"model":' + orjson.dumps(model), new), (b'"model": ' + orjson.dumps(model), new)]
