"""A wake is asked for once, by whoever wins, and never delays or breaks an answer."""

import asyncio
from typing import Any

import pytest

from spillway.domain.routing.route import RouteState
from tests.builders import NOW, a_route
from tests.unit.gateway.doubles import GOOD_STREAM, World, a_world, call, streaming

pytestmark = pytest.mark.usefixtures("virtual_time")


def asleep(**changes: Any) -> World:
    return a_world(a_route(state=RouteState.COLD, code="asleep", **changes), bedrock=GOOD_STREAM)


async def test_a_burst_on_a_sleeping_primary_asks_once() -> None:
    world = asleep()
    answers = await asyncio.gather(*(call(world, streaming()) for _ in range(20)))
    assert {answer.text for answer in answers} == {"hello"}
    assert (world.desk.claims, world.desk.announced) == ([NOW], ["support-llama"])


async def test_it_asks_again_after_a_minute() -> None:
    world = asleep()
    for seconds in (0, 59, 1, 30):
        world.clock.moment += seconds
        await call(world, streaming())
    assert len(world.desk.announced) == 2


async def test_who_does_not_win_the_claim_announces_nothing() -> None:
    world = asleep()
    world.desk.claims.append(NOW)
    await call(world, streaming())
    assert world.desk.announced == []


async def test_a_sleeper_without_a_spill_target_is_woken_too() -> None:
    world = asleep(spill=None, retry_after_seconds=180, reason="it is night")
    answer = await call(world)
    assert (answer.status, answer.headers["retry-after"], answer.headers["x-spillway-ready-in"]) == (503, "60", "180")
    assert "it is night" in answer.error["message"]
    assert world.desk.announced == ["support-llama"]


async def test_other_states_and_routes_that_do_not_wake_ask_for_nothing() -> None:
    for route in (a_route(state=RouteState.WARMING), a_route(state=RouteState.COLD, wakes=False)):
        world = a_world(route, bedrock=GOOD_STREAM)
        await call(world, streaming())
        assert world.desk.claims == []


async def test_a_failed_claim_harms_nothing_and_is_repeated_soon() -> None:
    world = asleep()
    world.desk.down = True
    assert (await call(world, streaming())).text == "hello"
    assert world.lines[0]["message"] == "wake request failed"
    world.desk.down = False
    await call(world, streaming())
    assert world.desk.announced == []
    world.clock.moment += 5
    await call(world, streaming())
    assert world.desk.announced == ["support-llama"]
