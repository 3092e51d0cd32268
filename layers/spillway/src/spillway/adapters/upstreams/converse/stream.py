"""ConverseStream's events as OpenAI's chunks."""

from collections.abc import Mapping
from typing import Any

import orjson

from spillway.adapters.upstreams.converse.answer import Head, finish_reason, malformed, name_of, openai_usage, tier_of
from spillway.adapters.upstreams.converse.request import Terms
from spillway.adapters.upstreams.converse.stop_sequences import StopCutter
from spillway.gateway.streaming.reasoning import REASONING

_CLOSED = b"}]}\n\n"
_UNFINISHED = b',"logprobs":null,"finish_reason":null' + _CLOSED


class StreamTranslator:
    """Follows one stream.

    ``stopped`` once the model has said why it ended, without which the answer is not whole; ``cut`` once a stop
    sequence has ended it in here, after which nothing more of it counts.
    """

    def __init__(self, head: Head, terms: Terms) -> None:
        self._head = head
        # Written once: only the delta differs from chunk to chunk.
        whole = orjson.dumps(head.wrap("chat.completion.chunk"))
        self._begun = b"data: " + whole[:-1] + b',"choices":[{"index":0,"delta":'
        self._terms = terms
        self._cutter = StopCutter(terms.stop) if terms.stop else None
        self._role: str | None = None
        self._calls: dict[int, _Call | None] = {}
        self._count = 0
        self.stopped = False

    @property
    def cut(self) -> bool:
        """Whether a stop sequence has ended the answer."""
        return self._cutter is not None and self._cutter.done

    def translate(self, name: str, fields: Mapping[str, Any]) -> bytes:
        """Return the chunks that an event amounts to; empty for one that OpenAI's form has nothing for.

        Raises UpstreamUnavailable once the model's output proves to be malformed.
        """
        match name:
            case "contentBlockDelta":
                return self._delta(fields)
            case "messageStart":
                # Goes out with the first content: until there is some, the request may still go elsewhere.
                self._role = str(fields.get("role") or "assistant")
                return b""
            case "contentBlockStart":
                return self._start(fields)
            case "messageStop":
                return self._stop(fields.get("stopReason"))
            case "metadata":
                usage = openai_usage(fields.get("usage") or {})
                return _event(self._head.wrap("chat.completion.chunk", choices=[], usage=usage) | tier_of(fields))
            case _:
                return b""

    def _start(self, fields: Mapping[str, Any]) -> bytes:
        use = (fields.get("start") or {}).get("toolUse")
        if use is None:
            return b""
        held = self._held_back()
        most, block = self._terms.most_calls, fields.get("contentBlockIndex", 0)
        if most is not None and self._count >= most:
            self._calls[block] = None
            return held
        call = self._calls[block] = _Call(self._count)
        self._count += 1
        function = {"name": name_of(use), "arguments": ""}
        return held + self._call(call, function, id=use.get("toolUseId"), type="function")

    def _delta(self, fields: Mapping[str, Any]) -> bytes:
        delta = fields.get("delta") or {}
        if "text" in delta:
            return self._text(delta["text"])
        if "toolUse" in delta:
            call = self._calls.get(fields.get("contentBlockIndex", 0))
            return self._arguments(call, delta["toolUse"].get("input") or "") if call else b""
        reasoning = (delta.get("reasoningContent") or {}).get("text")
        return self._chunk({REASONING: reasoning}) if reasoning else b""

    def _text(self, text: str) -> bytes:
        passed = text if self._cutter is None else self._cutter.cut(text)
        said = self._chunk({"content": passed}) if passed else b""
        return said + self._stop("stop_sequence") if self.cut else said

    def _held_back(self) -> bytes:
        held = self._cutter.rest() if self._cutter else ""
        return self._chunk({"content": held}) if held else b""

    def _arguments(self, call: "_Call", piece: str) -> bytes:
        call.pieces.append(piece)
        return self._call(call, {"arguments": piece})

    def _call(self, call: "_Call", function: dict[str, Any], **head: Any) -> bytes:
        if self._terms.as_function:
            return self._chunk({"function_call": function})
        return self._chunk({"tool_calls": [{"index": call.index, **head, "function": function}]})

    def _stop(self, reason: Any) -> bytes:
        calls = [call for call in self._calls.values() if call]
        finish = finish_reason(reason, self._terms, has_calls=bool(calls))
        said = self._held_back()
        for call in calls:
            arguments = "".join(call.pieces)
            if not arguments:
                said += self._arguments(call, "{}")
            elif not isinstance(_json(arguments), dict):
                if reason != "max_tokens":
                    raise malformed("a call's arguments are no object")
                # The client's own limit has cut them, which this tells as it does of a text.
                finish = "length"
        self.stopped = True
        return said + self._chunk({}, finish)

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        if self._role is not None:
            delta = {"role": self._role, "content": "", **delta}
            self._role = None
        end = _UNFINISHED if finish is None else b',"logprobs":null,"finish_reason":' + orjson.dumps(finish) + _CLOSED
        return self._begun + orjson.dumps(delta) + end


class _Call:
    """One call of a stream: its number among the calls, and the pieces of its arguments so far."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.pieces: list[str] = []


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
