"""Many requests of one key find its slice used up: one asks the table, and none waits for another's going on."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from spillway.gateway.limits.budget_write_behind import WriteBehindBudget
from spillway.gateway.limits.rate import RateLimits
from spillway.gateway.limits.turn import Turn
from tests.unit.gateway.limits.doubles import AT_ONCE, CommonTime, SharedTable, SkewedClock

AT_THE_SAME_TIME = 400


async def turns_of_the_loop(work: Awaitable[Any]) -> int:
    """Return how many turns of the event loop something takes."""
    task = asyncio.ensure_future(work)
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    task.result()
    return turns


def of_rate(table: SharedTable) -> Callable[[], Awaitable[Any]]:
    rate = RateLimits("key_1", table, SkewedClock(CommonTime()).now)
    return lambda: rate.reserve({"requests": 1}, {"requests": 1_000_000})


def of_budget(table: SharedTable) -> Callable[[], Awaitable[Any]]:
    clock = SkewedClock(CommonTime())
    budget = WriteBehindBudget("key_1", table, clock.now, clock.monotonic, 3600.0, lambda _: None, AT_ONCE)
    return lambda: budget.reserve(1, 1_000_000)


@pytest.mark.parametrize("reserve_of", [of_rate, of_budget])
async def test_who_waits_for_a_slice_waits_for_the_table_alone(
    reserve_of: Callable[[SharedTable], Callable[[], Awaitable[Any]]],
) -> None:
    table = SharedTable(pauses=(3,))
    reserve = reserve_of(table)
    turns = await turns_of_the_loop(asyncio.gather(*(reserve() for _ in range(AT_THE_SAME_TIME))))
    assert table.writes < AT_THE_SAME_TIME / 10
    # Three turns each way a write, and a few to begin and to end with.
    assert turns <= table.writes * 8 + 8


async def test_a_turn_ends_for_all_whatever_becomes_of_who_had_it_and_of_who_waited() -> None:
    turn, went_on = Turn(), list[bool]()

    async def wait() -> None:
        went_on.append(await turn.wait())

    with suppress(ValueError), turn:
        first, *rest = [asyncio.ensure_future(wait()) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        assert went_on == []
        raise ValueError
    await asyncio.gather(*rest)
    assert (went_on, first.cancelled(), await turn.wait()) == ([True, True], True, False)
