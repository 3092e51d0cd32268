"""The limit to an upstream's silence."""

import asyncio

import pytest

from spillway.gateway.concurrency.idle_timeout import IdleTimeout

pytestmark = pytest.mark.usefixtures("virtual_time")


async def wait_for_ever(seconds: float) -> None:
    async with IdleTimeout(seconds) as silence:
        silence.listen()
        await asyncio.Event().wait()


async def test_a_wait_that_is_too_long_ends_in_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        await wait_for_ever(60)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_each_wait_counts_alone() -> None:
    async with IdleTimeout(60) as silence:
        for _ in range(5):
            silence.listen()
            await asyncio.sleep(40)
            silence.heard()


async def test_time_in_which_nobody_listens_does_not_count() -> None:
    async with IdleTimeout(60) as silence:
        silence.listen()
        silence.heard()
        await asyncio.sleep(200)


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(wait_for_ever(60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_work_passes_through() -> None:
    async def fail() -> None:
        async with IdleTimeout(60) as silence:
            silence.listen()
            raise KeyError("x")

    with pytest.raises(KeyError):
        await fail()
