"""OpenAI's chunks from those of containers that write them in a way of their own."""

from collections.abc import Mapping
from typing import Any

import orjson

from spillway.adapters.upstreams.emulation.replay import as_stream
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.limits.reservation import usage_so_far
from spillway.gateway.streaming.sse import DONE, events, parsed, payload
from spillway.gateway.upstream import UpstreamRequest

# LMI's and TGI's reasons that an answer ended for.
_REASONS = {"eos_token": "stop", "stop_sequence": "stop"}
# LMI's, where its engine gave the answer up.
_FAILED = frozenset({"error", "abort"})
# TGI's kinds of errors, as the status that they have outside of streams.
_STATUSES = {"validation": 422, "template_error": 422, "tool_error": 422, "overloaded": 429}


class ChunkReader:
    """Follows one stream, which is whole once the container has said of every choice why it ended.

    What LMI and TGI leave out is made up: ids, the model, the usage, the end mark. A chunk is a token of theirs.
    """

    def __init__(self, request: UpstreamRequest) -> None:
        self._request = request
        is_chat = request.endpoint == "chat/completions"
        self._object = "chat.completion.chunk" if is_chat else "text_completion"
        self._id = f"{'chatcmpl' if is_chat else 'cmpl'}-{request.request_id}"
        self._last: dict[str, Any] = {}
        self._usage: Mapping[str, Any] | None = None
        self._tokens = 0
        # Whether each choice has ended, by its index; calls by their choice and their own.
        self._choices: dict[int, bool] = {}
        self._calls: set[tuple[int, int]] = set()
        self._is_over = False

    def read(self, block: bytes) -> bytes:
        """Return what a block of whole events amounts to; raises UpstreamUnavailable for what is no chunk."""
        return b"".join(self._read(event) for event in events(block))

    def end(self) -> bytes:
        """Return the usage and the end mark; nothing where the answer is not whole, or both were sent."""
        return self._ending() if self._choices and all(self._choices.values()) else b""

    def _read(self, event: bytes) -> bytes:
        data = payload(event)
        if not data:
            # A comment: the container is alive.
            return event + b"\n\n"
        if data == DONE:
            return self._ending()
        chunk = parsed(data)
        if chunk is None:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "a part of the stream is not a JSON object")
        if chunk.get("error") is not None:
            return _event({"error": _error(chunk)})
        self._usage = chunk.pop("usage", None) or self._usage
        choices = chunk.get("choices") or []
        return self._chunk(chunk, choices) if choices else b""

    def _chunk(self, chunk: dict[str, Any], choices: list[dict[str, Any]]) -> bytes:
        if any(choice.get("finish_reason") in _FAILED for choice in choices):
            return _event({"error": {"message": "the container gave the answer up", "code": 500}})
        head = {"id": chunk.get("id") or self._id, "object": self._object, "model": self._request.deployment}
        self._last = head | {name: chunk[name] for name in ("created", "system_fingerprint") if name in chunk}
        for choice in choices:
            reason = choice.get("finish_reason")
            choice["finish_reason"] = _REASONS.get(reason, reason) if reason else None
        if any("message" in choice for choice in choices):
            return self._whole(choices)
        self._tokens += len(choices)
        return _event(self._last | {"choices": [self._choice(choice) for choice in choices]})

    def _whole(self, choices: list[dict[str, Any]]) -> bytes:
        """Return an answer in one piece, which a container may give whatever it was asked for, as a stream."""
        self._is_over = True
        return as_stream(self._last | {"choices": choices, "usage": self._usage})

    def _choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        index, delta = choice.get("index", 0), choice.get("delta")
        if isinstance(delta, dict):
            if index in self._choices:
                # TGI tells it in every chunk, and clients join what they are told.
                delta.pop("role", None)
            for call in delta.get("tool_calls") or ():
                self._complete(index, call)
        self._choices[index] = choice["finish_reason"] is not None
        return choice

    def _complete(self, index: int, call: dict[str, Any]) -> None:
        """Tell a call's id and type with its first piece and its name only there, as LMI does not for named ones."""
        key, function = (index, call.get("index", 0)), call.get("function") or {}
        if key in self._calls:
            function.pop("name", None)
            return
        self._calls.add(key)
        call |= {"id": call.get("id") or f"call-{self._request.request_id}-{key[0]}-{key[1]}", "type": "function"}

    def _ending(self) -> bytes:
        if self._is_over:
            return b""
        self._is_over = True
        usage = self._usage or self._guessed()
        return _event(self._last | {"choices": [], "usage": usage}) + b"data: " + DONE + b"\n\n"

    def _guessed(self) -> dict[str, int]:
        usage = usage_so_far(self._request, self._tokens)
        return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total}


def _error(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error in OpenAI's form: TGI's and LMI's are a text, with a kind or a status beside it."""
    error = chunk["error"]
    if isinstance(error, dict):
        return {**error, "code": error.get("code") or error.get("http_status_code")}
    return {"message": str(error), "code": _STATUSES.get(str(chunk.get("error_type"))) or chunk.get("code") or 500}


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"
