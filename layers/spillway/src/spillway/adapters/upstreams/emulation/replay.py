"""A whole answer, played back as a stream."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from spillway.gateway.streaming.sse import parsed
from spillway.gateway.upstream import UpstreamStream

_END = b"data: [DONE]\n\n"


def replayed(whole: UpstreamStream) -> UpstreamStream:
    """Return a stream of what comes whole; what is no completion goes on as it is, for the gate to judge."""
    return replace(whole, blocks=_blocks(whole))


async def _blocks(whole: UpstreamStream) -> AsyncIterator[bytes]:
    async for body in whole.blocks:
        answer = parsed(body)
        is_one = answer is not None and isinstance(answer.get("choices"), list)
        yield as_stream(answer) if answer is not None and is_one else b"data: " + body + b"\n\n"


def as_stream(answer: Mapping[str, Any]) -> bytes:
    """Return a chat completion as events: each choice whole, then why it ended, then the usage, with its tier."""
    head = {name: answer.get(name) for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    chunks: list[dict[str, Any]] = []
    for choice in answer["choices"]:
        index, message = choice.get("index", 0), choice.get("message") or {}
        shared = {"index": index, "logprobs": choice.get("logprobs")}
        chunks.append(head | {"choices": [{**shared, "delta": _delta(message), "finish_reason": None}]})
        end = {"index": index, "delta": {}, "logprobs": None, "finish_reason": choice.get("finish_reason")}
        chunks.append(head | {"choices": [end]})
    if usage := answer.get("usage"):
        tier = {"service_tier": answer["service_tier"]} if answer.get("service_tier") else {}
        chunks.append(head | {"choices": [], "usage": usage} | tier)
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + _END


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    delta = {name: value for name, value in message.items() if value is not None and name != "tool_calls"}
    if calls := message.get("tool_calls"):
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
    return delta
