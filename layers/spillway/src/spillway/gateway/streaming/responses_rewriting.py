"""A response's stream on its way to the client. Unlike chat's it ends with an event that carries the whole answer."""

from typing import Any

import orjson

from spillway.gateway.streaming.sse import DONE, events, parsed, payload
from spillway.gateway.streaming.usage import Usage, usage_of
from spillway.gateway.upstream import UpstreamRequest

_MARKS = (
    b'"response.completed"',
    b'"response.incomplete"',
    b'"response.failed"',
    b'"type":"error"',
    b'"type": "error"',
    b'"error":{',
    b'"error": {',
    b"[DONE]",
)
_ENDS = frozenset({"response.completed", "response.incomplete"})


class ResponsesRewriter:
    """As StreamRewriter; ``chunks`` counts the pieces of text, and the end has no mark of its own."""

    end = b""

    def __init__(self, request: UpstreamRequest) -> None:
        self._deployment = request.deployment
        self._names: list[tuple[bytes, bytes]] | None = None
        self.usage: Usage | None = None
        self.chunks = 0
        self.done = False
        self.error: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether the response came to its end."""
        return self.done and self.error is None

    def rewrite(self, block: bytes) -> bytes:
        """Return what the client gets of a block; errors are kept back for the caller to send."""
        if self._names is None:
            self._names = self._renaming(block)
        for old, new in self._names or ():
            block = block.replace(old, new)
        self.chunks += block.count(b'.delta"')
        if not any(mark in block for mark in _MARKS):
            return block
        return b"".join(event + b"\n\n" for event in events(block) if self._keeps(event))

    def _keeps(self, event: bytes) -> bool:
        data = payload(event)
        if self.done or self.error or data == DONE:
            return False
        body = parsed(data) or {}
        kind = body.get("type")
        if kind in ("error", "response.failed") or body.get("error") is not None:
            self.error = body
            return False
        if kind in _ENDS:
            self.usage = usage_of(body.get("response") or {})
            self.done = True
        return True

    def _renaming(self, block: bytes) -> list[tuple[bytes, bytes]] | None:
        """Return the byte strings to replace, once an event has told the model's name."""
        for event in events(block):
            response = (parsed(payload(event)) or {}).get("response")
            model = response.get("model") if isinstance(response, dict) else None
            if isinstance(model, str):
                new = b'"model":' + orjson.dumps(self._deployment)
                olds = (b'"model":' + orjson.dumps(model), b'"model": ' + orjson.dumps(model))
                return [(old, new) for old in olds] if model != self._deployment else []
        return None
