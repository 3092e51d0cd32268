"""A key's minute: requests and tokens never pass it, and instances keep little of it from each other."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.access.lease_sizing import SHARE_HELD
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.limits.errors import LimitExceeded
from spillway.gateway.limits.rate import RateLimits
from tests.builders import NOW
from tests.unit.gateway.limits.doubles import CommonTime, SharedTable, SkewedClock

MINUTE = f"key_1#{NOW:%Y-%m-%dT%H:%MZ}"


@dataclass
class Gateways:
    table: SharedTable
    limits: dict[str, int]
    time: CommonTime = field(default_factory=CommonTime)
    clocks: list[SkewedClock] = field(default_factory=list)
    instances: list[RateLimits] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    most_tokens: int = 0

    def start(self, count: int) -> "Gateways":
        self.clocks = [SkewedClock(self.time) for _ in range(count)]
        self.instances = [RateLimits("key_1", self.table, clock.now) for clock in self.clocks]
        return self

    async def request(self, index: int, tokens: int, used: int, turns: int = 1) -> None:
        rate = self.instances[index]
        reservation = await rate.reserve({"requests": 1, "tokens": tokens}, self.limits)
        minute = reservation.minute
        self.requests[minute] = self.requests.get(minute, 0) + 1
        self.in_flight[minute] = self.in_flight.get(minute, 0) + tokens
        self.most_tokens = max(self.most_tokens, self.in_flight[minute] + self.tokens.get(minute, 0))
        for _ in range(turns):
            await asyncio.sleep(0)
        self.in_flight[minute] -= tokens
        self.tokens[minute] = self.tokens.get(minute, 0) + used
        await rate.settle(reservation, {"requests": 1, "tokens": used})


async def run(world: Gateways, *requests: tuple[int, int, int, int]) -> int:
    """Send them at once and return how many were refused."""
    answers = await asyncio.gather(*(world.request(*request) for request in requests), return_exceptions=True)
    for answer in answers:
        assert answer is None or isinstance(answer, (LimitExceeded, StoreUnavailable)), answer
    return sum(answer is not None for answer in answers)


async def test_200_requests_at_once_through_40_instances_stay_within_the_requests_a_minute() -> None:
    world = Gateways(SharedTable(pauses=(0, 2, 1, 3)), {"requests": 100}).start(40)
    refused = await run(world, *((index % 40, 0, 0, 3) for index in range(200)))
    assert sum(world.requests.values()) == 200 - refused
    assert 100 * (1 - 1 / SHARE_HELD) <= sum(world.requests.values()) <= 100


async def test_200_requests_at_once_stay_within_the_tokens_a_minute() -> None:
    world = Gateways(SharedTable(pauses=(0, 2, 1, 3)), {"tokens": 50_000}).start(40)
    await run(world, *((index % 40, 1_000, 900, 30) for index in range(200)))
    assert world.most_tokens <= 50_000
    assert sum(world.tokens.values()) >= 0.9 * 40_000


async def test_a_busy_instance_seldom_writes() -> None:
    world = Gateways(SharedTable(), {"requests": 10_000, "tokens": 10_000_000}).start(1)
    for _ in range(500):
        await world.request(0, 1_000, 200)
    assert world.table.writes <= 500 / 10
    assert world.table.refused == 0


async def test_tokens_that_were_reserved_and_not_used_come_back_to_all() -> None:
    world = Gateways(SharedTable(), {"tokens": 1_000}).start(5)
    for index in range(5):
        await world.request(index, 600, 100)
    with pytest.raises(LimitExceeded):
        await world.request(0, 600, 100)
    assert world.tokens == {MINUTE.removeprefix("key_1#"): 500}


async def test_what_was_used_beyond_the_reservation_counts() -> None:
    world = Gateways(SharedTable(), {"tokens": 1_000}).start(2)
    await world.request(0, 100, 950)
    with pytest.raises(LimitExceeded):
        await world.request(1, 100, 100)


async def test_the_next_minute_is_another() -> None:
    world = Gateways(SharedTable(), {"requests": 1}).start(1)
    await world.request(0, 0, 0)
    with pytest.raises(LimitExceeded) as caught:
        await world.request(0, 0, 0)
    assert (caught.value.kind, caught.value.code) == ("requests", "rate_limit_exceeded")
    assert dict(caught.value.headers)[b"retry-after"] == b"60"
    world.time.seconds += 60
    await world.request(0, 0, 0)


async def test_a_request_that_no_minute_has_room_for_is_told_so_without_a_write() -> None:
    world = Gateways(SharedTable(), {"tokens": 100}).start(1)
    with pytest.raises(LimitExceeded) as caught:
        await world.request(0, 101, 0)
    assert dict(caught.value.headers) == {b"x-should-retry": b"false"}
    assert world.table.writes == 0


async def test_a_flood_of_refused_requests_writes_once_a_second() -> None:
    world = Gateways(SharedTable(), {"requests": 1}).start(1)
    for _ in range(100):
        await run(world, (0, 0, 0, 0))
    assert world.table.writes <= 3
    world.time.seconds += 1
    await run(world, *((0, 0, 0, 0),) * 100)
    assert world.table.writes <= 4


requests = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 300), st.floats(0, 1), st.integers(0, 8)), min_size=1, max_size=12
)
batches = st.lists(st.tuples(requests, st.sampled_from([0.0, 1.0, 29.0, 60.0]), st.floats(-90, 90)), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    plan=batches,
    waits=st.lists(st.integers(0, 4), min_size=1, max_size=7),
    losses=st.lists(st.sampled_from(["nothing"] * 5 + ["request", "answer"]), min_size=1, max_size=9),
    per_minute=st.integers(1, 30),
    tokens=st.integers(300, 3_000),
)
def test_no_interleaving_loss_or_clock_passes_a_minute(
    plan: list[tuple[list[tuple[int, int, float, int]], float, float]],
    waits: list[int],
    losses: list[str],
    per_minute: int,
    tokens: int,
) -> None:
    async def play() -> None:
        limits = {"requests": per_minute, "tokens": tokens}
        world = Gateways(SharedTable(pauses=waits, losses=losses), limits).start(5)
        for number, (batch, seconds, step) in enumerate(plan):
            await run(world, *((i, need, int(need * part), turns) for i, need, part, turns in batch))
            assert world.most_tokens <= tokens
            assert all(count <= per_minute for count in world.requests.values())
            for name, item in world.table.items.items():
                assert item.get("requests", 0) <= per_minute
                assert item.get("tokens", 0) >= world.tokens.get(name.removeprefix("key_1#"), 0)
            world.time.seconds += seconds
            world.clocks[number % 5].off += step

    asyncio.run(play())


@settings(max_examples=100, deadline=None)
@given(
    needs=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 50), st.floats(0, 1)), min_size=1, max_size=60),
    limit=st.integers(50, 5_000),
)
def test_instances_hold_no_more_than_a_tenth_ahead_of_requests(needs: list[tuple[int, int, float]], limit: int) -> None:
    async def play() -> None:
        world = Gateways(SharedTable(), {"tokens": limit}).start(31)
        for index, need, part in needs:
            await run(world, (index, need, int(need * part), 0))
            item = world.table.items.get(MINUTE, {})
            held_back = item.get("tokens", 0) - world.tokens.get(MINUTE.removeprefix("key_1#"), 0)
            assert held_back <= limit / SHARE_HELD

    asyncio.run(play())
