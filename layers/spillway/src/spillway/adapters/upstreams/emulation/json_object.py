"""A JSON object as an answer, for targets that have no such response format: asked for in words, and checked."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from spillway.adapters.upstreams.chat_fallback import OpenChat
from spillway.adapters.upstreams.emulation.replay import as_stream
from spillway.adapters.upstreams.emulation.usage import added
from spillway.domain.capabilities.card import JSON_TRIES
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.sse import parsed
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

_INSTRUCTION = "Answer with one JSON object and with nothing else: no other text, and no code fence around it."
# gpt-oss on Bedrock's OpenAI-compatible endpoint writes its thoughts into the text, other models theirs.
_ENDS_OF_THOUGHTS = ("</reasoning>", "</think>")


async def open_json_object(open_one: OpenChat, request: UpstreamRequest) -> UpstreamStream:
    """Return an answer that is a JSON object; whole, because it is checked, and played back where a stream is wanted.

    A model that fails twice raises UpstreamUnavailable. The usage is that of all tries.
    """
    asked = _instructed(request.whole())
    spent: dict[str, Any] = {}
    for _ in range(JSON_TRIES):
        stream = await open_one(asked)
        try:
            body = b"".join([block async for block in stream.blocks])
        finally:
            await stream.close()
        answer = parsed(body)
        if answer is None or not isinstance(answer.get("choices"), list) or not answer["choices"]:
            return _of(body, stream)
        spent = added(spent, answer.get("usage") or {})
        checked = _checked(answer["choices"][0])
        if checked is not None:
            answer |= {"choices": [checked], "usage": spent}
            return _of(as_stream(answer) if request.stream else orjson.dumps(answer), stream)
    raise UpstreamUnavailable(Code.PRIMARY_FAILED, f"no JSON object in {JSON_TRIES} answers")


def _instructed(request: UpstreamRequest) -> UpstreamRequest:
    """Return the request with the instruction in its first system message, or in one of its own before all others."""
    body = {name: value for name, value in request.body.items() if name != "response_format"}
    first, *others = body["messages"]
    if first["role"] == "system" and isinstance(first.get("content"), str):
        messages = [{**first, "content": f"{first['content']}\n\n{_INSTRUCTION}"}, *others]
    else:
        messages = [{"role": "system", "content": _INSTRUCTION}, first, *others]
    return replace(request, body=body | {"messages": messages})


def _checked(choice: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a choice whose content is a JSON object alone, None where there is none.

    What was cut off by its limit, or is a call, is what a response format would have left as well.
    """
    message = choice.get("message") or {}
    if choice.get("finish_reason") != "stop" or message.get("tool_calls"):
        return dict(choice)
    text = _bare(message.get("content") or "")
    if parsed(text.encode()) is None:
        return None
    return {**choice, "message": {**message, "content": text}}


def _bare(text: str) -> str:
    for end in _ENDS_OF_THOUGHTS:
        text = text.rpartition(end)[2]
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.removeprefix("```").removesuffix("```").removeprefix("json").strip()
    return text


def _of(body: bytes, read: UpstreamStream) -> UpstreamStream:
    """Return a body in place of the answer that was read for it."""

    async def blocks() -> AsyncIterator[bytes]:
        yield body

    async def close() -> None:
        return None

    return replace(read, blocks=blocks(), close=close)
