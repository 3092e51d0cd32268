"""vLLM's ``/v1/responses``: what a body means, and answers with the fields and the order of the recorded one."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from tests.sandbox.engine_answers import Answer, compact
from tests.sandbox.engine_output import Kind, Part
from tests.sandbox.engine_wire import ApiError, Call, StreamOptions, read_json, validated
from tests.sandbox.wording import count_chat_tokens, message_text


class ResponseBody(BaseModel):
    """The fields of a request that change the answer, and those that the answer repeats."""

    model: str | None = None
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    stream: bool = False
    temperature: float = 1.0
    tool_choice: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] = []
    top_p: float = 1.0
    truncation: str = "disabled"
    user: str | None = None
    ignore_eos: bool = False


@dataclass(frozen=True, kw_only=True)
class ResponseCall(Call):
    """A checked request for a response."""

    body: ResponseBody


def read_response(content_type: str, raw: bytes) -> Call:
    """Return the call of a response's body. Raises :class:`ApiError`."""
    body = validated(ResponseBody, read_json(content_type, raw))
    if body.previous_response_id is not None:
        raise ApiError(404, f"Response with id '{body.previous_response_id}' not found.", kind="invalid_request_error")
    if body.tool_choice is None:
        body = body.model_copy(update={"tool_choice": "auto" if body.tools else "none"})
    said = [{"content": body.input}] if isinstance(body.input, str) else body.input
    messages = [*([{"content": body.instructions}] if body.instructions else []), *said]
    named = body.tool_choice if isinstance(body.tool_choice, dict) else {}
    return ResponseCall(
        chat=True,
        model=body.model,
        prompt="\n".join(map(message_text, messages)),
        prompt_tokens=count_chat_tokens(messages),
        max_tokens=body.max_output_tokens,
        choices=1,
        stream=body.stream,
        options=StreamOptions(),
        ignore_eos=body.ignore_eos,
        tools=tuple({"type": "function", "function": tool} for tool in body.tools if tool.get("type") == "function"),
        tool_choice={"type": "function", "function": named} if named else body.tool_choice,
        parallel=body.parallel_tool_calls,
        asked=message_text(messages[-1]),
        after_tools=messages[-1].get("type") == "function_call_output",
        body=body,
    )


@dataclass
class Item:
    """One item of a response's output, while its stream is on its way."""

    kind: Kind
    index: int
    call: int
    name: str = ""
    text: str = ""


_CONTENT = {
    Kind.TEXT: ("response.output_text", "output_text"),
    Kind.THOUGHT: ("response.reasoning_text", "reasoning_text"),
}


@dataclass(frozen=True)
class ResponseAnswer(Answer):
    """An answer as a response; its stream numbers its events and remembers its ``items``."""

    numbers: Iterator[int] = field(default_factory=itertools.count)
    items: list[Item] = field(default_factory=list)

    def whole(self, tokens: int) -> dict[str, Any]:
        """Return the body of an answer that is not streamed, or of a stream's last event."""
        cut = self.finish_reason == "length"
        status = "incomplete" if cut else "completed"
        reason = {"reason": "max_output_tokens"} if cut else None
        items: list[Item] = []
        for part in self.output.whole(tokens, 0):
            _added(items, part)
        return self._response(status, [self._item(item) for item in items], reason, self._tokens_used(tokens))

    def opening(self) -> bytes:
        """Return the events before the first word."""
        begun = self._response("in_progress", [], None, None)
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def piece(self, start: int, stop: int, *, last: bool) -> bytes:
        """Return the events that carry the tokens from ``start`` up to ``stop``."""
        return b"".join(self._piece(part) for part in self.output.parts(start, stop, 0))

    def closing(self, tokens: int) -> bytes:
        """Return the events that end a stream; there is no end mark."""
        return self._close() + self._event("response.completed", response=self.whole(tokens))

    def _piece(self, part: Part) -> bytes:
        before = len(self.items)
        closed = self._close() if before and not _continues(self.items[-1], part) else b""
        item = _added(self.items, part)
        opened = self._open(item) if len(self.items) > before else b""
        if part.kind is Kind.NAME:
            return closed + opened
        if item.kind in _CONTENT:
            logprobs: dict[str, Any] = {"logprobs": []} if item.kind is Kind.TEXT else {}
            kind = f"{_CONTENT[item.kind][0]}.delta"
            return closed + opened + self._event(kind, **self._place(item), delta=part.text, **logprobs)
        place = {"item_id": self._item(item)["id"], "output_index": item.index}
        return closed + opened + self._event("response.function_call_arguments.delta", **place, delta=part.text)

    def _open(self, item: Item) -> bytes:
        nothing: dict[str, Any] = {"content": []} if item.kind in _CONTENT else {"arguments": ""}
        begun = self._item(item) | nothing | {"status": "in_progress"}
        added = self._event("response.output_item.added", output_index=item.index, item=begun)
        if item.kind is not Kind.TEXT:
            return added
        return added + self._event("response.content_part.added", **self._place(item), part=_part(""))

    def _close(self) -> bytes:
        if not self.items:
            return b""
        item = self.items[-1]
        return b"".join(
            [
                *(self._event(kind, **fields) for kind, fields in self._endings(item)),
                self._event("response.output_item.done", output_index=item.index, item=self._item(item)),
            ]
        )

    def _endings(self, item: Item) -> Iterator[tuple[str, dict[str, Any]]]:
        match item.kind:
            case Kind.TEXT:
                yield "response.output_text.done", {**self._place(item), "text": item.text, "logprobs": []}
                yield "response.content_part.done", {**self._place(item), "part": _part(item.text)}
            case Kind.THOUGHT:
                yield "response.reasoning_text.done", {**self._place(item), "text": item.text}
            case _:
                place = {"item_id": self._item(item)["id"], "output_index": item.index}
                yield "response.function_call_arguments.done", place | {"name": item.name, "arguments": item.text}

    def _place(self, item: Item) -> dict[str, Any]:
        return {"item_id": self._item(item)["id"], "output_index": item.index, "content_index": 0}

    def _item(self, item: Item) -> dict[str, Any]:
        if item.kind is Kind.TEXT:
            fields = {"role": "assistant", "status": "completed", "type": "message", "phase": None}
            return {"id": f"msg_{self.id}", "content": [_part(item.text)], **fields}
        if item.kind is Kind.THOUGHT:
            content = [{"text": item.text, "type": "reasoning_text"}]
            return {"id": f"rs_{self.id}", "summary": [], "type": "reasoning", "content": content, "status": None}
        name = f"{self.id}_{item.call}"
        call = {"arguments": item.text, "call_id": f"call_{name}", "name": item.name, "type": "function_call"}
        return call | {"id": f"fc_{name}", "status": "completed"}

    def _response(
        self, status: str, output: list[dict[str, Any]], reason: dict[str, Any] | None, usage: dict[str, Any] | None
    ) -> dict[str, Any]:
        assert isinstance(self.call, ResponseCall)
        body = self.call.body
        head = {"id": self.id, "created_at": self.created, "incomplete_details": reason}
        told = {"instructions": body.instructions, "metadata": body.metadata, "model": self.model, "object": "response"}
        sampling = body.model_dump(include={"parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p"})
        limits = {"background": False, "max_output_tokens": self.call.max_tokens, "max_tool_calls": None}
        nothing = dict.fromkeys(("previous_response_id", "prompt", "reasoning"))
        ending = {"service_tier": "auto", "status": status, "text": None, "top_logprobs": None}
        rest = {"truncation": body.truncation, "usage": usage, "user": body.user}
        more = {"presence_penalty": 0.0, "frequency_penalty": 0.0}
        engine = dict.fromkeys(("kv_transfer_params", "ec_transfer_params", "input_messages", "output_messages"))
        return head | told | {"output": output} | sampling | limits | nothing | ending | rest | more | engine

    def _tokens_used(self, tokens: int) -> dict[str, Any]:
        prompt = self.call.prompt_tokens
        read = {"cached_tokens": 0, "cache_write_tokens": 0, "input_tokens_per_turn": [], "cached_tokens_per_turn": []}
        written = {"reasoning_tokens": 0, "tool_output_tokens": 0}
        written_by_turn: dict[str, Any] = {"output_tokens_per_turn": [], "tool_output_tokens_per_turn": []}
        return {
            "input_tokens": prompt,
            "input_tokens_details": read,
            "output_tokens": tokens,
            "output_tokens_details": {**written, **written_by_turn},
            "total_tokens": prompt + tokens,
        }

    def _event(self, kind: str, **fields: Any) -> bytes:
        body = {"type": kind, "sequence_number": next(self.numbers), **fields}
        return b"event: " + kind.encode() + b"\ndata: " + compact(body) + b"\n\n"


def _part(text: str) -> dict[str, Any]:
    return {"annotations": [], "text": text, "type": "output_text", "logprobs": None}


def _continues(item: Item, part: Part) -> bool:
    is_call = item.kind not in _CONTENT
    return part.kind is Kind.ARGUMENTS if is_call else part.kind is item.kind


def _added(items: list[Item], part: Part) -> Item:
    """Put a part to the item that it continues, or into a new one; return that."""
    if not items or not _continues(items[-1], part):
        items.append(Item(part.kind, len(items), part.call))
    if part.kind is Kind.NAME:
        items[-1].name = part.text
    else:
        items[-1].text += part.text
    return items[-1]
