"""AttemptTimeouts to what takes long, of which one timer takes care."""

import asyncio

import pytest

from spillway.gateway.concurrency.deadlines import Deadlines


class FakeTime:
    """Moves the running loop's clock, without waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.seconds)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def within(deadlines: Deadlines, seconds: float) -> str:
    try:
        async with deadlines.within(seconds):
            await asyncio.Event().wait()
    except TimeoutError:
        return "timed out"
    return "ended"


async def test_only_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    time, deadlines = FakeTime(monkeypatch), Deadlines()
    short, long = (asyncio.create_task(within(deadlines, seconds)) for seconds in (5.0, 30.0))
    await turns()
    time.seconds = 6.0
    await turns()
    assert (short.done(), long.done()) == (True, False)
    time.seconds = 31.0
    await turns()
    assert [short.result(), long.result()] == ["timed out", "timed out"]


async def test_what_ends_in_time_is_left_alone_and_nothing_ticks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    time, deadlines = FakeTime(monkeypatch), Deadlines()
    async with deadlines.within(5.0):
        await asyncio.sleep(0)
    time.seconds = 60.0
    await turns()
    assert (deadlines._ends, deadlines._ticking) == ({}, False)


async def test_a_cancellation_from_outside_is_no_time_out() -> None:
    task = asyncio.create_task(within(Deadlines(), 30.0))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_short_limit_is_not_late() -> None:
    assert await within(Deadlines(), 0.001) == "timed out"
