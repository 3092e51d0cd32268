"""Time limits for work that nearly always ends in time: one timer for all of them, instead of two a request."""

import asyncio
from types import TracebackType

# How late a limit may end: nobody notices it of seconds, and shorter limits have a timer of their own.
TICK_SECONDS = 0.1
_OWN_TIMER_BELOW_SECONDS = 10 * TICK_SECONDS


class Deadlines:
    """``within(seconds)`` raises TimeoutError out of the enclosed work, as :func:`asyncio.timeout` does."""

    def __init__(self) -> None:
        self._ends: dict[_Within, float] = {}
        self._ticking = False

    def within(self, seconds: float) -> "asyncio.Timeout | _Within":
        """Return the context manager for work that may take so long."""
        return asyncio.timeout(seconds) if seconds < _OWN_TIMER_BELOW_SECONDS else _Within(self, seconds)

    def add(self, one: "_Within", seconds: float) -> None:
        """Watch over one piece of work."""
        loop = asyncio.get_running_loop()
        self._ends[one] = loop.time() + seconds
        if not self._ticking:
            self._ticking = True
            loop.call_later(TICK_SECONDS, self._tick, loop)

    def remove(self, one: "_Within") -> None:
        """Watch over it no more."""
        self._ends.pop(one, None)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for one in [one for one, end in self._ends.items() if end <= now]:
            self.remove(one)
            one.expire()
        self._ticking = bool(self._ends)
        if self._ticking:
            loop.call_later(TICK_SECONDS, self._tick, loop)


class _Within:
    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self._expired = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a limit is set inside a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines.add(self, self._seconds)

    def expire(self) -> None:
        """Cancel the work."""
        self._expired = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from err
