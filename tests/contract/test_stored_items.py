"""What an earlier version stored is read: an upgrade forgets no deployment, no route and no use."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.domain.deployments.status import Status
from spillway.domain.observations.usage import CHECKS, InstanceUse, Traffic
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget
from spillway.domain.routing.route import RouteState
from tests.builders import NOW, SPILL_MODEL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable

STORED: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "stored_items.json").read_text(encoding="utf-8")
)
NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)
SPILL = BedrockTarget(SPILL_MODEL, "converse")
IMPORTED = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl", 2)


def filled(dynamodb: "DynamoDBClient", table: str, name: str, **changes: Any) -> str:
    for item in STORED[name]:
        dynamodb.put_item(TableName=table, Item={**item, **changes})
    return table


def test_deployments_of_every_path_are_read(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    found = DeploymentsTable(dynamodb, filled(dynamodb, make_table("name"), "deployments")).all()
    assert found.unreadable == []
    deployments = {one.name: one for one in found.deployments}
    assert {name: one.target for name, one in deployments.items()} == {
        "fleet": FleetTarget("fleet"),
        "imported": IMPORTED,
        "hub": SageMakerTarget("spillway-hub", "spillway-hub"),
        "catalog": SPILL,
    }
    fleet = deployments["fleet"]
    assert fleet.measured is not None
    assert fleet.measured.conditions().startswith("90000 tokens a minute of one g6e.xlarge, measured by vllm-0.32.0")
    assert (fleet.cold_start_seconds, fleet.restore, fleet.hold_until) == (412.5, 1, NOW + timedelta(minutes=10))
    assert (fleet.spec.engine.name, fleet.spec.engine.media_domains) == ("vllm", ("example.com",))
    assert fleet.spec.capacity.warm_windows[0].time_zone == "Europe/Berlin"
    assert fleet.spec.capacity.larger is not None
    assert fleet.spec.request_log.text
    assert deployments["hub"].status is Status.ASLEEP
    assert deployments["hub"].spec.thresholds.waiting_usd_per_request == 0.01


@pytest.mark.parametrize(("field", "value"), [("path", "moon"), ("engine", {"name": "sglang"})])
def test_one_that_another_version_wrote_keeps_nobody_else_from_being_read(
    dynamodb: "DynamoDBClient", make_table: "MakeTable", field: str, value: Any
) -> None:
    table = filled(dynamodb, make_table("name"), "deployments")
    item = next(item for item in STORED["deployments"] if item["name"]["S"] == "hub")
    spec = {**json.loads(item["spec"]["S"]), "name": "unknown", field: value}
    dynamodb.put_item(TableName=table, Item={**item, "name": {"S": "unknown"}, "spec": {"S": json.dumps(spec)}})
    found = DeploymentsTable(dynamodb, table).all()
    assert found.unreadable == ["unknown"]
    assert len(found.deployments) == len(STORED["deployments"])


def test_routes_are_read(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    routes = RoutesTable(dynamodb, filled(dynamodb, make_table("name"), "routes"))
    found = routes.get_many(["fleet", "imported", "hub", "catalog"])
    assert {name: (route.state, route.primary, route.spill) for name, route in found.items()} == {
        "fleet": (RouteState.SATURATED, FleetTarget("fleet"), SPILL),
        "imported": (RouteState.READY, IMPORTED, SPILL),
        "hub": (RouteState.COLD, SageMakerTarget("spillway-hub", "spillway-hub"), None),
        "catalog": (RouteState.READY, SPILL, None),
    }
    fleet = found["fleet"]
    assert (fleet.spill_share, fleet.context_length, fleet.lost_until, fleet.logs_text) == (
        0.25,
        4096,
        1795512000,
        True,
    )


def test_use_is_read(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    usage = UsageTable(dynamodb, filled(dynamodb, make_table("deployment", "bucket"), "usage"))
    month = usage.month("fleet", "2026-11")
    answered = Traffic(3, 0, 70, 20, 30, {"ready": 3}, reasoning_tokens=4, lambda_mb_ms=512)
    assert month.traffic == {
        ("primary", "fleet"): answered,
        ("spill", "bedrock"): Traffic(1, 0, 7, 0, 3, {"asleep": 1}),
        ("none", "none"): Traffic(2, 2, reasons={"no_target": 2}),
    }
    # A minute at $1.861 an hour, half of it warming up, and two minutes without a price.
    assert month.instances == {("fleet", "g6e.xlarge"): InstanceUse(180, 31_017, 120, 30, 15_508)}
    hours = usage.hours("fleet", NINE, NINE + timedelta(hours=1))
    assert {(one.hour, one.role, one.path, one.key) for one in hours.traffic} == {
        (NINE, "primary", "fleet", "key_1"),
        (NINE, "spill", "bedrock", "key_1"),
        (NINE, "none", "none", "key_2"),
    }
    (windows,) = usage.hours("imported", NINE, NINE + timedelta(hours=1)).instances
    # Ten unit minutes at $4.716 an hour.
    assert (windows.path, windows.instance_type, windows.use) == (
        "import",
        "custom-model-unit",
        InstanceUse(600, 786_000),
    )
    (check,) = usage.hours(CHECKS, NINE, NINE + timedelta(hours=1)).traffic
    assert (check.role, check.traffic.requests, check.traffic.lambda_mb_ms) == ("check", 1, 12_345)
