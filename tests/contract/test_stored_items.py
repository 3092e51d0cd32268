"""What an earlier version stored is read: an upgrade forgets no deployment, route, key, use, price or credit."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spillway.adapters.dynamodb.benchmarks_table import BenchmarksTable
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.keys_table import KeysTable
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.dynamodb.reviews_table import ReviewsTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.domain.access.keys import OldSecret, Scope, digest_of, id_of
from spillway.domain.access.limits import KeyLimits
from spillway.domain.benchmarks.record import End, State
from spillway.domain.costs.credits import Credit, CreditLedger
from spillway.domain.deployments.status import Status
from spillway.domain.observations.usage import CHECKS, InstanceUse, Traffic
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget
from spillway.domain.pricing.price_layers import Override, PriceTable
from spillway.domain.review.record import Review, Shadow
from spillway.domain.routing.route import RouteState
from tests.builders import NOW, SPILL_MODEL, a_decision, a_key

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


def test_keys_open_what_they_opened_by_every_secret(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    keys = KeysTable(dynamodb, filled(dynamodb, make_table("id"), "keys"))
    assert keys.get(id_of("plain")) == a_key("plain")
    rotated = keys.get(id_of("first"))
    assert rotated is not None
    assert (rotated.name, rotated.scopes, rotated.deployments) == ("rotated", frozenset(Scope), ("a1", "b2"))
    assert (rotated.limits, rotated.expires_at) == (KeyLimits(60, 40_000, 0.5), NOW + timedelta(days=1))
    assert [keys.find(id_of(secret)) for secret in ("first", "second")] == [rotated, rotated]
    assert rotated.digest == digest_of("second")
    assert rotated.old_secrets == (OldSecret(digest_of("first"), NOW + timedelta(hours=1)),)


def test_decisions_are_shown(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    decisions = DecisionsTable(dynamodb, filled(dynamodb, make_table("deployment", "at"), "decisions"))
    assert decisions.page("fleet", 10, None) == ([(NOW, a_decision())], None)


def test_benchmarks_are_shown(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    benchmarks = BenchmarksTable(dynamodb, filled(dynamodb, make_table("deployment", "id"), "benchmarks"))
    ended = benchmarks.get("support-llama", "00000003-1")
    (step,) = ended.steps
    assert (ended.state, ended.end, ended.usd_used, ended.seconds_used) == (State.DONE, End.SATURATED, 0.25, 74.5)
    assert (step.concurrency, step.requests, step.failures) == (4, 600, {"x": 1})


def test_prices_and_credits_hold_on(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    prices = PricesTable(dynamodb, filled(dynamodb, make_table("id"), "prices"))
    stored = prices.load()
    assert {reading.table: reading.usd for reading in stored.readings} == {
        PriceTable.EC2: {"g5.xlarge": (1.1,), "g6.xlarge": (0.8,)},
        PriceTable.BEDROCK: {"a.model": (0.1, 0.2)},
    }
    assert list(stored.overrides) == [
        Override(PriceTable.SPOT, "g5.xlarge", usd=(0.4,), note="mine"),
        Override(PriceTable.EC2, discount=0.3),
    ]
    assert prices.credits() == CreditLedger(
        (Credit(name="poc", usd=10_000.0, expires_on=date(2027, 3, 31)),), NOW, 12.5
    )


def test_what_a_review_told_is_not_told_again(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    reviews = ReviewsTable(dynamodb, filled(dynamodb, make_table("id"), "reviews"))
    shadow = Shadow(NOW, 168, 1_000_000, 0.22, "a test", 0.2, "g6e.xlarge", 1, 0.5, 0.25)
    assert reviews.load(["fleet"]) == {"fleet": Review(NOW, frozenset({"fleet_pays", "cost_anomaly"}), shadow)}
