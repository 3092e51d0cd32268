"""The proxy of each instance: the real HAProxy with the configuration that instances write, on loopback."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.adapters.drivers.fleet.proxied import ADDRESSES, HAPROXY, Proxies, proxies
from tests.waiting import GIVE_UP_SECONDS, until

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="no haproxy here: apt-get install haproxy")
OWN, SECOND, THIRD = ADDRESSES
KEY = "00000000000000aa"


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Proxies]:
    async with proxies(tmp_path) as made:
        yield made


async def test_a_conversation_has_one_engine_and_all_instances_agree_on_it(fleet: Proxies) -> None:
    homes = await fleet.homes()
    assert await fleet.homes() == homes
    assert await fleet.homes(proxy=1) == homes


async def test_conversations_spread_over_all_engines(fleet: Proxies) -> None:
    counts = Counter((await fleet.homes(90)).values())
    assert set(counts) == set(ADDRESSES)
    assert min(counts.values()) >= 15, counts


async def test_requests_without_a_conversation_stay_on_the_instance(fleet: Proxies) -> None:
    assert {await fleet.ask(None) for _ in range(6)} == {OWN}
    assert {await fleet.ask(None, proxy=1) for _ in range(6)} == {SECOND}


async def test_a_request_arrives_as_it_was_sent(fleet: Proxies) -> None:
    headers = {"x-spillway-affinity": KEY, "x-request-id": "r-1"}
    async with fleet.session.post(f"{fleet.urls[0]}/v1/a%2Fb?c=d", data=b"{}", headers=headers):
        pass
    (seen,) = [request for engine in fleet.engines.values() for request in engine.seen]
    assert (seen.raw_path, seen.headers["x-request-id"]) == ("/v1/a%2Fb?c=d", "r-1")


async def test_health_is_that_of_the_instances_own_engine(fleet: Proxies) -> None:
    await fleet.engines[SECOND].kill()
    statuses = []
    for url in fleet.urls:
        async with fleet.session.get(url + "/health") as answer:
            statuses.append(answer.status)
    assert statuses == [200, 503]


async def test_only_a_dead_engines_conversations_move_and_they_come_back(fleet: Proxies) -> None:
    before = await fleet.homes()
    await fleet.engines[THIRD].kill()
    meanwhile = await fleet.homes()
    moved = {key for key in before if before[key] != meanwhile[key]}
    assert moved == {key for key in before if before[key] == THIRD}
    assert {meanwhile[key] for key in moved} == {OWN, SECOND}, "evenly, not all to one neighbour"

    await fleet.engines[THIRD].start()
    assert await fleet.homes() == before


async def test_a_busy_conversation_overflows_before_it_fills_one_engine(fleet: Proxies) -> None:
    for engine in fleet.engines.values():
        engine.held = True
    asked = [asyncio.create_task(fleet.ask(KEY)) for _ in range(12)]
    await until(lambda: sum(engine.in_flight for engine in fleet.engines.values()) == 12)
    loads = [engine.in_flight for engine in fleet.engines.values()]
    for engine in fleet.engines.values():
        engine.release.set()
    await asyncio.gather(*asked)
    # 1.5 times the average of 4.
    assert max(loads) <= 6, loads


async def test_a_reload_breaks_no_stream_and_refuses_nobody(fleet: Proxies) -> None:
    home = await fleet.ask(KEY)
    engine = fleet.engines[home]
    engine.held = True
    streaming = asyncio.create_task(fleet.ask(KEY))
    await until(lambda: engine.in_flight == 1)

    engine.held = False
    others = [address for address in ADDRESSES if address != home]
    fleet.in_service(*others)
    answered = [home]
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while answered[-1] == home:
            answered.append(await fleet.ask(KEY))
    assert answered[-1] in others
    assert not streaming.done()

    engine.release.set()
    assert await streaming == home


async def test_only_a_departed_engines_conversations_move(fleet: Proxies) -> None:
    before = await fleet.homes()
    fleet.in_service(SECOND, THIRD)
    gone = next(key for key in before if before[key] == OWN)
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while await fleet.ask(gone) == OWN:
            pass
    after = await fleet.homes()
    assert {key for key in before if before[key] != after[key]} == {key for key in before if before[key] == OWN}


async def test_a_look_up_that_fails_changes_nothing(fleet: Proxies) -> None:
    config = fleet.folder / "haproxy.cfg"
    before = config.read_text()
    (fleet.folder / "broken").touch()
    assert fleet.look().returncode == 1
    assert config.read_text() == before


async def test_an_instance_that_starts_alone_is_its_own_peer(fleet: Proxies) -> None:
    fleet.in_service()
    servers = [line.split() for line in (fleet.folder / "haproxy.cfg").read_text().splitlines() if " id " in line]
    # 127 of which 28 bits keep 15, then 0, 0 and 1.
    assert [server[1] for server in servers] == [OWN]
    assert [server[4] for server in servers] == [str(15 * 2**24 + 1)]
