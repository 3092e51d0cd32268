"""Larger instances in the check: weighed on paper, and spoken of once a day while they would pay."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spillway.adapters.dynamodb.checks_table import _from_json, _to_json
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.economy import larger_news_of
from spillway.domain.economics.in_check import FleetEconomy
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.pricing.price_book import Source, TokenPrice
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import remember
from tests.builders import a_capacity, a_deployment, a_spec

START = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# A present instance costs a dollar a minute for 100 tokens, a larger one three for 500; 100 tokens cost two dollars.
PRICE = TokenPrice(20_000.0, 20_000.0, Source("test", "2026-11"))
LARGER = {"instance_type": "g6e.12xlarge", "tokens_per_minute_per_instance": 500}
CAPACITY = {"max": 3, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 100, "larger": LARGER}


def a_fleet(**changes: Any) -> Deployment:
    spec = a_spec(capacity={**CAPACITY, **changes})
    began = START - timedelta(days=1)
    return a_deployment(spec=spec, desired=3, updated_at=began, cold_start_seconds=300.0)


def told(deployment: Deployment, tokens: int, minutes: int, larger_usd: float | None = 180.0) -> list[Reason]:
    memory, found = Memory(), []
    for at in range(2, minutes + 2):
        load = Load(tuple(Minute(START + (at - back) * MINUTE, 1, 0, 0, tokens) for back in range(2, 5)))
        snapshot = Snapshot(deployment, a_capacity(3), load, memory, 60.0, PRICE, larger_usd)
        # As between two checks, the memory passes through the table's JSON.
        memory = _from_json(_to_json(remember(snapshot, START + at * MINUTE)))
        if (news := larger_news_of(memory.economy)) is not None:
            found.append(news)
    return found


def test_traffic_that_larger_instances_would_serve_cheaper_is_told_once_a_day_in_dollars() -> None:
    # Three present ones cost three dollars and leave 150 tokens at three more; one larger one costs three.
    first, second = told(a_fleet(), 450, 2 * 1440 - 10)
    assert first.code is Code.LARGER_PAYS
    assert first.sentence.startswith("1 x g6e.12xlarge would now serve this traffic for $")
    assert "less than 3 x g6e.xlarge and tokens beyond it" in first.sentence
    assert first.observed is not None
    assert first.threshold is not None
    assert first.observed >= first.threshold
    # After a day, the last hour has settled: 60 minutes at three dollars, instead of at six.
    assert "for $180.00 an hour, $180.00 less than" in second.sentence


@pytest.mark.parametrize(
    ("deployment", "tokens", "larger_usd"),
    [
        (a_fleet(), 250, 400.0),
        (a_fleet(), 90, 180.0),
        (a_fleet(), 0, 180.0),
        (a_fleet(), 450, None),
        (a_fleet(larger=None), 450, 180.0),
        (replace(a_fleet(), cold_start_seconds=None), 450, 180.0),
    ],
    ids=["too dear", "one small is enough", "no traffic", "price unknown", "none named", "start unmeasured"],
)
def test_otherwise_nothing_is_said(deployment: Deployment, tokens: int, larger_usd: float | None) -> None:
    assert told(deployment, tokens, 240, larger_usd) == []


def test_a_ladder_of_other_places_is_begun_anew() -> None:
    memory = Memory()
    for most in (3, 2):
        load = Load((Minute(START, 1, 0, 0, 450),))
        snapshot = Snapshot(a_fleet(max=most), a_capacity(3), load, memory, 60.0, PRICE, 180.0)
        memory = remember(snapshot, START + 3 * MINUTE)
        assert isinstance(memory.economy, FleetEconomy)
        assert memory.economy.ladder is not None
        assert len(memory.economy.ladder.rates) == 1 + most + 1
