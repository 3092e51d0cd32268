"""Serving one request to a model: open, relay, settle."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from spillway.domain.errors import Rejected
from spillway.domain.routing.route import Route
from spillway.gateway.concurrency.cache import Monotonic
from spillway.gateway.dispatch import Dispatch, RequestContext
from spillway.gateway.errors import ClientGone, Unavailable
from spillway.gateway.limits.reservation import usage_unheard
from spillway.gateway.metering.meter import Meter
from spillway.gateway.metering.text_log import TextLog
from spillway.gateway.relay import Relay
from spillway.gateway.request.exchange import Copy, Exchange
from spillway.gateway.request.routing_headers import NO_ROUTING_HEADERS, RoutingHeaders
from spillway.gateway.request_record import CLIENT_GONE, Record
from spillway.gateway.streaming.endpoint_formats import error_events
from spillway.gateway.streaming.keepalive import KeepAlive
from spillway.gateway.timeouts import COMMENT_EVERY_SECONDS, SETTLE_SECONDS
from spillway.gateway.upstream import UpstreamRequest
from spillway.http_errors import error_type

Settle: TypeAlias = Callable[[Record], Coroutine[None, None, None]]


@dataclass(frozen=True)
class Completions:
    """Answers requests to deployments whose route is known."""

    dispatch: Dispatch
    relay: Relay
    meter: Meter
    monotonic: Monotonic
    comment_every_seconds: float = COMMENT_EVERY_SECONDS
    texts: TextLog | None = None
    # Lambda does once an answer has ended; a server goes on, and what it counts it only notes before it writes.
    freezes: bool = True
    # What was begun for answers that have ended, for a server that is going to end to wait for.
    late: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(
        self,
        exchange: Exchange,
        request: UpstreamRequest,
        route: Route,
        key_id: str,
        asked: RoutingHeaders = NO_ROUTING_HEADERS,
        settle: Settle | None = None,
        begun: float | None = None,
    ) -> None:
        """Answer but for the end, which the caller sends: by then the request is metered and the wake asked for.

        ``settle`` is told of the request's end, whatever it is; ``begun`` is when the wait for its answer began, if it
        did before. Raises Rejected or Unavailable when nothing has been sent, ClientGone when nobody is left.
        """
        begun = self.monotonic() if begun is None else begun
        record = Record(exchange.request_id, route.name, key_id, begun, stream=request.stream)
        alive = KeepAlive(exchange, self.comment_every_seconds) if request.stream else None
        context = RequestContext(request, route, asked, record, self.meter.count, alive)
        if route.logs_text and self.texts is not None:
            exchange.copy = Copy()
        try:
            await self._answer(exchange, context)
        except (Unavailable, Rejected) as err:
            record.status, record.code = err.status, err.code
            if not exchange.started:
                raise
            record.broken = True
            await exchange.write(error_events(request.endpoint, err.message, err.code, error_type(err.status)))
        except ClientGone:
            record.status = CLIENT_GONE
            if record.asked is not None and record.role == "none":
                record.answered_by(*record.asked)
                record.usage = usage_unheard(request, record.path)
            raise
        finally:
            settling = [self.meter.settle(record), self.meter.tell(record)]
            if settle is not None:
                settling.append(settle(record))
            if exchange.copy is not None and self.texts is not None:
                settling.append(self.texts.add(request, record, exchange.copy))
            await self._settle(settling, context.background)

    async def _settle(
        self, settling: Sequence[Coroutine[None, None, None]], background: list[asyncio.Task[None]]
    ) -> None:
        if self.freezes:
            background += [asyncio.create_task(one) for one in settling]
            # The answer's end waits for these; never longer than a moment.
            _, late = await asyncio.wait(background, timeout=SETTLE_SECONDS)
        else:
            for one in settling:
                await one
            late = {task for task in background if not task.done()}
        for task in late:
            self.late.add(task)
            task.add_done_callback(self.late.discard)

    async def _answer(self, exchange: Exchange, context: RequestContext) -> None:
        record = context.record
        async with exchange.hangup():
            try:
                opened = await self.dispatch.open(context)
            finally:
                if context.alive is not None:
                    await context.alive.quiet()
            try:
                record.answered_by(opened.choice, opened.code)
                record.status = 200
                await self.relay.pass_on(exchange, context.request, opened, record)
                if opened.stream.used is not None and not record.broken:
                    record.noted(opened.stream.used(record.usage.completion))
            finally:
                await opened.stream.close()
