"""A limit to the silence of an upstream that costs its chunks nothing: one timer a stream, not one a chunk."""

import asyncio
from types import TracebackType
from typing import Self


class IdleTimeout:
    """Raises TimeoutError out of the enclosed work once it has listened for ``seconds`` and heard nothing.

    Only the time between :meth:`listen` and :meth:`heard` counts: a client that reads slowly is no silence.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._expired = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a stream is read inside a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def listen(self) -> None:
        """Begin to wait."""
        self._since = self._loop.time()

    def heard(self) -> None:
        """End the wait."""
        self._since = None

    def _look(self) -> None:
        left = self._seconds if self._since is None else self._since + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._expired = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from err
