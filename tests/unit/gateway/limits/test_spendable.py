"""How much of a tight key's month 200 clients can spend at the same time, before one of them has to give up."""

import asyncio
import heapq
import random
from dataclasses import dataclass, field

import pytest

from spillway.gateway.errors import Unavailable
from spillway.gateway.limits.budget import Budget
from spillway.gateway.limits.budget_write_behind import WriteBehindBudget
from spillway.gateway.limits.errors import LimitExceeded
from spillway.gateway.limits.month import Patience
from tests.unit.gateway.limits.doubles import CommonTime, SharedTable, SkewedClock

CLIENTS = 200
NEED = 1_000
# All that 200 requests reserve is a third of it.
LIMIT = 600 * NEED
# What openai's client does with a 429: two more attempts, each after what Retry-After asks for.
RETRIES = 2
STEP_SECONDS = 0.1


@dataclass
class Simulation:
    """Clients that ask one after the other, on a clock that moves only here; amounts are nano-dollars.

    ``share`` is the part of its reservation that a request costs in the end.
    """

    share: float
    patience_seconds: float
    time: CommonTime = field(default_factory=CommonTime)
    table: SharedTable = field(default_factory=lambda: SharedTable(pauses=(0, 1, 0, 1)))
    spent: int = 0
    in_flight: int = 0
    highest: int = 0
    gave_up_at: float | None = None
    refusals: set[str] = field(default_factory=set)
    over: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(12)
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def budgets(self, lambdas: int, servers: int) -> list[Budget | WriteBehindBudget]:
        clocks = [SkewedClock(self.time, (index * 7 % 60) - 30) for index in range(lambdas + servers)]
        patience = Patience(seconds=self.patience_seconds, pause=self.sleep)
        return [
            Budget("key_1", self.table, clock.now, clock.monotonic, patience)
            if index < lambdas
            else WriteBehindBudget("key_1", self.table, clock.now, clock.monotonic, 3600.0, lambda _: None, patience)
            for index, clock in enumerate(clocks)
        ]

    async def play(self, budgets: list[Budget | WriteBehindBudget]) -> None:
        clients = asyncio.gather(*(self.client(budgets[index % len(budgets)]) for index in range(CLIENTS)))
        steps = 0
        while not clients.done():
            steps += 1
            self.time.seconds = steps * STEP_SECONDS
            if steps % 10 == 0:
                for budget in budgets:
                    if isinstance(budget, WriteBehindBudget):
                        await budget.flush()
            while self._sleepers and (self.over or self._sleepers[0][0] <= self.time.seconds):
                heapq.heappop(self._sleepers)[2].set()
            await asyncio.sleep(0)
        await clients

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.time.seconds + seconds, self._count, woken))
        await woken.wait()

    async def client(self, budget: Budget | WriteBehindBudget) -> None:
        attempts = 0
        while not self.over:
            try:
                reservation = await budget.reserve(NEED, LIMIT)
            except (LimitExceeded, Unavailable) as err:
                attempts += 1
                await self.refused(err, attempts)
                continue
            attempts = 0
            self.in_flight += NEED
            self.highest = max(self.highest, self.spent + self.in_flight)
            await self.sleep(self._random.uniform(1, 4))
            cost = int(NEED * self.share)
            self.in_flight -= NEED
            self.spent += cost
            await budget.settle(reservation, cost)

    async def refused(self, err: LimitExceeded | Unavailable, attempts: int) -> None:
        self.refusals.add(err.code)
        if attempts > RETRIES or err.code == "budget_exceeded":
            self.gave_up_at = self.spent / LIMIT
            self.over = True
            return
        after = dict(err.headers)[b"retry-after"] if isinstance(err, LimitExceeded) else err.retry_after_seconds or 0
        await self.sleep(float(after))


@pytest.mark.parametrize("share", [1.0, 0.15])
@pytest.mark.parametrize(
    ("lambdas", "servers"), [(200, 0), (50, 0), (0, 8), (40, 4)], ids=["200 lambdas", "50 lambdas", "servers", "both"]
)
async def test_200_clients_spend_97_percent_of_a_month_before_the_first_gives_up(
    lambdas: int, servers: int, share: float
) -> None:
    world = Simulation(share, Patience().seconds)
    await world.play(world.budgets(lambdas, servers))
    assert world.gave_up_at is not None
    assert 0.97 <= world.gave_up_at <= 1
    assert world.highest <= LIMIT
    assert "budget_busy" not in world.refusals


async def test_without_waiting_a_client_gives_up_well_before() -> None:
    """What the wait is for: the reservations of those in flight, which need a small part of them."""
    world = Simulation(0.15, patience_seconds=0.0)
    await world.play(world.budgets(200, 0))
    assert world.gave_up_at is not None
    assert world.gave_up_at < 0.9
