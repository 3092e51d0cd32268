"""A key's month: nothing passes it, whatever the gateways do at the same time, and nothing is held back for ever."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.access.lease_sizing import SHARE_HELD
from spillway.domain.errors import Rejected
from spillway.gateway.errors import StoreUnavailable, Unavailable
from spillway.gateway.limits.budget import Budget
from spillway.gateway.limits.budget_write_behind import WriteBehindBudget
from spillway.gateway.limits.errors import LimitExceeded
from spillway.gateway.limits.lease import LAPSES_AFTER
from tests.unit.gateway.limits.doubles import AT_ONCE, CommonTime, SharedTable, SkewedClock

ITEM = "key_1#2026-11"
LONG_AFTER = LAPSES_AFTER.total_seconds() + 120


@dataclass
class Gateways:
    """Several instances on one table, and what really was spent and is in flight.

    Every ``servers``-th instance is a long-lived server, which writes costs together; 0 is none of them.
    """

    table: SharedTable
    limit: int
    servers: int = 0
    time: CommonTime = field(default_factory=CommonTime)
    clocks: list[SkewedClock] = field(default_factory=list)
    budgets: list[Budget | WriteBehindBudget] = field(default_factory=list)
    spent: int = 0
    in_flight: int = 0
    highest: int = 0
    served: int = 0
    unsettled: int = 0

    def start(self, count: int, skews: Sequence[float] = (0.0,)) -> "Gateways":
        for index in range(count):
            clock = SkewedClock(self.time, skews[index % len(skews)])
            self.clocks.append(clock)
            self.budgets.append(self.budget(index))
        return self

    def budget(self, index: int) -> Budget | WriteBehindBudget:
        clock = self.clocks[index]
        if self.servers and index % self.servers == 0:
            return WriteBehindBudget("key_1", self.table, clock.now, clock.monotonic, 3600.0, lambda _: None, AT_ONCE)
        return Budget("key_1", self.table, clock.now, clock.monotonic, AT_ONCE)

    def restart(self, index: int) -> None:
        self.budgets[index] = self.budget(index)

    async def flush(self) -> None:
        for budget in self.budgets:
            if isinstance(budget, WriteBehindBudget):
                await budget.flush()

    async def request(self, index: int, need: int, cost: int, turns: int = 1, crashes: bool = False) -> None:
        budget = self.budgets[index]
        reservation = await budget.reserve(need, self.limit)
        self.in_flight += need
        self.highest = max(self.highest, self.spent + self.in_flight)
        for _ in range(turns):
            await asyncio.sleep(0)
        self.in_flight -= need
        if crashes:
            self.restart(index)
            return
        self.spent += cost
        self.served += 1
        try:
            await budget.settle(reservation, cost)
        except StoreUnavailable:
            self.spent -= cost
            self.unsettled += cost

    @property
    def item(self) -> dict[str, int]:
        return self.table.items.get(ITEM, {})


async def outcomes(*requests: Coroutine[None, None, None]) -> list[BaseException | None]:
    return await asyncio.gather(*requests, return_exceptions=True)


@pytest.mark.parametrize("servers", [0, 1, 3])
async def test_200_requests_at_once_through_50_instances_stay_within_the_budget(servers: int) -> None:
    world = Gateways(SharedTable(pauses=(0, 2, 1, 3)), 10_000, servers).start(50)
    answers = await outcomes(*(world.request(index % 50, need=100, cost=100, turns=5) for index in range(200)))
    refused = [answer for answer in answers if isinstance(answer, LimitExceeded)]
    assert world.highest <= 10_000
    assert world.spent == 100 * (200 - len(refused))
    await world.flush()
    assert world.item["used"] - world.item["held"] == world.spent
    # Hardly anything is refused for what other instances hold ahead of requests.
    assert world.spent >= 10_000 * (1 - 1 / SHARE_HELD)


@pytest.mark.parametrize("servers", [0, 1])
async def test_what_is_left_is_spent_to_the_last_request_by_one_instance(servers: int) -> None:
    world = Gateways(SharedTable(), 1_000, servers).start(1)
    for _ in range(10):
        await world.request(0, need=100, cost=100)
    with pytest.raises(LimitExceeded) as caught:
        await world.request(0, need=100, cost=100)
    assert (caught.value.kind, caught.value.code) == ("insufficient_quota", "budget_exceeded")
    assert "2026-12-01T00:00:00Z" in caught.value.message
    assert world.item["used"] == 1_000


async def test_an_instance_in_use_writes_once_a_request() -> None:
    world = Gateways(SharedTable(), limit=10_000_000).start(1)
    for _ in range(100):
        await world.request(0, need=1_000, cost=150)
        world.time.seconds += 20
    assert world.table.writes <= 102
    assert world.table.refused == 0
    assert world.item["used"] - world.item["held"] == 100 * 150


async def test_a_request_of_which_nothing_is_heard_again_holds_its_part_until_the_lease_lapses() -> None:
    world = Gateways(SharedTable(), limit=1_000).start(2)
    await world.request(0, need=900, cost=0, crashes=True)
    with pytest.raises(LimitExceeded) as caught:
        await world.request(1, need=200, cost=200)
    assert caught.value.code == "budget_reserved"
    world.time.seconds += LONG_AFTER
    await world.request(1, need=1_000, cost=1_000)
    assert world.spent == 1_000


@pytest.mark.parametrize("servers", [0, 1])
async def test_what_has_lapsed_at_a_spent_budget_is_cleared_away_and_refuses_as_spent(servers: int) -> None:
    world = Gateways(SharedTable(), limit=1_000, servers=servers).start(2)
    await world.request(0, need=600, cost=600)
    await world.flush()
    await world.request(0, need=300, cost=0, crashes=True)
    world.time.seconds += LONG_AFTER
    needs = 500  # more than is left, whether what the crashed one held counts as spent (a server) or not
    for _ in range(3):
        with pytest.raises(LimitExceeded) as caught:
            await world.request(1, need=needs, cost=needs)
        assert caught.value.code == "budget_exceeded"
    assert not [name for name in world.item if name.startswith(("held_", "drawn_"))]
    assert world.item["used"] == (900 if servers else 600)


@pytest.mark.parametrize("servers", [0, 1])
async def test_what_is_left_of_a_lease_is_not_spent_twice_while_more_is_taken(servers: int) -> None:
    world = Gateways(SharedTable(pauses=(3,)), 4_000, servers).start(2)
    await world.request(0, need=10, cost=10)  # leaves 60 of a slice
    await outcomes(
        world.request(0, need=3_000, cost=3_000, turns=50),
        world.request(0, need=60, cost=60, turns=50),
        world.request(1, need=990, cost=990, turns=50),
    )
    assert world.highest <= 4_000


@pytest.mark.parametrize("servers", [0, 1])
async def test_the_budget_of_another_month_is_another(servers: int) -> None:
    world = Gateways(SharedTable(), 1_000, servers).start(1)
    await world.request(0, need=1_000, cost=1_000)
    world.time.seconds += 30 * 86_400
    await world.request(0, need=1_000, cost=1_000)
    assert world.table.items["key_1#2026-12"]["used"] >= 1_000


@pytest.mark.parametrize("servers", [0, 1])
async def test_what_costs_more_than_was_reserved_is_counted_all_the_same(servers: int) -> None:
    world = Gateways(SharedTable(), 1_000, servers).start(1)
    await world.request(0, need=100, cost=950)
    await world.flush()
    with pytest.raises(LimitExceeded):
        await world.request(0, need=100, cost=100)
    assert world.item["used"] - world.item["held"] == 950


@pytest.mark.parametrize("servers", [0, 1])
async def test_a_lowered_limit_holds_at_once(servers: int) -> None:
    world = Gateways(SharedTable(), 10_000, servers).start(1)
    await world.request(0, need=100, cost=100)
    world.limit = 150
    with pytest.raises(LimitExceeded):
        await world.request(0, need=100, cost=100)


@pytest.mark.parametrize("servers", [0, 1])
async def test_who_was_refused_is_refused_again_without_a_write(servers: int) -> None:
    world = Gateways(SharedTable(), 100, servers).start(1)
    await world.request(0, need=100, cost=100)
    for _ in range(50):
        with pytest.raises(LimitExceeded):
            await world.request(0, need=100, cost=100)
    assert world.table.writes <= 4


async def test_a_table_that_does_not_answer_refuses_and_forgets_no_cost() -> None:
    table = SharedTable(losses=("nothing", "request", "request", "request", *["nothing"] * 20))
    world = Gateways(table, limit=10_000).start(1)
    await world.request(0, need=100, cost=60)
    assert world.unsettled == 60
    with pytest.raises(StoreUnavailable):
        await world.request(0, need=100, cost=60)
    await world.request(0, need=100, cost=60)
    world.time.seconds += LONG_AFTER
    await world.request(0, need=100, cost=0)
    assert world.item["used"] - world.item["held"] == 120


async def test_a_server_writes_the_costs_of_many_requests_together() -> None:
    world = Gateways(SharedTable(), limit=100_000_000, servers=1).start(1)
    for _ in range(5):
        for _ in range(1_000):
            await world.request(0, need=1_000, cost=150)
        await world.flush()
        world.time.seconds += 1
    assert world.table.writes <= 0.02 * world.served
    assert world.item["used"] == 5_000 * 150


async def test_a_busy_server_takes_more_before_anybody_has_to_wait_for_it() -> None:
    world = Gateways(SharedTable(), limit=1_000_000_000, servers=1).start(1)
    waited = 0
    for _ in range(3_000):
        writes = world.table.writes
        reservation = await world.budgets[0].reserve(1_000, world.limit)
        waited += world.table.writes > writes
        await asyncio.sleep(0)  # what was begun beside it goes on
        await world.budgets[0].settle(reservation, 150)
    # Twice at the start: before the counters are known, and for the first slice.
    assert waited == 2
    assert world.table.writes > waited


@pytest.mark.parametrize("turns", [0, 1])
async def test_what_is_taken_beforehand_while_a_server_ends_is_given_back(turns: int) -> None:
    world = Gateways(SharedTable(pauses=(3,)), limit=100_000_000, servers=1).start(1)
    budget = world.budgets[0]
    reservations = [await budget.reserve(1_000, world.limit) for _ in range(16)]  # of a slice of 18: it runs low
    for _ in range(turns):
        await asyncio.sleep(0)  # more is asked for
    for reservation in reservations:
        await budget.settle(reservation, 150)
    assert isinstance(budget, WriteBehindBudget)
    await budget.flush()
    for _ in range(20):
        await asyncio.sleep(0)
    assert (world.item["used"], world.item["held"]) == (16 * 150, 0)


async def test_a_server_at_rest_holds_nothing() -> None:
    world = Gateways(SharedTable(), limit=100_000, servers=1).start(2)
    await outcomes(*(world.request(index % 2, need=1_000, cost=150) for index in range(20)))
    assert world.item["held"] > 0
    await world.flush()
    assert (world.item["used"], world.item["held"]) == (20 * 150, 0)


async def test_a_server_that_ends_settles_all_it_spent_and_gives_the_rest_back() -> None:
    world = Gateways(SharedTable(), limit=100_000, servers=1).start(1)
    await outcomes(*(world.request(0, need=1_000, cost=150) for _ in range(20)))
    await world.budgets[0].close()
    assert (world.item["used"], world.item["held"]) == (20 * 150, 0)


async def test_what_a_killed_server_held_counts_as_spent_and_no_more_than_its_slices_are_lost() -> None:
    world = Gateways(SharedTable(), limit=100_000, servers=1).start(2)
    for _ in range(20):
        await world.request(0, need=100, cost=90)
    world.restart(0)
    world.time.seconds += LONG_AFTER
    for _ in range(2):  # the first does not know the counters yet
        await world.request(1, need=100, cost=0)
        await world.flush()
    assert world.spent <= world.item["used"] <= world.spent + 100_000 // SHARE_HELD
    assert world.item["held"] == 0


async def test_a_cost_beyond_its_reservation_waits_for_the_table() -> None:
    table = SharedTable(losses=("nothing", "request", "request", "nothing", "nothing"))
    world = Gateways(table, limit=10_000, servers=1).start(1)
    await world.request(0, need=100, cost=700)
    await world.flush()
    await world.flush()
    assert world.item["used"] >= 700


request_lists = st.lists(
    st.tuples(
        st.integers(0, 4),  # instance
        st.integers(1, 400),  # need
        st.floats(0, 1),  # part of it that is used
        st.integers(0, 8),  # turns in flight
        st.sampled_from(["ends", "ends", "ends", "crashes"]),
    ),
    min_size=1,
    max_size=12,
)
batches = st.lists(
    st.tuples(request_lists, st.sampled_from([0.0, 1.0, 59.0, 299.0, 301.0, 900.0, LONG_AFTER])), min_size=1, max_size=6
)
pauses = st.lists(st.integers(0, 4), min_size=1, max_size=7)
LOSSES = st.lists(st.sampled_from(["nothing"] * 6 + ["request", "answer"]), min_size=1, max_size=11)


async def run(world: Gateways, plan: list[tuple[list[tuple[int, int, float, int, str]], float]]) -> None:
    """Run batch after batch, all requests of a batch at once, the clock standing still; then time passes."""
    for batch, seconds in plan:
        requests = [
            world.request(index, need, int(need * part), turns, ending == "crashes")
            for index, need, part, turns, ending in batch
        ]
        for answer in await outcomes(*requests):
            assert answer is None or isinstance(answer, (Rejected, Unavailable, StoreUnavailable)), answer
        world.time.seconds += seconds


@settings(max_examples=150, deadline=None)
@given(plan=batches, waits=pauses, limit=st.integers(100, 3_000), skews=st.lists(st.floats(-30, 30), min_size=5))
def test_no_interleaving_passes_the_budget_and_every_cost_is_counted(
    plan: list[tuple[list[tuple[int, int, float, int, str]], float]],
    waits: list[int],
    limit: int,
    skews: list[float],
) -> None:
    async def play() -> None:
        world = Gateways(SharedTable(pauses=waits), limit).start(5, skews)
        await run(world, plan)
        assert world.highest <= limit
        item = world.item
        assert item.get("used", 0) - item.get("held", 0) == world.spent
        assert item.get("held", 0) == sum(value for name, value in item.items() if name.startswith("held_"))
        assert item.get("held", 0) >= 0
        world.time.seconds += LONG_AFTER
        if world.spent < limit:  # all that crashed instances held is free again
            await world.request(0, limit - world.spent, 0)

    asyncio.run(play())


@settings(max_examples=200, deadline=None)
@given(
    plan=batches,
    waits=pauses,
    limit=st.integers(100, 3_000),
    skews=st.lists(st.floats(-30, 30), min_size=5),
    servers=st.sampled_from([1, 2, 3]),
    flushes=st.booleans(),
)
def test_no_interleaving_or_kill_of_servers_passes_the_budget_or_forgets_a_cost(
    plan: list[tuple[list[tuple[int, int, float, int, str]], float]],
    waits: list[int],
    limit: int,
    skews: list[float],
    servers: int,
    flushes: bool,
) -> None:
    async def play() -> None:
        world = Gateways(SharedTable(pauses=waits), limit, servers).start(5, skews)
        for part in plan:
            await run(world, [part])
            if flushes:
                await world.flush()
            assert world.highest <= limit
        await world.flush()
        item, crashed = world.item, any(ending == "crashes" for batch, _ in plan for *_, ending in batch)
        leases = sum(value for name, value in item.items() if name.startswith(("held_", "drawn_")))
        assert item.get("held", 0) == leases
        assert item.get("used", 0) >= world.spent
        # What a server leaves unwritten for longer than a lease lasts counts as spent, as if it had been killed.
        if flushes and not crashed:
            assert item.get("used", 0) - leases == world.spent
        # What lapses of servers stays counted: nothing that they spent before they were killed is free again.
        world.time.seconds += LONG_AFTER
        await outcomes(world.request(0, 1, 0))
        await world.flush()
        assert world.item.get("used", 0) >= world.spent

    asyncio.run(play())


@settings(max_examples=100, deadline=None)
@given(plan=batches, waits=pauses, losses=LOSSES, limit=st.integers(100, 3_000), servers=st.sampled_from([0, 1, 2]))
def test_lost_requests_and_answers_make_a_key_pay_more_never_less(
    plan: list[tuple[list[tuple[int, int, float, int, str]], float]],
    waits: list[int],
    losses: list[str],
    limit: int,
    servers: int,
) -> None:
    async def play() -> None:
        world = Gateways(SharedTable(pauses=waits, losses=losses), limit, servers).start(5)
        await run(world, plan)
        assert world.highest <= limit
        world.table.heal()
        await world.flush()
        item = world.item
        lapses = sum(value for name, value in item.items() if name.startswith("held_"))
        assert item.get("used", 0) - lapses >= world.spent

    asyncio.run(play())


@settings(max_examples=100, deadline=None)
@given(
    plan=batches,
    waits=pauses,
    steps=st.lists(st.floats(-7200, 7200), min_size=1, max_size=6),
    servers=st.sampled_from([0, 1, 2]),
)
def test_clocks_that_jump_lose_no_cost(
    plan: list[tuple[list[tuple[int, int, float, int, str]], float]], waits: list[int], steps: list[float], servers: int
) -> None:
    async def play() -> None:
        world = Gateways(SharedTable(pauses=waits), 2_000, servers).start(5)
        for number, part in enumerate(plan):
            world.clocks[number % 5].off += steps[number % len(steps)]
            await run(world, [part])
        await world.flush()
        item = world.item
        if servers:
            # What was given back to a lease that had lapsed for somebody else counts again when that lapses too.
            lapses = sum(amount for name, amount in item.items() if name.startswith("held_"))
            assert item.get("used", 0) - lapses >= world.spent
        else:
            assert item.get("used", 0) - item.get("held", 0) == world.spent

    asyncio.run(play())
