"""Chat's chunks as the events of a response."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import orjson

from spillway.adapters.upstreams.responses_answer import Envelope, ending_of, logprobs_of, text_part
from spillway.gateway.streaming.reasoning import reasoning_in

_Kind: TypeAlias = Literal["message", "reasoning", "call"]
_DELTAS: Mapping[_Kind, str] = {
    "message": "response.output_text",
    "reasoning": "response.reasoning_text",
    "call": "response.function_call_arguments",
}


class _Item:
    """One output item while it grows; ``tool`` is its number among the tool calls."""

    def __init__(self, kind: _Kind, index: int, tool: int | None = None, call_id: str = "", name: str = "") -> None:
        self.kind = kind
        self.index = index
        self.tool = tool
        self.call_id = call_id
        self.name = name
        self.text = ""
        self.logprobs: list[Any] = []

    def body(self, envelope: Envelope, status: str) -> dict[str, Any]:
        """Return the item as it is now."""
        match self.kind:
            case "message":
                return envelope.message(self.index, self.text, status, self.logprobs)
            case "reasoning":
                return envelope.reasoning(self.index, self.text, status)
            case "call":
                return envelope.call(self.index, self.call_id, self.name, self.text, status)


class ResponseEvents:
    """Follows one stream; a response without an ending from the model gets no end either."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._sequence = 0
        self._created: Any = None
        self._done: list[dict[str, Any]] = []
        self._item: _Item | None = None
        self._finish: Any = None
        self._usage: Any = None

    def chunk(self, chunk: Mapping[str, Any]) -> bytes:
        """Return the events that a chat chunk amounts to."""
        said = list(self._opening(chunk))
        self._usage = chunk.get("usage") or self._usage
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or {}
            if thought := reasoning_in(delta):
                said += self._grow("reasoning", thought)
            if delta.get("content"):
                said += self._grow("message", delta["content"], logprobs_of(choice))
            for call in delta.get("tool_calls") or []:
                said += self._grow_call(call)
            self._finish = choice.get("finish_reason") or self._finish
        return b"".join(said)

    def end(self) -> bytes:
        """Return the events that close what is open, and the response."""
        if self._finish is None:
            return b""
        if self._item is None and not self._done:
            said = [*self._open(_Item("message", 0)), *self._close()]
        else:
            said = list(self._close())
        ending = ending_of(self._finish, self._usage)
        response = self._envelope.wrap(self._created, self._done, **ending)
        return b"".join([*said, self._event(f"response.{ending['status']}", response=response)])

    def _opening(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        if self._sequence == 0:
            self._created = chunk.get("created")
            begun = self._envelope.wrap(self._created, [])
            yield self._event("response.created", response=begun)
            yield self._event("response.in_progress", response=begun)

    def _grow_call(self, call: Mapping[str, Any]) -> Iterator[bytes]:
        function, tool = call.get("function") or {}, call.get("index", 0)
        if self._item is None or self._item.kind != "call" or self._item.tool != tool:
            yield from self._close()
            item = _Item("call", len(self._done), tool, call.get("id") or "", function.get("name") or "")
            yield from self._open(item)
        if function.get("arguments"):
            yield from self._grow("call", function["arguments"])

    def _grow(self, kind: _Kind, text: str, logprobs: Sequence[Any] = ()) -> Iterator[bytes]:
        if self._item is None or self._item.kind != kind:
            yield from self._close()
            yield from self._open(_Item(kind, len(self._done)))
        if self._item is not None:
            self._item.text += text
            self._item.logprobs += logprobs
            more: dict[str, Any] = {"logprobs": logprobs} if kind == "message" else {}
            yield self._event(f"{_DELTAS[kind]}.delta", **self._place(self._item), delta=text, **more)

    def _open(self, item: _Item) -> Iterator[bytes]:
        self._item = item
        body = item.body(self._envelope, "in_progress")
        yield self._event("response.output_item.added", output_index=item.index, item=body)
        if item.kind != "call":
            part = _part(item)
            yield self._event("response.content_part.added", **self._place(item), part=part)

    def _close(self) -> Iterator[bytes]:
        if self._item is not None and self._item.kind == "call" and not self._item.text:
            yield from self._grow("call", "{}")
        item, self._item = self._item, None
        if item is None:
            return
        place, said = self._place(item), {"arguments" if item.kind == "call" else "text": item.text}
        more: dict[str, Any] = {"logprobs": item.logprobs} if item.kind == "message" else {}
        named = {"name": item.name} if item.kind == "call" else {}
        yield self._event(f"{_DELTAS[item.kind]}.done", **place, **named, **said, **more)
        if item.kind != "call":
            yield self._event("response.content_part.done", **place, part=_part(item))
        body = item.body(self._envelope, "completed")
        self._done.append(body)
        yield self._event("response.output_item.done", output_index=item.index, item=body)

    def _place(self, item: _Item) -> dict[str, Any]:
        prefix = {"message": "msg", "reasoning": "rs", "call": "fc"}[item.kind]
        place = {"item_id": self._envelope.item_id(prefix, item.index), "output_index": item.index}
        return place if item.kind == "call" else place | {"content_index": 0}

    def _event(self, kind: str, **fields: Any) -> bytes:
        body = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"


def _part(item: _Item) -> dict[str, Any]:
    is_text = item.kind == "message"
    return text_part(item.text, item.logprobs) if is_text else {"type": "reasoning_text", "text": item.text}
