"""The bodies of vLLM's answers and stream events, with the fields and the order of the recorded ones."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from tests.sandbox.engine_output import Kind, Output, Part
from tests.sandbox.engine_wire import Call

FINGERPRINT = "vllm-0.32.0-sandbox"
DONE = b"data: [DONE]\n\n"


def compact(body: object) -> bytes:
    """Return JSON without spaces, as vLLM sends it."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def event(body: object) -> bytes:
    """Return one server-sent event."""
    return b"data: " + compact(body) + b"\n\n"


@dataclass(frozen=True)
class Answer:
    """Everything that the bodies of one answer share."""

    call: Call
    id: str
    created: int
    model: str
    finish_reason: str
    output: Output

    def whole(self, tokens: int) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        body = self._head("chat.completion" if self.call.chat else "text_completion")
        body["choices"] = [self._whole_choice(index, tokens) for index in range(self.call.choices)]
        body |= {"service_tier": None, "system_fingerprint": FINGERPRINT}
        body["usage"] = self._usage(tokens) | {"prompt_tokens_details": None, "completion_tokens_details": None}
        if self.call.chat:
            body |= {"prompt_logprobs": None, "prompt_token_ids": None, "prompt_text": None}
        return body | {"kv_transfer_params": None, "ec_transfer_params": None, "metrics": None}

    def opening(self) -> bytes:
        """Return the events that open a stream: each choice's role, for chat."""
        if not self.call.chat:
            return b""
        return b"".join(self._opening_event(index) for index in range(self.call.choices))

    def piece(self, start: int, stop: int, *, last: bool) -> bytes:
        """Return the events that carry the tokens from ``start`` up to ``stop``, one for each choice."""
        return b"".join(self._piece_events(index, start, stop, last) for index in range(self.call.choices))

    def closing(self, tokens: int) -> bytes:
        """Return the events that end a stream: the usage, if asked for, and the end mark."""
        if not self.call.options.include_usage:
            return DONE
        body = self._head(self._chunk_kind) | {"choices": [], "usage": self._usage(tokens)}
        return event(body | {"system_fingerprint": FINGERPRINT}) + DONE

    @property
    def _chunk_kind(self) -> str:
        return "chat.completion.chunk" if self.call.chat else "text_completion"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _usage(self, tokens: int) -> dict[str, Any]:
        completion = tokens * self.call.choices
        prompt = self.call.prompt_tokens
        return {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}

    def _whole_choice(self, index: int, tokens: int) -> dict[str, Any]:
        parts = self.output.whole(tokens, index)
        said = {"message": self._message(index, parts)} if self.call.chat else {"text": _joined(parts, Kind.TEXT)}
        ending = {"logprobs": self._probabilities(index, 0, tokens)} | {"finish_reason": self.finish_reason}
        ending |= {"stop_reason": None, "token_ids": None}
        if not self.call.chat:
            ending |= {"prompt_logprobs": None, "prompt_token_ids": None}
        return {"index": index} | said | ending | {"routed_experts": None}

    def _message(self, index: int, parts: list[Part]) -> dict[str, Any]:
        names = [part for part in parts if part.kind is Kind.NAME]
        calls = [self._whole_call(index, name, parts) for name in names]
        content = _joined(parts, Kind.TEXT) or (None if calls or parts else "")
        nothing = dict.fromkeys(("refusal", "annotations", "audio", "function_call"))
        called = {"tool_calls": calls} if calls else {}
        thoughts = {"reasoning": _joined(parts, Kind.THOUGHT) or None}
        return {"role": "assistant", "content": content} | nothing | called | thoughts

    def _whole_call(self, index: int, name: Part, parts: list[Part]) -> dict[str, Any]:
        arguments = _joined([part for part in parts if part.call == name.call], Kind.ARGUMENTS)
        function = {"name": name.text, "arguments": arguments}
        return {"id": self._call_id(index, name), "type": "function", "function": function}

    def _call_id(self, index: int, part: Part) -> str:
        return f"chatcmpl-tool-{hashlib.sha256(f'{self.id} {index} {part.call}'.encode()).hexdigest()[:16]}"

    def _delta(self, index: int, part: Part) -> dict[str, Any]:
        match part.kind:
            case Kind.THOUGHT:
                return {"reasoning": part.text}
            case Kind.TEXT:
                return {"content": part.text}
            case Kind.NAME:
                function = {"id": self._call_id(index, part), "type": "function", "index": part.call}
                return {"content": None, "tool_calls": [function | {"function": {"name": part.text}}]}
            case Kind.ARGUMENTS:
                return {"tool_calls": [{"index": part.call, "function": {"arguments": part.text}}]}

    def _opening_event(self, index: int) -> bytes:
        choice = {"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": None}
        body = self._head(self._chunk_kind) | {"choices": [choice | {"finish_reason": None}]}
        return event(body | self._running_usage(0) | {"prompt_token_ids": None, "prompt_text": None})

    def _piece_events(self, index: int, start: int, stop: int, last: bool) -> bytes:
        parts: list[Part | None] = list(self.output.parts(start, stop, index))
        if last and not parts:
            # What a parser took out at the very end still leaves an event that tells the end.
            parts = [None]
        ends = [last and number == len(parts) - 1 for number in range(len(parts))]
        told = [self._probabilities(index, start, stop), *(None for _ in parts[1:])]
        pieces = zip(parts, told, ends, strict=True)
        return b"".join(self._piece_event(index, part, stop, each, end) for part, each, end in pieces)

    def _piece_event(self, index: int, part: Part | None, stop: int, told: object, last: bool) -> bytes:
        said: dict[str, Any] = {"delta": self._delta(index, part) if part else {}}
        if not self.call.chat:
            said = {"text": part.text if part else ""}
        ending = {"logprobs": told, "finish_reason": self.finish_reason if last else None}
        ending |= {"stop_reason": None} if last else {}
        choice = {"index": index} | said | ending | {"token_ids": None}
        body = self._head(self._chunk_kind) | {"choices": [choice]} | self._running_usage(stop)
        # Without a usage event, the last piece is the one that carries the fingerprint.
        fingerprint = last and not self.call.options.include_usage
        return event(body | ({"system_fingerprint": FINGERPRINT} if fingerprint else {}))

    def _probabilities(self, index: int, start: int, stop: int) -> dict[str, Any] | None:
        """Return what chat tells of the tokens from ``start`` up to ``stop``, where it was asked for."""
        if self.call.probable is None:
            return None
        tokens = ["".join(part.text for part in self.output.parts(at, at + 1, index)) for at in range(start, stop)]
        return {"content": [_probability(token) | {"top_logprobs": self._probable(token)} for token in tokens]}

    def _probable(self, token: str) -> list[dict[str, Any]]:
        return [_probability(token)] * (self.call.probable or 0)

    def _running_usage(self, tokens: int) -> dict[str, Any]:
        if not self.call.options.continuous_usage_stats:
            return {}
        return {"usage": self._usage(tokens) | {"completion_tokens_details": None}}


def _probability(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": -0.125, "bytes": list(token.encode())}


def _joined(parts: list[Part], kind: Kind) -> str:
    return "".join(part.text for part in parts if part.kind is kind)
