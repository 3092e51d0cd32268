"""Waiting in tests: for what real processes, threads and sockets bring about, and for what a limit of time does.

No test sleeps until something ought to have happened: it looks again and again, and gives up only where something
hangs. Limits are met by moving the event loop's time on.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

# Real seconds, for a machine that is busy with other things.
GIVE_UP_SECONDS = 60.0
_LOOK_SECONDS = 0.005


def eventually(holds: Callable[[], Any], seconds: float = GIVE_UP_SECONDS) -> Any:
    """Wait until ``holds`` returns something true, and return that."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"after {seconds:g} s it still is {found!r}"
        time.sleep(_LOOK_SECONDS)
    return found


async def until(holds: Callable[[], Any], seconds: float = GIVE_UP_SECONDS) -> Any:
    """Wait until ``holds`` returns something true, and return that; the event loop goes on."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"after {seconds:g} s it still is {found!r}"
        await asyncio.sleep(_LOOK_SECONDS)
    return found


def advance(seconds: float) -> None:
    """Move the running loop's time on, which else goes on as it does: what waits for that time is due."""
    loop: Any = asyncio.get_running_loop()
    loop.ahead_seconds = getattr(loop, "ahead_seconds", 0.0) + seconds
    loop.time = lambda: time.monotonic() + loop.ahead_seconds


def run_ahead(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop's time begin at zero and pass only when everybody waits, and then at once.

    For what plays in memory: nothing on the loop may wait for another thread or for a socket.
    """
    ours: Any = loop
    run_once = ours._run_once
    ours.moment = 0.0
    ours.time = lambda: ours.moment

    def run_once_ahead() -> None:
        if not ours._ready and ours._scheduled:
            ours.moment = max(ours.moment, ours._scheduled[0].when())
        run_once()

    ours._run_once = run_once_ahead
