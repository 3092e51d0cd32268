"""A whole answer out of a stream of one."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.sse import DONE, events, parsed, payload

_OBJECTS = {"chat.completion.chunk": "chat.completion"}


async def collected(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the body that the chunks of a stream amount to, or the error in its place.

    Raises UpstreamUnavailable for a stream without its end mark: half an answer is none.
    """
    answer: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    is_over = False
    async for block in blocks:
        for event in events(block):
            data = payload(event)
            is_over = is_over or data == DONE
            chunk = parsed(data)
            if chunk is None:
                continue
            if chunk.get("error") is not None:
                yield data
                return
            for piece in chunk.pop("choices", None) or ():
                _add(choices.setdefault(piece.get("index", 0), {}), piece)
            answer |= {name: value for name, value in chunk.items() if value is not None or name not in answer}
    if not is_over:
        raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the stream ended without its end mark")
    answer["object"] = _OBJECTS.get(answer.get("object", ""), answer.get("object"))
    yield orjson.dumps(answer | {"choices": [_ended(choices[index]) for index in sorted(choices)]})


def _add(choice: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Add a chunk's piece to its choice."""
    for name, value in piece.items():
        if name == "delta":
            _join(choice.setdefault("message", {"role": "assistant", "content": None}), value)
        elif name == "text":
            choice["text"] = choice.get("text", "") + value
        elif name == "logprobs":
            choice["logprobs"] = _appended(choice.get("logprobs"), value)
        elif value is not None or name not in choice:
            choice[name] = value


def _join(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for call in value or ():
                _join_call(message.setdefault("tool_calls", {}).setdefault(call.get("index", 0), {}), call)
        elif isinstance(value, str) and name != "role":
            message[name] = (message.get(name) or "") + value
        elif value is not None:
            message[name] = value


def _join_call(call: dict[str, Any], piece: Mapping[str, Any]) -> None:
    call |= {name: value for name, value in piece.items() if name not in ("index", "function") and value is not None}
    function = call.setdefault("function", {"name": "", "arguments": ""})
    for name, value in (piece.get("function") or {}).items():
        function[name] = (function.get(name) or "") + (value or "")


def _appended(held: Any, value: Any) -> Any:
    """Return log probabilities with more of them: lists of equal names."""
    if not isinstance(held, dict) or not isinstance(value, dict):
        return value or held
    return {name: [*(held.get(name) or ()), *(more or ())] for name, more in value.items()}


def _ended(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    if message and "tool_calls" in message:
        calls = message["tool_calls"]
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
        # A stream opens with an empty text, whatever follows.
        message["content"] = message["content"] or None
    return choice
