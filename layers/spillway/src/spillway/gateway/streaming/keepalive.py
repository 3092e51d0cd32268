"""Signs of life in a stream whose answer has not begun: comments, which every client of server-sent events skips.

API Gateway ends a stream that is silent for 5 minutes, an edge-optimised endpoint's after 30 seconds. The price is
the status: after the first comment it is 200, and what fails from then on is told by an event.
"""

import asyncio
from collections.abc import Callable

from spillway.gateway.request.exchange import Exchange, Headers


class KeepAlive:
    """Writes a comment every ``seconds`` from :meth:`watch` on, the headers before the first, until :meth:`quiet`."""

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        self._exchange = exchange
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._beats: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def watch(self, headers: Callable[[], Headers], comment: str) -> None:
        """Begin, or go on with another comment; ``headers`` is asked when they are sent."""
        self._headers, self._comment = headers, b": " + comment.encode() + b"\n\n"
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._begin)

    async def quiet(self) -> None:
        """Stop; a comment that is being written is written to its end, so that nothing mixes with the answer."""
        if self._timer is not None:
            self._timer.cancel()
        if self._beats is not None:
            self._stop.set()
            await self._beats

    def _begin(self) -> None:
        self._beats = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        await self._exchange.start(200, self._headers())
        while not self._stop.is_set():
            await self._exchange.write(self._comment)
            try:
                async with asyncio.timeout(self._seconds):
                    await self._stop.wait()
            except TimeoutError:
                continue
