"""What every usage log does, and how it reads what the gateway wrote."""

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.domain.observations.usage import (
    CHECKS,
    HourOfInstances,
    HourOfTraffic,
    Hours,
    InstanceUse,
    Traffic,
    Usage,
)
from spillway.ports import InstanceTimes, UsageLog
from tests.builders import NOW, an_instance_time
from tests.fakes import FakeUsageLog

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable


class Log(UsageLog, InstanceTimes, Protocol):
    """The whole table."""


@pytest.fixture(params=["memory", "dynamodb"])
def log(request: pytest.FixtureRequest) -> Log:
    if request.param == "memory":
        return FakeUsageLog()
    make: MakeTable = request.getfixturevalue("make_table")
    return UsageTable(request.getfixturevalue("dynamodb"), make("deployment", "bucket"))


def test_an_unused_deployment_used_nothing(log: Log) -> None:
    assert log.month("support-llama", "2026-11") == Usage()


NINE, HOUR = NOW.replace(minute=0), timedelta(hours=1)
FLEET = ("fleet", "g6e.xlarge")


def test_instance_time_is_summed_by_type_over_the_month(log: Log) -> None:
    log.put_instance_times([an_instance_time(), an_instance_time(instance_type="g5.2xlarge", usd_per_hour=1.212)])
    log.put_instance_times(
        [an_instance_time(hour=NINE + 2 * HOUR, warm_up_seconds=30), an_instance_time(instance="i-1")]
    )
    log.put_instance_times([an_instance_time(hour=NINE + 30 * 24 * HOUR), an_instance_time("another")])
    assert log.month("support-llama", "2026-11").instances == {
        # Thrice 60 s at $1.861 an hour; 30 s of it are 15,508 micro-dollars.
        FLEET: InstanceUse(180, 93_051, 0, 30, 15_508),
        ("fleet", "g5.2xlarge"): InstanceUse(60, 20_200),
    }


def test_time_of_unknown_price_is_not_taken_for_free(log: Log) -> None:
    log.put_instance_times([an_instance_time(usd_per_hour=None)])
    assert log.month("support-llama", "2026-11").instances == {FLEET: InstanceUse(60, 0, 60)}


def test_a_repeated_batch_adds_nothing(log: Log) -> None:
    batch = [an_instance_time(f"model-{number}") for number in range(130)]
    log.put_instance_times(batch)
    log.put_instance_times(batch)
    for name in ("model-0", "model-129"):
        assert log.month(name, "2026-11").instances[FLEET].seconds == 60


def test_the_longer_time_of_an_hour_is_kept_whoever_comes_last(log: Log) -> None:
    log.put_instance_times([an_instance_time("old", seconds=120)])
    log.put_instance_times([an_instance_time("old", seconds=90), an_instance_time("new", seconds=90)])
    assert log.month("old", "2026-11").instances[FLEET].seconds == 120
    assert log.month("new", "2026-11").instances[FLEET].seconds == 90
    log.put_instance_times([an_instance_time("old", seconds=180)])
    assert log.month("old", "2026-11").instances[FLEET] == InstanceUse(180, 93_050)


def test_the_checks_own_use_stands_beside_that_of_deployments(log: Log) -> None:
    for lambda_mb_ms in (1000, 200):
        log.add_check(NINE, lambda_mb_ms)
    log.add_check(NINE + HOUR, 30)
    assert [(one.hour, one.traffic) for one in log.hours(CHECKS, NINE, NINE + 2 * HOUR).traffic] == [
        (NINE, Traffic(requests=2, lambda_mb_ms=1200)),
        (NINE + HOUR, Traffic(requests=1, lambda_mb_ms=30)),
    ]


def test_an_empty_batch_is_fine(log: Log) -> None:
    log.put_instance_times([])


def test_the_gateways_counters_are_summed_over_hours_and_keys(
    dynamodb: "DynamoDBClient", make_table: "MakeTable"
) -> None:
    table = make_table("deployment", "bucket")
    for bucket, tokens in {
        "2026-11-01T00Z#spill#bedrock#key_a": 100,
        "2026-11-30T23Z#spill#bedrock#key_b": 50,
        "2026-11-24T01Z#primary#fleet#key_a": 7,
        "2026-12-01T00Z#spill#bedrock#key_a": 1000,
    }.items():
        dynamodb.update_item(
            TableName=table,
            Key={"deployment": {"S": "support-llama"}, "bucket": {"S": bucket}},
            UpdateExpression="ADD requests :one, prompt_tokens :tokens, completion_tokens :tokens, reason_asleep :one",
            ExpressionAttributeValues={":one": {"N": "1"}, ":tokens": {"N": str(tokens)}},
        )
    assert UsageTable(dynamodb, table).month("support-llama", "2026-11").traffic == {
        ("spill", "bedrock"): Traffic(2, 0, 150, 0, 150, {"asleep": 2}),
        ("primary", "fleet"): Traffic(1, 0, 7, 0, 7, {"asleep": 1}),
    }


def test_hours_are_those_asked_for_with_nothing_summed(log: Log) -> None:
    log.put_instance_times([an_instance_time(hour=NINE + hour * HOUR) for hour in range(-2, 3)])
    log.put_instance_times([an_instance_time(instance="i-1")])
    assert log.hours("support-llama", NINE, NINE + 2 * HOUR) == Hours(
        instances=(
            HourOfInstances(NINE, "fleet", "g6e.xlarge", InstanceUse(120, 62_034, 0)),
            HourOfInstances(NINE + HOUR, "fleet", "g6e.xlarge", InstanceUse(60, 31_017, 0)),
        )
    )
    assert log.hours("another", NINE, NINE + 2 * HOUR) == Hours()


def test_the_gateways_hours_keep_their_keys(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    table = make_table("deployment", "bucket")
    for key in ("key_a", "key_b"):
        dynamodb.update_item(
            TableName=table,
            Key={"deployment": {"S": "support-llama"}, "bucket": {"S": f"2026-11-24T09Z#spill#bedrock#{key}"}},
            UpdateExpression="ADD requests :one, prompt_tokens :ten, expires_at :ten",
            ExpressionAttributeValues={":one": {"N": "1"}, ":ten": {"N": "10"}},
        )
    hour = NOW.replace(minute=0)
    found = UsageTable(dynamodb, table).hours("support-llama", hour, hour + timedelta(hours=1))
    assert found == Hours(
        traffic=tuple(
            HourOfTraffic(hour, "spill", "bedrock", key, Traffic(requests=1, prompt_tokens=10))
            for key in ("key_a", "key_b")
        )
    )
