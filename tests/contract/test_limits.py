"""What every table of limits does: the one in memory that other tests share, and DynamoDB over our own client."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
import pytest

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.dynamodb import limits_table
from spillway.adapters.dynamodb.limits_table import LimitsTable
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.limits.budget import Budget
from spillway.gateway.limits.errors import LimitExceeded
from spillway.gateway.limits.rate import RateLimits
from spillway.gateway.limits.store import Change, Counters, Outcome
from spillway.settings import Settings
from tests.builders import NOW
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.table_engine import OTHER_DYNAMODB
from tests.unit.gateway.limits.doubles import AT_ONCE, CommonTime, SharedTable, SkewedClock
from tests.unit.gateway.servers import ENVIRONMENT

CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "AKIA", "aws_secret_access_key": "s"}
ITEM = "key_1#2026-11"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    if OTHER_DYNAMODB:
        yield OTHER_DYNAMODB
        return
    # The sandbox's moto: left to itself, moto checks a condition and then writes, where DynamoDB does both at once.
    cloud = MotoCloud()
    yield cloud.start()
    cloud.stop()


@pytest.fixture
def dynamo(endpoint: str) -> Iterator[Any]:
    client: Any = boto3.client("dynamodb", endpoint_url=endpoint, **CREDENTIALS)  # type: ignore[call-overload]
    client.create_table(
        TableName="limits",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    yield client
    client.delete_table(TableName="limits")
    client.close()


@pytest.fixture(params=["memory", "dynamodb"])
async def table(
    request: pytest.FixtureRequest, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield SharedTable()
        return
    request.getfixturevalue("dynamo")
    monkeypatch.setattr(limits_table, "TABLE_SECONDS", 30.0)  # moto takes one write after the other
    async with Connections() as connections:
        yield LimitsTable(
            AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}), lambda: NOW), "limits"
        )


def a_change(add: dict[str, int], **more: Any) -> Change:
    return Change(ITEM, 1_800_000_000, add, **more)


async def test_counters_begin_at_nothing_and_add_up(table: Counters) -> None:
    assert await table.change(a_change({"used": 5})) == Outcome(True, {"used": 5})
    assert await table.change(a_change({"used": 2, "held": 3})) == Outcome(True, {"used": 7, "held": 3})
    assert await table.change(a_change({"used": -7})) == Outcome(True, {"used": 0, "held": 3})


async def test_nothing_changes_above_the_most_that_was_allowed(table: Counters) -> None:
    assert (await table.change(a_change({"used": 6}, at_most={"used": 4}))).done
    assert await table.change(a_change({"used": 5}, at_most={"used": 5})) == Outcome(False, {"used": 6})
    assert await table.change(a_change({"used": 4}, at_most={"used": 6})) == Outcome(True, {"used": 10})


async def test_a_counter_that_must_be_there_is_asked_for(table: Counters) -> None:
    assert await table.change(a_change({"used": 1}, present=("held_60",))) == Outcome(False, {})
    await table.change(a_change({"held_60": 1}))
    await table.change(a_change({"held_60": -1}))
    assert (await table.change(a_change({"used": 1}, present=("held_60",)))).done


async def test_a_counter_is_taken_away_at_its_value_only(table: Counters) -> None:
    await table.change(a_change({"used": 9, "held_60": 4}))
    assert not (await table.change(a_change({"used": -3}, remove={"held_60": 3}))).done
    assert await table.change(a_change({"used": -4}, remove={"held_60": 4})) == Outcome(True, {"used": 5})
    assert not (await table.change(a_change({"used": -4}, remove={"held_60": 4}))).done


async def test_large_amounts_stay_whole(table: Counters) -> None:
    million_dollars = 10**15
    await table.change(a_change({"used": million_dollars}))
    assert (await table.change(a_change({"used": 1}))).counters == {"used": million_dollars + 1}


async def test_50_writers_at_once_leave_exactly_what_there_is_room_for(table: Counters) -> None:
    outcomes = await asyncio.gather(*(table.change(a_change({"used": 10}, at_most={"used": 90})) for _ in range(50)))
    assert sum(outcome.done for outcome in outcomes) == 10
    assert (await table.change(a_change({"used": 0, "held": 1}))).counters["used"] == 100


async def test_200_requests_through_20_gateways_stay_within_a_budget(table: Counters) -> None:
    clock = SkewedClock(CommonTime())
    budgets = [Budget("key_1", table, clock.now, clock.monotonic, AT_ONCE) for _ in range(20)]
    costs: list[int] = []

    async def request(budget: Budget) -> None:
        reservation = await budget.reserve(100, 5_000)
        await asyncio.sleep(0.01)
        costs.append(90)
        await budget.settle(reservation, 90)

    answers = await asyncio.gather(*(request(budgets[index % 20]) for index in range(200)), return_exceptions=True)
    assert all(answer is None or isinstance(answer, LimitExceeded) for answer in answers)
    item = (await table.change(a_change({"probe": 1}))).counters
    assert item["used"] - item["held"] == sum(costs) <= 5_000
    assert sum(costs) >= 0.8 * 5_000


async def test_200_requests_through_20_gateways_stay_within_a_minute(table: Counters) -> None:
    clock = SkewedClock(CommonTime())
    instances = [RateLimits("key_1", table, clock.now) for _ in range(20)]
    limits = {"requests": 60, "tokens": 6_000}
    requests = (instances[index % 20].reserve({"requests": 1, "tokens": 90}, limits) for index in range(200))
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert not [
        answer for answer in answers if isinstance(answer, BaseException) and not isinstance(answer, LimitExceeded)
    ]
    assert 54 <= sum(not isinstance(answer, LimitExceeded) for answer in answers) <= 60


async def test_a_table_that_is_not_there_is_unavailable(endpoint: str) -> None:
    async with Connections() as connections:
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}), lambda: NOW)
        with pytest.raises(StoreUnavailable):
            await LimitsTable(aws, "nowhere").change(a_change({"used": 1}))
        nowhere = Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
        with pytest.raises(StoreUnavailable):
            await LimitsTable(AwsHttp(connections, nowhere, lambda: NOW), "limits").change(a_change({"used": 1}))


async def test_items_expire(endpoint: str, dynamo: Any) -> None:
    async with Connections() as connections:
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}), lambda: NOW)
        await LimitsTable(aws, "limits").change(a_change({"used": 1}))
    assert dynamo.get_item(TableName="limits", Key={"id": {"S": ITEM}})["Item"]["expires_at"] == {"N": "1800000000"}
