"""JumpStart's containers round an emulated engine: what each takes and refuses, and the form that its answers have.

vLLM's container is the engine itself. LMI's and TGI's forms are those of their code: djl-serving 0.29, 0.34 and 0.36,
text-generation-inference 2.0 and 3.3.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

_STREAMED_USAGE = {"stream_options": {"include_usage": True}}
# As their models of requests list them; what else there is they pass over, tools on LMI before 0.32 included. TGI makes
# a grammar of tools, which is not played here.
_TGI_FIELDS = {"messages", "frequency_penalty", "max_tokens", "presence_penalty", "seed", "stop", "stream"}
_TGI_FIELDS |= {"temperature", "top_p"}
_OLD_LMI_FIELDS = _TGI_FIELDS | {"ignore_eos"}


class ContainerError(Exception):
    """A container's refusal; with ``in_stream`` it comes as an event under status 200."""

    def __init__(self, status: int, body: Mapping[str, Any], *, in_stream: bool = False) -> None:
        super().__init__(body)
        self.status, self.body, self.in_stream = status, json.dumps(body).encode(), in_stream


class Container:
    """vLLM's own: everything passes as it is."""

    stream_type = "text/event-stream; charset=utf-8"

    def request(self, raw: bytes) -> bytes:
        """Return the engine's request. Raises :class:`ContainerError`."""
        return raw

    def refusal(self, raw: bytes, status: int) -> bytes:
        """Return the body of an engine's refusal."""
        return raw

    def whole(self, raw: bytes) -> bytes:
        """Return the body of an answer in one piece."""
        return raw

    async def stream(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the stream's bytes."""
        async for chunk in chunks:
            yield chunk


class _Rewriting(Container, ABC):
    async def stream(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        held = b""
        async for chunk in chunks:
            *events, held = (held + chunk).split(b"\n\n")
            for event in events:
                if written := b"".join(self._event(event.removeprefix(b"data: "))):
                    yield written

    @abstractmethod
    def _event(self, data: bytes) -> Iterator[bytes]:
        """Yield what the container writes of an engine's event."""


class _LmiOnVllm(_Rewriting):
    """LMI from 0.35 on: vLLM's own chunks, a line each, and an empty line for the end mark."""

    stream_type = "application/jsonlines"

    def refusal(self, raw: bytes, status: int) -> bytes:
        return json.dumps({"error": json.loads(raw)["error"]["message"], "code": status}).encode()

    def _event(self, data: bytes) -> Iterator[bytes]:
        yield b"\n" if data == b"[DONE]" else data + b"\n"


class _Lmi(_LmiOnVllm):
    """LMI before 0.35: lines of its own, without model, usage and end mark; a token each."""

    def __init__(self, *, is_old: bool) -> None:
        self._is_old = is_old
        self._has_begun = False
        self._named: str | None = None

    def request(self, raw: bytes) -> bytes:
        body = json.loads(raw)
        if "messages" not in body:
            raise _lmi_error("Invalid Request Property: 'inputs'")
        if self._is_old:
            body = {"max_tokens": 30} | {name: value for name, value in body.items() if name in _OLD_LMI_FIELDS}
        elif body.get("tool_choice") == "required":
            raise _lmi_error('tool_choice = "required" is not supported!')
        choice = body.get("tool_choice")
        self._named = choice["function"]["name"] if isinstance(choice, dict) else None
        return json.dumps({**body, "n": 1} | (_STREAMED_USAGE if body.get("stream") else {})).encode()

    def whole(self, raw: bytes) -> bytes:
        answer = json.loads(raw)
        for choice in answer["choices"]:
            choice["finish_reason"] = _eos(choice["finish_reason"])
        return json.dumps({name: answer[name] for name in ("id", "object", "created", "choices", "usage")}).encode()

    def _event(self, data: bytes) -> Iterator[bytes]:
        chunk = {} if data == b"[DONE]" else json.loads(data)
        if "error" in chunk:
            # What failed is in its log alone.
            yield self._line({}, {"content": ""}, "error")
        for choice in chunk.get("choices", ()):
            *texts, last = _tokens(choice["delta"].get("content"))
            yield from (self._line(chunk, {"content": text}, None) for text in texts)
            delta = {"content": last} if last else self._called(choice["delta"])
            if last or "tool_calls" in delta or choice["finish_reason"]:
                yield self._line(chunk, delta, _eos(choice["finish_reason"]))

    def _called(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        """Return a piece of a call; one of a function that was named tells the name each time, and no id."""
        pieces = [each["function"].get("arguments", "") for each in delta.get("tool_calls", ())]
        if not pieces:
            return {"content": ""}
        if self._named is None:
            return {"tool_calls": delta["tool_calls"]}
        return {"tool_calls": [{"index": 0, "function": {"name": self._named, "arguments": "".join(pieces)}}]}

    def _line(self, chunk: Mapping[str, Any], delta: dict[str, Any], reason: str | None) -> bytes:
        role = {} if self._has_begun else {"role": "assistant"}
        self._has_begun = True
        choice = {"index": 0, "delta": delta | role, "logprobs": None, "finish_reason": reason}
        head = {"id": chunk.get("id"), "object": "chat.completion.chunk", "created": chunk.get("created")}
        return json.dumps(head | {"choices": [choice]}).encode() + b"\n"


class _Tgi(_Rewriting):
    """TGI behind ``/invocations``: messages, whose types are strict; up to 2.2 neither usage nor "stop" in streams."""

    stream_type = "text/event-stream"

    def __init__(self, release: tuple[int, int]) -> None:
        self._release = release
        self._wants_usage = False
        self._ending: dict[str, Any] = {}

    def request(self, raw: bytes) -> bytes:
        body = json.loads(raw)
        self._check_types(body)
        streams = bool(body.get("stream"))
        self._wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        if body.get("temperature", 1) <= 0:
            raise _tgi_error("`temperature` must be strictly positive", in_stream=streams)
        if not 0 < body.get("top_p", 0.5) < 1:
            raise _tgi_error("`top_p` must be > 0.0 and < 1.0", in_stream=streams)
        if self._release >= (3, 2) and "max_completion_tokens" in body:
            body["max_tokens"] = body["max_completion_tokens"]
        kept = {"max_tokens": 100} | {name: value for name, value in body.items() if name in _TGI_FIELDS}
        return json.dumps(kept | (_STREAMED_USAGE if streams else {})).encode()

    def _check_types(self, body: Mapping[str, Any]) -> None:
        if "messages" not in body:
            raise _tgi_type_error("missing field `messages`")
        if self._release < (2, 4) and "model" not in body:
            raise _tgi_type_error("missing field `model`")
        if not isinstance(body.get("stop", []), list):
            raise _tgi_type_error("stop: invalid type: string, expected a sequence")
        if self._release < (2, 1) and any(isinstance(each.get("content"), list) for each in body["messages"]):
            raise _tgi_type_error("messages[0].content: invalid type: sequence, expected a string")

    def refusal(self, raw: bytes, status: int) -> bytes:
        kind = "overloaded" if status in (429, 503) else "validation"
        return json.dumps({"error": json.loads(raw)["error"]["message"], "error_type": kind}).encode()

    def whole(self, raw: bytes) -> bytes:
        answer = json.loads(raw)
        choices = [each | {"finish_reason": self._reason(each["finish_reason"])} for each in answer["choices"]]
        return json.dumps(answer | {"id": "", "object": "text_completion", "choices": choices}).encode()

    def _event(self, data: bytes) -> Iterator[bytes]:
        chunk = {} if data == b"[DONE]" else json.loads(data)
        if usage := chunk.get("usage"):
            # It stands beside the reason.
            self._ending |= {"usage": usage} if self._wants_usage and self._release >= (2, 3) else {}
        if not chunk:
            yield _tgi_event(self._ending)
            yield from (b"data: [DONE]\n\n",) if self._release >= (2, 2) else ()
        if "error" in chunk:
            yield _tgi_event({"error": chunk["error"]["message"], "error_type": "generation"})
        for choice in chunk.get("choices", ()):
            *texts, last = _tokens(choice["delta"].get("content"))
            yield from (_tgi_event(self._written(chunk, text, None)) for text in texts)
            if choice["finish_reason"]:
                self._ending = self._written(chunk, last, self._reason(choice["finish_reason"]))
            elif last:
                yield _tgi_event(self._written(chunk, last, None))

    def _written(self, chunk: Mapping[str, Any], text: str | None, reason: str | None) -> dict[str, Any]:
        head = {"id": "", "object": "chat.completion.chunk" if self._release >= (2, 3) else "text_completion"}
        delta = {"role": "assistant", "content": text}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return head | {"created": chunk["created"], "model": "/opt/ml/model", "choices": [choice]}

    def _reason(self, reason: str | None) -> str | None:
        return reason if self._release >= (2, 3) else _eos(reason)


def container_of(image: str) -> Container:
    """Return a fresh container for one request to an image; one that is no other's is vLLM's."""
    if found := re.search(r"-tgi(\d+)\.(\d+)", image):
        return _Tgi((int(found[1]), int(found[2])))
    if found := re.search(r"/djl-inference:(\d+)\.(\d+)", image):
        release = (int(found[1]), int(found[2]))
        return _LmiOnVllm() if release >= (0, 35) else _Lmi(is_old=release < (0, 32))
    return Container()


def _tokens(text: str | None) -> list[str | None]:
    """Return a text's tokens, which these containers send one by one; None alone for no text."""
    return [*re.findall(r"\s*\S+|\s+$", text or "")] or [None]


def _eos(reason: str | None) -> str | None:
    return "eos_token" if reason == "stop" else reason


def _lmi_error(told: str) -> ContainerError:
    message = f"Input Parsing failed. Ensure that the request payload is valid. {told}"
    return ContainerError(424, {"error": message, "code": 424})


def _tgi_error(told: str, *, in_stream: bool) -> ContainerError:
    return ContainerError(
        422, {"error": f"Input validation error: {told}", "error_type": "validation"}, in_stream=in_stream
    )


def _tgi_type_error(told: str) -> ContainerError:
    return ContainerError(422, {"error": f"Failed to deserialize the JSON body into the target type: {told}"})


def _tgi_event(body: Mapping[str, Any]) -> bytes:
    return b"data:" + json.dumps(body).encode() + b"\n\n"
