"""Prompts and answers of the deployments that have it switched on, on their way to a log of their own.

No request fails because of it, or waits for it longer than TEXTS_SECONDS; what does not get through is lost, and
counted.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson

from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.log import Log
from spillway.gateway.request.exchange import Copy
from spillway.gateway.request_record import Record
from spillway.gateway.streaming.transcript import transcript
from spillway.gateway.timeouts import TEXTS_LATER_SECONDS, TEXTS_SECONDS
from spillway.gateway.upstream import UpstreamRequest

# Bytes of a request's text and of an answer's: with all escapes an event of CloudWatch's takes both.
MOST_TEXT_BYTES = 64 * 1024
_MOST_PENDING_BYTES = 16 * 1024 * 1024
# PutLogEvents takes 1,048,576 bytes a call, 26 of which each event has beside its text, and 10,000 events.
_MOST_BATCH_BYTES = 1_000_000
_MOST_BATCH_EVENTS = 1000
_EVENT_BYTES = 26


@dataclass(frozen=True)
class Event:
    """One line of the log, and when it happened, in milliseconds since the epoch."""

    at: int
    line: str
    deployment: str
    size: int


class Sink(Protocol):
    """Where lines go."""

    async def put(self, events: Sequence[Event], seconds: float) -> None:
        """Put all events, a call within ``seconds``; raises StoreUnavailable when they are lost."""
        ...


class TextLog:
    """Writes at once, or, with ``every_seconds``, together; on Lambda at once, which may freeze a process any time."""

    def __init__(self, sink: Sink, now: Callable[[], datetime], log: Log, every_seconds: float | None = None) -> None:
        self._sink = sink
        self._now = now
        self._log = log
        self._every_seconds = every_seconds
        self._seconds = TEXTS_SECONDS if every_seconds is None else TEXTS_LATER_SECONDS
        self._pending: deque[Event] = deque()
        self._pending_bytes = 0
        self._closing = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def add(self, request: UpstreamRequest, record: Record, copy: Copy) -> None:
        """Take a request that has ended."""
        now = self._now()
        line = text_line(request, record, copy, now)
        event = Event(int(now.timestamp() * 1000), line, record.deployment, len(line.encode()) + _EVENT_BYTES)
        if self._pending_bytes + event.size > _MOST_PENDING_BYTES:
            self._lost([event], "too much is waiting already")
            return
        self._pending.append(event)
        self._pending_bytes += event.size
        if self._every_seconds is None:
            await self._write()
        elif self._writer is None:
            self._writer = asyncio.create_task(self._write_on(self._every_seconds))

    async def close(self) -> None:
        """Write what has not been written."""
        self._closing.set()
        if self._writer is not None:
            await self._writer

    async def _write_on(self, every_seconds: float) -> None:
        while self._pending:
            with suppress(TimeoutError):
                async with asyncio.timeout(every_seconds):
                    await self._closing.wait()
            await self._write()
        self._writer = None

    async def _write(self) -> None:
        while self._pending:
            batch = self._batch()
            try:
                async with asyncio.timeout(self._seconds):
                    await self._sink.put(batch, self._seconds)
            except StoreUnavailable as err:
                self._lost(batch, str(err))
            except TimeoutError:
                self._lost(batch, f"not written within {self._seconds:g} seconds")

    def _batch(self) -> list[Event]:
        batch: list[Event] = []
        size = 0
        while self._pending and len(batch) < _MOST_BATCH_EVENTS:
            if batch and size + self._pending[0].size > _MOST_BATCH_BYTES:
                break
            event = self._pending.popleft()
            self._pending_bytes -= event.size
            size += event.size
            batch.append(event)
        return batch

    def _lost(self, events: Sequence[Event], why: str) -> None:
        """Count what is lost, without its text; a metric by CloudWatch's embedded format."""
        now = int(self._now().timestamp() * 1000)
        directive = {
            "Namespace": "Spillway",
            "Dimensions": [["Deployment"]],
            "Metrics": [{"Name": "TextsNotLogged", "Unit": "Count"}],
        }
        for deployment in {event.deployment for event in events}:
            lost = sum(event.deployment == deployment for event in events)
            self._log(
                {
                    "_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]},
                    "Deployment": deployment,
                    "TextsNotLogged": lost,
                    "message": "text not logged",
                    "detail": why,
                }
            )


def text_line(request: UpstreamRequest, record: Record, copy: Copy, now: datetime) -> str:
    """Return a request and its answer as one line of JSON; of what the client sent only the body, never a header."""
    asked, asked_cut = _cut(orjson.dumps(request.body))
    answer, answer_cut = _cut(transcript(copy.wire) if request.stream else copy.wire)
    fields: dict[str, Any] = {
        "at": now.isoformat(),
        "request_id": record.request_id,
        "deployment": record.deployment,
        "key_id": record.key_id,
        "endpoint": request.endpoint,
        "target": record.path,
        "status": record.status,
        "request": asked,
        "answer": answer,
        "cut": asked_cut or answer_cut or copy.is_cut,
    }
    return orjson.dumps(fields).decode()


def _cut(text: bytes) -> tuple[str, bool]:
    return text[:MOST_TEXT_BYTES].decode(errors="ignore"), len(text) > MOST_TEXT_BYTES
