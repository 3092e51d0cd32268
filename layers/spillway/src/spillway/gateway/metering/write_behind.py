"""What a long-lived server writes together, off the way of any answer.

Not for Lambda, which may freeze the process after an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.log import Log
from spillway.gateway.request_record import Counters, TrafficMinute, UsageBucket

_AT_ONCE = 16
BucketT = TypeVar("BucketT", UsageBucket, TrafficMinute)


class Writer:
    """Calls ``write`` every ``seconds`` from :meth:`start` on, for as long as it says that there is more to come."""

    def __init__(self, write: Callable[[], Awaitable[bool]], seconds: float) -> None:
        self._write = write
        self._seconds = seconds
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless it is at work."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write a last time, at once."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        more = True
        while more:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._closing.wait()
            more = await self._write() and not self._closing.is_set()
        self._task = None


@dataclass
class _Sum:
    counts: dict[str, int] = field(default_factory=dict)
    moment: int = 0


class WriteBehindCounters(Generic[BucketT]):
    """Adds up what requests used and writes each bucket once in ``seconds``.

    A server that crashes takes that many seconds' counts with it; the requests' log lines still have them.
    """

    def __init__(self, counters: Counters[BucketT], seconds: float, log: Log) -> None:
        self._counters: Counters[BucketT] = counters
        self._log = log
        self._sums: dict[BucketT, _Sum] = {}
        self._writer = Writer(self._write, seconds)

    async def add(self, bucket: BucketT, counts: Mapping[str, int], moment: int) -> None:
        """Add to the counters of one bucket; never waits."""
        found = self._sums.get(bucket)
        if found is None:
            found = self._sums[bucket] = _Sum()
        sums = found.counts
        for name, count in counts.items():
            sums[name] = sums.get(name, 0) + count
        found.moment = max(found.moment, moment)
        self._writer.start()

    async def close(self) -> None:
        """Write what has not been written."""
        await self._writer.close()

    async def _write(self) -> bool:
        while self._sums:
            some = [self._sums.popitem() for _ in range(min(_AT_ONCE, len(self._sums)))]
            await asyncio.gather(*(self._write_one(bucket, total) for bucket, total in some))
        return False

    async def _write_one(self, bucket: BucketT, total: _Sum) -> None:
        try:
            await self._counters.add(bucket, total.counts, total.moment)
        except StoreUnavailable as err:
            lost = {**bucket._asdict(), "counts": total.counts, "detail": str(err)}
            self._log({"message": "usage not counted", **lost})
