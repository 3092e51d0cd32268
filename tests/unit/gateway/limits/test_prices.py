"""The prices that keys' budgets are reserved at."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spillway.bootstrap.gateway import PRICES
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget
from spillway.domain.pricing.price_book import price_book
from spillway.domain.pricing.price_layers import Override, PriceTable, Reading, StoredPrices
from spillway.domain.pricing.updates import current
from spillway.gateway.limits.prices import FREE, PriceList, TokenPrices
from spillway.gateway.streaming.usage import Usage
from tests.unit.gateway.doubles import FakeClock, FakeStoredPrices, a_world, completion
from tests.unit.gateway.limits.test_limiter import MODEL, ask, spent, spilling

MINE = StoredPrices(overrides=[Override(PriceTable.BEDROCK, MODEL, usd=(1.0, 3.0))], overridden_at=datetime.now(UTC))
TARGET = BedrockTarget(MODEL, "converse")


def token_prices(stored: FakeStoredPrices, clock: FakeClock, region: str = "us-east-1") -> TokenPrices:
    return TokenPrices(PRICES.read_bytes, stored.read, region, clock.monotonic, lambda _: None)


def prompt_price(prices: PriceList) -> float:
    price = prices.of(TARGET)
    assert price is not None
    return price.prompt


async def test_a_users_own_price_is_what_a_key_pays() -> None:
    world = a_world(spilling(), bedrock=[completion()])
    world.prices.stored = MINE
    await ask(world, usd_per_month=1)
    usage = world.counters.added[-1].counts
    assert spent(world) == usage["prompt_tokens"] * 1000 + usage["completion_tokens"] * 3000


async def test_a_model_outside_the_snapshot_is_open_to_budgets_once_a_user_has_stated_its_price() -> None:
    unlisted = BedrockTarget("nobody.knows-v1:0", "converse")
    world = a_world(replace(spilling(), primary=None, spill=unlisted), bedrock=[completion()])
    assert (await ask(world, usd_per_month=1)).error["code"] == "price_unknown"
    world.prices.stored = StoredPrices(overrides=[Override(PriceTable.BEDROCK, unlisted.model_id, usd=(1.0, 1.0))])
    world.clock.moment += 60
    assert (await ask(world, usd_per_month=1)).status == 200


async def test_prices_are_read_once_a_minute_for_all_requests_and_never_for_keys_without_a_budget() -> None:
    world = a_world(spilling(), bedrock=[completion()])
    await ask(world, requests_per_minute=100)
    assert world.prices.reads == 0
    await asyncio.gather(*(ask(world, usd_per_month=1) for _ in range(20)))
    world.clock.moment += 59
    await ask(world, usd_per_month=1)
    assert world.prices.reads == 1
    world.clock.moment += 1
    await ask(world, usd_per_month=1)
    assert world.prices.reads == 2


async def test_the_last_prices_stay_while_their_table_is_away_and_the_snapshot_is_the_floor() -> None:
    stored, clock = FakeStoredPrices(down=True), FakeClock()
    prices = token_prices(stored, clock)
    assert prompt_price(await prices.in_force()) == 220
    stored.stored, stored.down = MINE, False
    clock.moment += 60
    assert prompt_price(await prices.in_force()) == 1000
    stored.down = True
    clock.moment += 3600
    assert prompt_price(await prices.in_force()) == 1000


async def test_the_snapshot_holds_for_its_own_region_and_a_users_own_price_for_every_one() -> None:
    stored, clock = FakeStoredPrices(), FakeClock()
    prices = token_prices(stored, clock, "eu-west-1")
    assert (await prices.in_force()).of(TARGET) is None
    stored.stored = MINE
    clock.moment += 60
    assert prompt_price(await prices.in_force()) == 1000


async def test_cached_prompts_cost_a_key_ones_own_price_where_there_is_one() -> None:
    mine = [Override(PriceTable.BEDROCK, MODEL, usd=(1.0, 3.0, 0.25)), Override(PriceTable.BEDROCK, discount=0.5)]
    prices = await token_prices(FakeStoredPrices(StoredPrices(overrides=mine)), FakeClock()).in_force()
    price = prices.of(TARGET)
    # Half of $1, $0.25 and $3 a million.
    assert price is not None
    assert price.cost(Usage(prompt=1000, completion=100, cached=400)) == 600 * 500 + 400 * 125 + 100 * 1500


async def test_what_bills_by_time_costs_a_key_nothing() -> None:
    prices = await token_prices(FakeStoredPrices(), FakeClock()).in_force()
    imported = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abc")
    assert prices.of(FleetTarget("a")) is prices.of(imported) is FREE


usd = st.floats(0.01, 100).map(lambda value: round(value, 4))
models = st.sampled_from([*sorted(price_book().bedrock), "new.model-v1:0"])
pairs = st.tuples(usd, usd)
readings = st.builds(
    Reading, st.sampled_from(PriceTable), st.dictionaries(models, pairs), st.just("a test"), st.just(datetime.now(UTC))
)
overrides = st.one_of(
    st.builds(Override, st.just(PriceTable.BEDROCK), models, usd=pairs | st.tuples(usd, usd, usd)),
    st.builds(Override, st.sampled_from(PriceTable), st.none() | models, discount=st.floats(0, 0.9)),
)


@given(st.builds(StoredPrices, st.lists(readings, max_size=3), st.lists(overrides, max_size=4)), models)
def test_a_key_pays_what_the_control_planes_price_book_says(stored: StoredPrices, model: str) -> None:
    async def gateways() -> Any:
        return (await token_prices(FakeStoredPrices(stored), FakeClock()).in_force()).of(BedrockTarget(model, "openai"))

    book, price = current(price_book(), stored).tokens(model, "us-east-1"), asyncio.run(gateways())
    if book is None:
        assert price is None
        return
    cost = price.cost(Usage(prompt=1000, completion=200, cached=300))
    # The gateway counts whole nano-dollars; the book's floats carry a tail that is none of the price.
    assert abs(cost - round(book.cost(1000, 200, 300) * 1e9, 3)) <= 1
