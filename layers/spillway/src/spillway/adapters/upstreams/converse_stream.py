"""ConverseStream's events as OpenAI's chunks."""

from collections.abc import Mapping
from typing import Any

import orjson

from spillway.adapters.upstreams.converse_answer import Head, finish_reason, openai_usage
from spillway.gateway.streaming.reasoning import REASONING


class StreamTranslator:
    """Follows one stream. ``stopped`` once the model has said why it ended, without which the answer is not whole."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._role: str | None = None
        self._tools: dict[int, int] = {}
        self.stopped = False

    def translate(self, name: str, fields: Mapping[str, Any]) -> bytes:
        """Return the chunk that an event amounts to; empty for one that OpenAI's form has nothing for."""
        match name:
            case "messageStart":
                # Goes out with the first content: until there is some, the request may still go elsewhere.
                self._role = str(fields.get("role") or "assistant")
                return b""
            case "contentBlockStart":
                return self._start(fields)
            case "contentBlockDelta":
                return self._delta(fields)
            case "messageStop":
                self.stopped = True
                return self._chunk({}, finish_reason(fields.get("stopReason")))
            case "metadata":
                usage = openai_usage(fields.get("usage") or {})
                return _event(self._head.wrap("chat.completion.chunk", choices=[], usage=usage))
            case _:
                return b""

    def _start(self, fields: Mapping[str, Any]) -> bytes:
        use = (fields.get("start") or {}).get("toolUse")
        if use is None:
            return b""
        index = self._tools.setdefault(fields.get("contentBlockIndex", 0), len(self._tools))
        function = {"name": use.get("name"), "arguments": ""}
        call = {"index": index, "id": use.get("toolUseId"), "type": "function", "function": function}
        return self._chunk({"tool_calls": [call]})

    def _delta(self, fields: Mapping[str, Any]) -> bytes:
        delta = fields.get("delta") or {}
        if "text" in delta:
            return self._chunk({"content": delta["text"]})
        if "toolUse" in delta:
            index = self._tools.get(fields.get("contentBlockIndex", 0), 0)
            call = {"index": index, "function": {"arguments": delta["toolUse"].get("input", "")}}
            return self._chunk({"tool_calls": [call]})
        reasoning = (delta.get("reasoningContent") or {}).get("text")
        return self._chunk({REASONING: reasoning}) if reasoning else b""

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        if self._role is not None:
            delta = {"role": self._role, "content": "", **delta}
            self._role = None
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event(self._head.wrap("chat.completion.chunk", choices=[choice]))


def stream_of(completion: Mapping[str, Any], head: Head) -> bytes:
    """Return a whole chat completion as the events of a stream, the end mark included."""
    choice = completion["choices"][0]
    said = {name: value for name, value in choice["message"].items() if value is not None}
    if "tool_calls" in said:
        said["tool_calls"] = [{"index": index, **call} for index, call in enumerate(said["tool_calls"])]
    parts = [{"delta": said, "finish_reason": None}, {"delta": {}, "finish_reason": choice["finish_reason"]}]
    chunks = [[{"index": 0, "logprobs": None, **part}] for part in parts]
    events = [_event(head.wrap("chat.completion.chunk", choices=choices)) for choices in chunks]
    usage = head.wrap("chat.completion.chunk", choices=[], usage=completion["usage"])
    return b"".join([*events, _event(usage), b"data: [DONE]\n\n"])


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
