"""Endpoints that a target lacks, answered by its chat completions: the client sees the form it asked for."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import orjson

from spillway.adapters.upstreams.completions_as_chat import CompletionsAsChat
from spillway.adapters.upstreams.http_channel import Chunks
from spillway.adapters.upstreams.responses_as_chat import ResponsesAsChat
from spillway.domain.errors import Rejected
from spillway.gateway.streaming.sse import events, parsed, payload
from spillway.gateway.upstream import Endpoint, UpstreamRequest, UpstreamStream

OpenChat: TypeAlias = Callable[[UpstreamRequest], Awaitable[UpstreamStream]]


class Translation(Protocol):
    """One request's way to chat and its answer's way back; ``dropped`` names what stays behind of the request."""

    dropped: list[str]

    def chat_body(self) -> dict[str, Any]:
        """Return the chat request; raises InvalidRequest for what chat has no form for."""
        ...

    def client_name(self, field: str) -> str:
        """Return what the client called a field of the chat request, for errors and headers."""
        ...

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return a whole chat completion in the client's form."""
        ...

    def chunk(self, chunk: dict[str, Any]) -> bytes:
        """Return the events that a chat chunk amounts to."""
        ...

    def end(self) -> bytes:
        """Return the events that end the stream, in place of the end mark."""
        ...


_TRANSLATIONS: Mapping[Endpoint, Callable[[UpstreamRequest], Translation]] = {
    "completions": CompletionsAsChat,
    "responses": ResponsesAsChat,
}


async def open_as_chat(open_chat: OpenChat, request: UpstreamRequest) -> UpstreamStream:
    """Send a request as a chat completion and give back its answer in the request's own form."""
    translation = _TRANSLATIONS[request.endpoint](request)
    body = translation.chat_body()
    try:
        stream = await open_chat(replace(request, endpoint="chat/completions", body=body))
    except Rejected as err:
        err.param = err.param and translation.client_name(err.param)
        raise
    dropped = (*translation.dropped, *map(translation.client_name, stream.dropped))
    translate = _streamed if request.stream else _whole
    blocks = translate(stream.blocks, translation)

    async def close() -> None:
        await stream.close()
        await blocks.aclose()

    return replace(stream, blocks=blocks, close=close, dropped=dropped)


async def _whole(bodies: Chunks, translation: Translation) -> AsyncGenerator[bytes, None]:
    async for body in bodies:
        answer = parsed(body)
        # What is no completion (an error under status 200) goes on as it is: the gate knows what to make of it.
        is_one = answer is not None and isinstance(answer.get("choices"), list) and answer["choices"]
        yield orjson.dumps(translation.whole(answer)) if answer is not None and is_one else body


async def _streamed(blocks: Chunks, translation: Translation) -> AsyncGenerator[bytes, None]:
    async for block in blocks:
        if translated := b"".join(_translated(event, translation) for event in events(block)):
            yield translated


def _translated(event: bytes, translation: Translation) -> bytes:
    data = payload(event)
    if data == b"[DONE]":
        return translation.end()
    chunk = parsed(data)
    if chunk is None or chunk.get("error") is not None:
        return event + b"\n\n"
    return translation.chunk(chunk)
