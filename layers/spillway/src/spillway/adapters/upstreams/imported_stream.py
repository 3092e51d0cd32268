"""OpenAI's chunks out of InvokeModelWithResponseStream's events."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import orjson

from spillway.adapters.upstreams.converse.answer import openai_usage
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.sse import DONE, parsed

# Bedrock's own counts, beside what the model says in its last chunk.
_METRICS = "amazon-bedrock-invocationMetrics"


class StreamUnwrapper:
    """Follows one stream, which is whole once the model has said why it ended.

    Bedrock's counts become the usage where the model reports none: it takes OpenAI's body, but whether it heeds
    ``stream_options`` nobody promises.
    """

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._metrics: Mapping[str, Any] | None = None
        self._reports_usage = False
        self._is_whole = False

    def unwrap(self, part: Mapping[str, Any]) -> bytes:
        """Return the event that a payload part amounts to; raises UpstreamUnavailable for what is no chunk."""
        data = _decoded(part.get("bytes"))
        if data == DONE:
            return b""
        chunk = parsed(data)
        if chunk is None:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "a part of the stream is not a JSON object")
        self._metrics = chunk.pop(_METRICS, self._metrics)
        if not chunk:
            return b""
        self._last = chunk
        self._reports_usage = self._reports_usage or isinstance(chunk.get("usage"), dict)
        self._is_whole = self._is_whole or any(choice.get("finish_reason") for choice in chunk.get("choices") or ())
        return _event(chunk)

    def end(self) -> bytes:
        """Return the usage that is still owed and the end mark; nothing where the answer is not whole."""
        if not self._is_whole:
            return b""
        usage = b"" if self._reports_usage else self._usage()
        return usage + b"data: " + DONE + b"\n\n"

    def _usage(self) -> bytes:
        metrics = self._metrics or {}
        counts = {"inputTokens": metrics.get("inputTokenCount"), "outputTokens": metrics.get("outputTokenCount")}
        if None in counts.values():
            return b""
        return _event(self._last | {"choices": [], "usage": openai_usage(counts)})


def _decoded(value: Any) -> bytes:
    try:
        return b64decode(value)
    except (TypeError, ValueError) as err:
        raise UpstreamUnavailable(Code.PRIMARY_FAILED, f"a part of the stream is damaged: {err}") from err


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
