"""``GET /deployments…``."""

from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.deployments.status import Status
from spillway.domain.observations.usage import Traffic
from spillway.domain.pricing.price_book import price_book
from spillway.domain.review.record import Review, Shadow
from tests.builders import NOW, SPILL_MODEL, a_decision, a_deployment, a_route, a_spec, an_instance_time
from tests.measuring_builders import a_measured
from tests.unit.api.conftest import World


def test_a_deployment_is_shown_in_full(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment(
        cold_start_seconds=212.0, resources={"target_group": "arn:tg"}
    )
    world.routes.items["support-llama"] = a_route(version=3, ready=1, starting=2)
    for minute in range(12):
        world.decisions.add("support-llama", a_decision(desired=minute), NOW + timedelta(minutes=minute))
    answer = world.call("GET", "/deployments/support-llama")
    assert answer.status == 200
    shown = answer.json
    assert (shown["status"], shown["desired"], shown["cold_start_seconds"]) == ("serving", 1, 212.0)
    assert shown["resources"] == {"target_group": "arn:tg"}
    assert shown["capacity"] == {"desired": 1, "ready": 1, "starting": 2}
    assert shown["route"]["state"] == "ready"
    assert shown["route"]["primary"] == {"kind": "fleet", "deployment": "support-llama"}
    assert shown["route"]["spill"] == {"kind": "bedrock", "model_id": SPILL_MODEL, "api": "converse"}
    assert [taken["desired"] for taken in shown["decisions"]] == list(range(11, 1, -1))
    assert shown["decisions"][0]["at"] == "2026-11-24T09:41:00Z"
    assert shown["decisions"][0]["reason"]["code"] == "idle"
    assert shown["cost"] == {
        "month": "2026-11",
        "usd": 0.0,
        "instances_usd": 0.0,
        "bedrock_usd": 0.0,
        "by_path": {},
        "unknown": [],
        "prices": [],
    }


def test_the_capacity_of_an_instance_is_shown_with_where_it_comes_from(world: World) -> None:
    def shown(**capacity: object) -> dict[str, Any] | None:
        spec = a_spec(capacity={"max": 4, "instance_types": ["g6e.xlarge"], **capacity})
        world.deployments.items["support-llama"] = a_deployment(spec=spec, measured=measured)
        found: dict[str, Any] | None = world.call("GET", "/deployments/support-llama").json["throughput"]
        return found

    measured = None
    assert shown() is None
    measured = a_measured()
    found = shown()
    assert found is not None
    assert (found["tokens_per_minute_per_instance"], found["source"]) == (120_000, "measured")
    assert (found["measured"]["at"], found["measured"]["engine"]) == ("2026-11-24T09:30:00Z", "vllm-0.32.0")
    assert "measured by vllm-0.32.0 on 2026-11-24" in found["measured"]["conditions"]
    stated = shown(tokens_per_minute_per_instance=50_000)
    assert stated == {**found, "tokens_per_minute_per_instance": 50_000, "source": "stated"}
    assert shown(instance_types=["g5.2xlarge"]) == {**found, "tokens_per_minute_per_instance": None, "source": None}


def test_the_cost_is_instances_and_tokens_with_the_source_of_their_prices(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment()
    world.usage.put_instance_times([an_instance_time(seconds=3600)])
    world.usage.traffic[("support-llama", "2026-11")] = {
        ("spill", "bedrock"): Traffic(prompt_tokens=2_000_000, completion_tokens=1_000_000),
        ("primary", "fleet"): Traffic(prompt_tokens=9_000_000),
    }
    price = price_book().bedrock[SPILL_MODEL]
    cost = world.call("GET", "/deployments/support-llama").json["cost"]
    assert cost["instances_usd"] == 1.861
    assert cost["bedrock_usd"] == round(2 * price.prompt_usd + price.completion_usd, 6)
    assert cost["usd"] == round(cost["instances_usd"] + cost["bedrock_usd"], 6)
    # An hour of one instance for nine million tokens, and three million tokens of Bedrock's at list price.
    assert cost["by_path"]["fleet"] == {"usd": 1.861, "tokens": 9_000_000, "usd_per_million_tokens": 1.861 / 9}
    assert cost["by_path"]["bedrock"]["usd_per_million_tokens"] == pytest.approx(cost["bedrock_usd"] / 3)
    assert {source["as_of"] for source in cost["prices"]} >= {price.source.as_of}


def test_what_has_no_price_is_unknown_and_never_zero(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment()
    world.usage.put_instance_times([an_instance_time(instance_type="x9.huge", usd_per_hour=None)])
    cost = world.call("GET", "/deployments/support-llama").json["cost"]
    assert (cost["usd"], cost["instances_usd"], cost["bedrock_usd"]) == (None, None, 0.0)
    assert cost["unknown"] == ["instance x9.huge"]
    assert cost["by_path"]["fleet"]["usd"] is None


def test_an_unknown_deployment_is_not_found(world: World) -> None:
    for method, path in (
        ("GET", "/deployments/nobody"),
        ("GET", "/deployments/nobody/decisions"),
        ("PATCH", "/deployments/nobody"),
        ("DELETE", "/deployments/nobody"),
        ("POST", "/deployments/nobody/wake"),
        ("POST", "/deployments/nobody/sleep"),
    ):
        answer = world.call(method, path, {} if method == "PATCH" else None)
        assert answer.status == 404, (method, path)
        assert answer.error["type"] == "not_found_error"
        assert answer.error["param"] == "name"


def test_lists_page_over_everything_but_the_retired(world: World) -> None:
    for number in range(7):
        status = Status.RETIRED if number % 2 else Status.SERVING
        world.deployments.items[f"model-{number}"] = a_deployment(f"model-{number}", status=status)
    first = world.call("GET", "/deployments?limit=3").json
    assert [item["name"] for item in first["items"]] == ["model-0", "model-2", "model-4"]
    second = world.call("GET", f"/deployments?limit=3&cursor={first['next_cursor']}").json
    assert [item["name"] for item in second["items"]] == ["model-6"]
    assert second["next_cursor"] is None


def test_decisions_page_newest_first(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment()
    for minute in range(3):
        world.decisions.add("support-llama", a_decision(desired=minute), NOW + timedelta(minutes=minute))
    first = world.call("GET", "/deployments/support-llama/decisions?limit=2").json
    assert [taken["desired"] for taken in first["items"]] == [2, 1]
    second = world.call("GET", f"/deployments/support-llama/decisions?cursor={first['next_cursor']}").json
    assert [taken["desired"] for taken in second["items"]] == [0]


def test_a_page_size_out_of_range_is_rejected(world: World) -> None:
    for limit in ("0", "101", "many"):
        answer = world.call("GET", f"/deployments?limit={limit}")
        assert (answer.status, answer.error["param"]) == (400, "limit")


def test_a_cursor_that_is_none_is_rejected(world: World) -> None:
    answer = world.call("GET", "/deployments?cursor=nonsense")
    assert (answer.status, answer.error["param"]) == (400, "cursor")


def test_a_name_longer_than_any_is_rejected(world: World) -> None:
    answer = world.call("GET", "/deployments/" + "n" * 3000)
    assert (answer.status, answer.error["param"]) == (400, "name")


def test_whether_a_fleet_would_pay_is_shown_with_a_deployment_on_bedrock(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment()
    assert world.call("GET", "/deployments/support-llama").json["shadow"] is None
    shadow = Shadow(NOW, 168, 1_000_000, 100.0, "a test", 60.0, "g6e.xlarge", 2, 30.0, 0.1)
    world.reviews.items["support-llama"] = Review(NOW, shadow=shadow)
    shown = world.call("GET", "/deployments/support-llama").json["shadow"]
    assert (shown["pays"], shown["fleet_usd"], shown["bedrock_usd"], shown["why"]) == (True, 60.0, 100.0, "a test")
    # Another deployment of the same name had it.
    world.reviews.items["support-llama"] = Review(NOW - timedelta(seconds=1), shadow=shadow)
    assert world.call("GET", "/deployments/support-llama").json["shadow"] is None
