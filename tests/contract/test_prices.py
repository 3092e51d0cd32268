"""What every store of prices does."""

from typing import TYPE_CHECKING

import pytest

from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.domain.pricing.price_layers import Override, PriceTable, Reading, StoredPrices
from spillway.ports import Prices
from tests.builders import NOW
from tests.fakes import FakePrices

if TYPE_CHECKING:
    from tests.contract.conftest import MakeTable


@pytest.fixture(params=["memory", "dynamodb"])
def prices(request: pytest.FixtureRequest) -> Prices:
    if request.param == "memory":
        return FakePrices()
    make: MakeTable = request.getfixturevalue("make_table")
    return PricesTable(request.getfixturevalue("dynamodb"), make("id"))


def test_an_empty_store_changes_nothing(prices: Prices) -> None:
    stored = prices.load()
    assert (list(stored.readings), list(stored.overrides), stored.overridden_at) == ([], [], None)


def test_what_is_put_is_loaded_and_put_again_replaced(prices: Prices) -> None:
    old = Reading(PriceTable.EC2, {"g5.xlarge": (9.0,)}, "a test", NOW)
    new = Reading(PriceTable.EC2, {"g5.xlarge": (1.1,), "g6.xlarge": (0.8,)}, "a test", NOW)
    tokens = Reading(PriceTable.BEDROCK, {"a.model": (0.1, 0.2)}, "a test", NOW)
    overrides = [
        Override(PriceTable.SPOT, "g5.xlarge", usd=(0.4,), note="mine"),
        Override(PriceTable.EC2, discount=0.3),
    ]
    for reading in (old, new, tokens):
        prices.put_reading(reading)
    prices.put_overrides(overrides, NOW)
    stored = prices.load()
    assert sorted(stored.readings, key=lambda one: one.table) == [tokens, new]
    assert StoredPrices(overrides=stored.overrides, overridden_at=stored.overridden_at) == StoredPrices(
        overrides=overrides, overridden_at=NOW
    )
