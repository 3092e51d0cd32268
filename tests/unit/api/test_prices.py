"""``/prices``."""

from typing import Any

import pytest

from spillway.domain.pricing.price_book import price_book
from tests.unit.api.conftest import World


def _put(world: World, *overrides: dict[str, Any]) -> Any:
    return world.call("PUT", "/prices/overrides", {"overrides": list(overrides)})


def test_prices_are_listed_with_their_source_and_date(world: World) -> None:
    items = world.call("GET", "/prices?table=bedrock").json["items"]
    assert len(items) == len(price_book().bedrock)
    assert all(item["source"] and item["as_of"] for item in items)
    assert len(items[0]["usd"]) == 2


def test_a_discount_and_a_private_price_are_in_force_at_once(world: World) -> None:
    before = price_book().ec2["g5.xlarge"].usd_per_hour
    answer = _put(
        world,
        {"table": "ec2", "discount_percent": 40, "note": "Savings Plan"},
        {"table": "bedrock", "name": "meta.llama3-1-8b-instruct-v1:0", "usd": [0.1, 0.1]},
    )
    assert answer.status == 200, answer.text
    assert answer.json["overridden_at"] == "2026-11-24T09:30:00Z"
    shown = {item["name"]: item for item in world.call("GET", "/prices").json["items"]}
    assert shown["g5.xlarge"]["usd"] == [pytest.approx(before * 0.6)]
    assert shown["g5.xlarge"]["source"].startswith("40.0% off")
    traffic = {"requests_per_hour": [1000] * 24, "prompt_tokens": 800, "completion_tokens": 200}
    plan = world.call("POST", "/plans", {"model": "meta-llama/Llama-3.1-8B-Instruct", "traffic": traffic}).json
    assert plan["cheapest"]["usd_per_month"] == pytest.approx(73.0)


def test_an_empty_list_takes_all_back(world: World) -> None:
    _put(world, {"table": "ec2", "discount_percent": 40})
    assert _put(world).json["overrides"] == []
    assert world.call("GET", "/prices/overrides").json["overrides"] == []
    shown = {item["name"]: item["usd"] for item in world.call("GET", "/prices").json["items"]}
    assert shown["g5.xlarge"] == [price_book().ec2["g5.xlarge"].usd_per_hour]


def test_imports_platform_and_cached_prompts_have_prices_of_your_own_too(world: World) -> None:
    answer = _put(
        world,
        {"table": "imports", "name": "unit_minute", "usd": [0.05]},
        {"table": "platform", "name": "load_balancer_hour", "usd": [0.03], "note": "ALB, my bill"},
        {"table": "bedrock", "name": "moonshotai.kimi-k3", "usd": [3, 15, 0.25]},
        {"table": "flex", "discount_percent": 10},
    )
    assert answer.status == 200, answer.text

    def shown(table: str) -> dict[str, Any]:
        return {one["name"]: one for one in world.call("GET", f"/prices?table={table}").json["items"]}

    assert shown("imports")["unit_minute"]["usd"] == [0.05]
    assert shown("imports")["unit_month_stored"]["usd"] == [1.95]
    assert shown("platform")["load_balancer_hour"]["source"] == "your own price ALB, my bill"
    assert shown("bedrock")["moonshotai.kimi-k3"]["usd"] == [3, 15, 0.25]
    assert shown("flex")["zai.glm-4.7"]["usd"][0] == pytest.approx(price_book().flex["zai.glm-4.7"].prompt_usd * 0.9)
    traffic = {"requests_per_hour": [1000] * 24, "prompt_tokens": 800, "completion_tokens": 200}
    plan = world.call("POST", "/plans", {"model": "meta-llama/Llama-3.1-8B-Instruct", "traffic": traffic}).json
    found = {one["family"]: one for one in plan["best"]}
    # 730 hours at $0.03 for what fleets share; endpoints, and a mix without instances, need none.
    assert found["gpu-fleet"]["transport_usd"] == 21.9
    assert found["gpu-fleet"]["usd_per_month"] == pytest.approx(730 * 1.006 + 21.9, abs=0.01)
    assert (found["jumpstart"]["transport_usd"], found["mix"]["transport_usd"]) == (0, 0)
    # Every five-minute window of 1,000 requests an hour is billed, two units of it; two units are stored.
    assert found["import"]["usd_per_month"] == pytest.approx(730 * 60 * 2 * 0.05 + 2 * 1.95, abs=0.01)


@pytest.mark.parametrize(
    ("override", "param"),
    [
        ({"table": "ec3", "discount_percent": 1}, "overrides.0.table"),
        ({"table": "ec2"}, "overrides.0"),
        ({"table": "ec2", "name": "g5.xlarge", "usd": [1], "discount_percent": 1}, "overrides.0"),
        ({"table": "ec2", "usd": [1]}, "overrides.0.name"),
        ({"table": "ec2", "name": "g5.xlarge", "usd": [1, 2]}, "overrides.0.usd"),
        ({"table": "bedrock", "name": "a.b", "usd": [1]}, "overrides.0.usd"),
        ({"table": "bedrock", "name": "a.b", "usd": [1, 2, 3, 4]}, "overrides.0.usd"),
        ({"table": "platform", "name": "nat_gateway_hour", "usd": [1]}, "overrides.0.name"),
        ({"table": "imports", "name": "unit_hour", "usd": [1]}, "overrides.0.name"),
        ({"table": "ec2", "name": "g5.xlarge", "usd": [-1]}, "overrides.0.usd.0"),
        ({"table": "ec2", "discount_percent": 101}, "overrides.0.discount_percent"),
        ({"table": "ec2", "name": "x9.huge", "discount_percent": 5}, "overrides.0.name"),
        ({"table": "ec2", "discount_percent": 5, "colour": "blue"}, "overrides.0.colour"),
    ],
)
def test_a_price_that_makes_no_sense_is_rejected(world: World, override: dict[str, Any], param: str) -> None:
    answer = _put(world, override)
    assert (answer.status, answer.error["param"]) == (400, param), answer.text
    assert world.prices.stored.overrides == ()


def test_a_region_without_shipped_prices_takes_your_own_of_everything(world: World) -> None:
    world.region = "eu-central-1"
    assert world.call("GET", "/prices?table=ec2").json["items"] == []
    half = _put(world, {"table": "imports", "name": "unit_minute", "usd": [0.07]})
    assert (half.status, half.error["param"]) == (400, "overrides"), half.text
    assert "unit_month_stored" in half.error["message"]
    answer = _put(
        world,
        {"table": "imports", "name": "unit_minute", "usd": [0.07]},
        {"table": "imports", "name": "unit_month_stored", "usd": [2]},
        {"table": "platform", "name": "lambda_request", "usd": [0.0000002]},
        {"table": "ec2", "name": "g6e.xlarge", "usd": [2.2]},
    )
    assert answer.status == 200, answer.text
    for table, count in (("imports", 2), ("platform", 1), ("ec2", 1), ("bedrock", 0)):
        assert len(world.call("GET", f"/prices?table={table}").json["items"]) == count, table


def test_a_discount_on_what_has_no_price_in_this_region_is_rejected(world: World) -> None:
    world.region = "eu-central-1"
    answer = _put(world, {"table": "platform", "name": "lambda_request", "discount_percent": 5})
    assert (answer.status, answer.error["param"]) == (400, "overrides.0.name"), answer.text
