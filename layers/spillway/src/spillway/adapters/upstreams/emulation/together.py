"""Several answers as several requests, for targets that give one each: choices, or the answers to a list of prompts."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import orjson

from spillway.adapters.upstreams.chat_fallback import OpenChat
from spillway.adapters.upstreams.emulation.usage import added
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.sse import DONE, events, parsed, payload
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

# Which of the streams a block comes from; None at its end.
_Piece: TypeAlias = tuple[int, bytes | Exception | None]

# Blocks that may wait for a client that reads slower than the answers come.
_MOST_WAITING = 64


async def open_choices(open_one: OpenChat, request: UpstreamRequest) -> UpstreamStream:
    """Open one request for each choice."""
    return await _open_together(open_one, list(_singles(request)), 1)


async def open_prompts(open_one: OpenChat, request: UpstreamRequest) -> UpstreamStream:
    """Open one request for each prompt, whose choices are numbered through as OpenAI does."""
    prompts = request.body["prompt"]
    each = [replace(request, body=request.body | {"prompt": prompt}) for prompt in prompts]
    return await _open_together(open_one, each, request.demand.choices // len(prompts))


async def _open_together(open_one: OpenChat, requests: Sequence[UpstreamRequest], answers: int) -> UpstreamStream:
    """Open requests of so many ``answers`` each: all of them begin well, or the first failure is raised."""
    opening = [asyncio.ensure_future(open_one(request)) for request in requests]
    try:
        streams = await asyncio.gather(*opening)
    except BaseException:
        await _give_up(opening)
        raise
    blocks = _interleaved(streams, answers) if requests[0].stream else _merged(streams, answers)

    async def close() -> None:
        await blocks.aclose()
        for stream in streams:
            await stream.close()

    dropped = dict.fromkeys(name for stream in streams for name in stream.dropped)
    return UpstreamStream(blocks, close, dropped=tuple(dropped))


def _singles(request: UpstreamRequest) -> Iterator[UpstreamRequest]:
    """Yield each choice's request; a seed moves on as vLLM moves it for its choices, or all of them were the same."""
    body = {name: value for name, value in request.body.items() if name not in ("n", "best_of")}
    seed = body.get("seed")
    for index in range(int(request.body["n"])):
        yield replace(request, body=body | {"seed": seed + index} if isinstance(seed, int) else body)


async def _give_up(opening: Sequence[asyncio.Future[UpstreamStream]]) -> None:
    for each in opening:
        each.cancel()
    for opened in await asyncio.gather(*opening, return_exceptions=True):
        if isinstance(opened, UpstreamStream):
            await opened.close()


async def _merged(streams: Sequence[UpstreamStream], answers: int) -> AsyncGenerator[bytes, None]:
    """Yield one body with the choices of all; an answer that is none goes on alone, for the gate to judge."""
    merged: dict[str, Any] = {}
    for position, body in enumerate(await asyncio.gather(*map(_whole, streams))):
        answer = parsed(body)
        if answer is None or not isinstance(answer.get("choices"), list):
            yield body
            return
        choices = _numbered(answer, position * answers)
        usage = added(merged.get("usage") or {}, answer.get("usage") or {})
        merged = (merged or answer) | {"choices": [*merged.get("choices", ()), *choices], "usage": usage}
    yield orjson.dumps(merged)


def _numbered(answer: dict[str, Any], first: int) -> list[dict[str, Any]]:
    return [choice | {"index": first + choice.get("index", 0)} for choice in answer.get("choices") or ()]


async def _whole(stream: UpstreamStream) -> bytes:
    return b"".join([block async for block in stream.blocks])


class _Interleaving:
    """The events of several streams in the order in which they come, as those of one."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}

    def rewritten(self, block: bytes, position: int) -> tuple[bytes, bool]:
        """Return what a block of one stream amounts to, and whether it ended that stream."""
        out = b""
        for event in events(block):
            data = payload(event)
            if data == DONE:
                return out, True
            chunk = parsed(data)
            if chunk is None or chunk.get("error") is not None:
                # A comment, or an error that ends everything.
                out += event + b"\n\n"
                continue
            out += self._chunk(chunk, position)
        return out, False

    def end(self) -> bytes:
        """Return the usage of all and the end mark."""
        usage = _event(self._head | {"choices": [], "usage": self._usage}) if self._usage else b""
        return usage + b"data: [DONE]\n\n"

    def _chunk(self, chunk: dict[str, Any], position: int) -> bytes:
        if not self._head:
            self._head = {name: chunk[name] for name in ("id", "object", "created", "model") if name in chunk}
        if usage := chunk.pop("usage", None):
            self._usage = added(self._usage, usage)
        choices = _numbered(chunk, position * self._answers)
        return _event(chunk | self._head | {"choices": choices}) if choices else b""


async def _interleaved(streams: Sequence[UpstreamStream], answers: int) -> AsyncGenerator[bytes, None]:
    """Yield the streams' events as they come; raises what one of them breaks off with."""
    waiting: asyncio.Queue[_Piece] = asyncio.Queue(_MOST_WAITING)
    pumps = [asyncio.create_task(_pump(stream, position, waiting)) for position, stream in enumerate(streams)]
    together, unfinished = _Interleaving(answers), set(range(len(streams)))
    try:
        while unfinished:
            position, block = await waiting.get()
            if isinstance(block, Exception):
                raise block
            if block is None:
                if position in unfinished:
                    raise UpstreamUnavailable(Code.PRIMARY_FAILED, "one of several answers ended without its end mark")
                continue
            passed, is_over = together.rewritten(block, position)
            if is_over:
                unfinished.discard(position)
            if passed:
                yield passed
        yield together.end()
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(stream: UpstreamStream, position: int, waiting: asyncio.Queue[_Piece]) -> None:
    try:
        async for block in stream.blocks:
            await waiting.put((position, block))
    except Exception as err:  # noqa: BLE001 - whatever it is, who reads the queue raises it
        await waiting.put((position, err))
    else:
        await waiting.put((position, None))


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
