"""How old a route may be, who reads it, and what stays when it cannot be read."""

import asyncio

import pytest

from spillway.gateway.concurrency.cache import RouteCache
from spillway.gateway.errors import StoreUnavailable
from tests.builders import a_route
from tests.unit.gateway.doubles import FakeClock, FakeRoutes

NAME = "support-llama"


def the_cache() -> tuple[RouteCache, FakeRoutes, FakeClock]:
    routes, clock = FakeRoutes({NAME: a_route()}), FakeClock()
    return RouteCache(routes.get, clock.monotonic), routes, clock


async def test_a_route_is_read_again_after_two_seconds() -> None:
    cache, routes, clock = the_cache()
    await cache.get(NAME)
    clock.moment += 1.99
    await cache.get(NAME)
    assert routes.reads == 1
    clock.moment += 0.01
    await cache.get(NAME)
    assert routes.reads == 2


async def test_many_who_ask_at_once_cause_one_read() -> None:
    cache, routes, _ = the_cache()
    found = await asyncio.gather(*(cache.get(NAME) for _ in range(50)))
    assert routes.reads == 1
    assert {route.name for route in found if route} == {NAME}


async def test_a_reader_who_gives_up_does_not_stop_the_others() -> None:
    cache, _, _ = the_cache()
    first = asyncio.create_task(cache.get(NAME))
    second = asyncio.create_task(cache.get(NAME))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None


async def test_an_unknown_name_is_remembered_for_as_long() -> None:
    cache, routes, clock = the_cache()
    assert await cache.get("nobody") is None
    assert await cache.get("nobody") is None
    assert routes.reads == 1
    clock.moment += 2
    routes.routes["nobody"] = a_route("nobody")
    assert await cache.get("nobody") is not None


async def test_the_last_route_stays_and_the_table_is_asked_again_later() -> None:
    cache, routes, clock = the_cache()
    await cache.get(NAME)
    routes.down = True
    clock.moment += 2
    assert await cache.get(NAME) is not None
    assert await cache.get(NAME) is not None
    assert routes.reads == 2
    routes.down = False
    routes.routes[NAME] = a_route(reason="new")
    clock.moment += 2
    found = await cache.get(NAME)
    assert found is not None
    assert found.reason == "new"


@pytest.mark.usefixtures("virtual_time")
async def test_nobody_waits_for_a_table_that_hangs() -> None:
    clock, hang = FakeClock(), asyncio.Event()
    answers = [a_route()]

    async def read(name: str) -> object:
        if not answers:
            await hang.wait()
        return answers.pop()

    cache = RouteCache(read, clock.monotonic)  # type: ignore[arg-type]
    await cache.get(NAME)
    clock.moment += 2
    async with asyncio.timeout(1):
        assert await cache.get(NAME) is not None


async def test_a_name_never_seen_is_unknown_to_nobody_while_the_table_is_down() -> None:
    cache, routes, _ = the_cache()
    routes.down = True
    with pytest.raises(StoreUnavailable):
        await cache.get(NAME)
    routes.down = False
    assert await cache.get(NAME) is not None


async def test_names_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spillway.gateway.concurrency.cache._MOST_NAMES", 3)
    cache, routes, _ = the_cache()
    for name in ["a", "b", "c", "d"]:
        await cache.get(name)
    await cache.get("d")
    assert routes.reads == 4
    await cache.get("a")
    assert routes.reads == 5


async def test_what_was_never_read_is_read_a_second_time_before_it_is_given_up() -> None:
    reads = 0

    async def load(_name: str) -> None:
        nonlocal reads
        reads += 1
        if reads == failing:
            raise StoreUnavailable("lost")

    failing, clock = 1, FakeClock()
    cache = RouteCache(load, clock.monotonic)
    assert (await cache.get(NAME), reads) == (None, 2)
    # With something to go on with, the next reader will do.
    failing, clock.moment = 3, clock.moment + 2.0
    assert (await cache.get(NAME), reads) == (None, 3)
