"""Bringing an answer that has begun well to the client."""

import asyncio
from contextlib import suppress

from spillway.gateway.concurrency.cache import Monotonic
from spillway.gateway.concurrency.idle_timeout import IdleTimeout
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.failover.first_byte_gate import Opened
from spillway.gateway.limits.reservation import usage_so_far
from spillway.gateway.request.exchange import JSON, Exchange
from spillway.gateway.request_record import Record
from spillway.gateway.streaming.endpoint_formats import Rewriter, error_events, rewriter_for
from spillway.gateway.streaming.rewriting import rewrite_answer
from spillway.gateway.streaming.sse import sent_once
from spillway.gateway.streaming.usage import usage_of
from spillway.gateway.timeouts import DRAIN_SECONDS
from spillway.gateway.upstream import UpstreamRequest

_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
_NO_CACHE = (b"cache-control", b"no-cache")
_BROKEN = "the model stopped answering before the end of its answer; what came so far is incomplete"


class Relay:
    """Passes answers on. An upstream that is silent for ``idle_seconds`` counts as broken."""

    def __init__(self, monotonic: Monotonic, idle_seconds: float) -> None:
        self._monotonic = monotonic
        self._idle_seconds = idle_seconds

    async def pass_on(self, exchange: Exchange, request: UpstreamRequest, opened: Opened, record: Record) -> None:
        """Send a whole answer."""
        if request.stream:
            await self._stream(exchange, request, opened, record)
            return
        record.usage = usage_of(opened.first) or usage_so_far(request, 0)
        await exchange.start(200, [JSON, *_route_headers(record.path, record.code), *_dropped(opened)])
        exchange.hold(rewrite_answer(opened.block, opened.first, request.deployment))

    async def _stream(self, exchange: Exchange, request: UpstreamRequest, opened: Opened, record: Record) -> None:
        record.first_token = self._monotonic()
        rewriter = rewriter_for(request, opened.first)
        detail = "the stream ended without its end mark"
        try:
            if not exchange.started:
                await exchange.start(200, [*stream_head(record.path, record.code), *_dropped(opened)])
            await self._forward(exchange, opened, rewriter)
        except UpstreamUnavailable as err:
            detail = err.detail
        except TimeoutError:
            detail = f"no data for {self._idle_seconds:g} seconds"
        finally:
            record.usage = rewriter.usage or usage_so_far(request, rewriter.chunks)
        if rewriter.complete:
            await exchange.write(rewriter.end)
            await _drain(opened)
            return
        record.broken = True
        record.noted(str(rewriter.error or detail))
        await exchange.write(error_events(request.endpoint, _BROKEN, "stream_interrupted"))

    async def _forward(self, exchange: Exchange, opened: Opened, rewriter: Rewriter) -> None:
        if not await _pass(exchange, opened.block, rewriter):
            return
        async with IdleTimeout(self._idle_seconds) as silence:
            silence.listen()
            async for block in opened.stream.blocks:
                silence.heard()
                if not await _pass(exchange, block, rewriter):
                    return
                silence.listen()


async def _pass(exchange: Exchange, block: bytes, rewriter: Rewriter) -> bool:
    """Send what the client gets of a block; return whether more may follow."""
    if passed := sent_once(rewriter.rewrite(block)):
        await exchange.write(passed)
    return not (rewriter.done or rewriter.error)


async def _drain(opened: Opened) -> None:
    """Read the few bytes after the end mark: only a connection read to its end can serve the next request."""
    with suppress(UpstreamUnavailable, TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await anext(opened.stream.blocks, None)


def stream_head(path: str, code: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of a streamed answer, which say who answers and why."""
    return [_EVENTS, _NO_CACHE, *_route_headers(path, code)]


def _route_headers(path: str, code: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-spillway-target", path.encode()), (b"x-spillway-reason", code.encode())]


def _dropped(opened: Opened) -> list[tuple[bytes, bytes]]:
    """Return the header that names what the answer takes no account of; a stream that has begun can't have it."""
    names = opened.stream.dropped
    return [(b"x-spillway-dropped", ",".join(dict.fromkeys(names)).encode())] if names else []
