"""``POST /plans``."""

from typing import Any

import pytest

from tests.builders import a_deployment
from tests.measuring_builders import a_measured
from tests.unit.api.conftest import World

_CURVE = {"requests_per_hour": [1000] * 24, "prompt_tokens": 800, "completion_tokens": 200}


def _body(**changes: Any) -> dict[str, Any]:
    return {"model": "meta-llama/Llama-3.1-8B-Instruct", "traffic": _CURVE, **changes}


def test_a_plan_says_what_each_path_costs(world: World) -> None:
    answer = world.call("POST", "/plans", _body(credits=[{"name": "activate", "usd": 1000}]))
    assert answer.status == 200, answer.text
    plan = answer.json
    # 730 M tokens at $0.22.
    assert plan["cheapest"]["family"] == "bedrock"
    assert plan["cheapest"]["usd_per_month"] == pytest.approx(160.6)
    assert {one["family"] for one in plan["best"]} == {
        "bedrock",
        "import",
        "jumpstart",
        "gpu-fleet",
        "inf2-fleet",
        "mix",
    }
    assert plan["traffic"]["requests_per_month"] == 730_000
    assert plan["credits"]["usd_per_day"] == pytest.approx((160.6 + plan["platform_usd"]) / 730 * 24, rel=1e-3)
    assert len(plan["sensitivities"]) == 12
    assert {fact["kind"] for fact in plan["facts"]} >= {"measured", "snapshot", "assumed"}
    assert world.nothing_changed()


def test_a_plan_comes_as_a_picture_too(world: World) -> None:
    answer = world.call("POST", "/plans?format=svg", _body())
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert answer.text.startswith("<svg ")


def test_a_log_and_an_example_are_traffic_too(world: World) -> None:
    log = "t_seconds,requests,prompt_tokens,completion_tokens\n0,500,400000,100000\n3599,500,400000,100000\n"
    assert world.call("POST", "/plans", _body(traffic={"log": log})).json["traffic"]["prompt_tokens"] == 800
    assert world.call("POST", "/plans", _body(traffic={"example": "office-hours"})).status == 200


def test_a_deployments_own_measure_comes_before_what_was_published(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment(measured=a_measured())
    plan = world.call("POST", "/plans", _body(deployment="support-llama")).json
    (fact,) = [one for one in plan["facts"] if "measured by vllm-0.32.0 on 2026-11-24" in one["what"]]
    assert fact["kind"] == "measured"
    assert (fact["source"], fact["as_of"]) == ("benchmark 00000003-01 of support-llama", "2026-11-24")
    own = [one for one in plan["break_evens"] if one["throughput"] == "measured on the deployment"]
    # 120,000 tokens a minute at 1,000 a request.
    assert {one["capacity_requests_per_minute"] for one in own} == {120}
    assert {one["instance_type"] for one in own} == {"g6e.xlarge", "ml.g6e.xlarge"}
    given = world.call("POST", "/plans", _body(deployment="support-llama", tokens_per_second={"g6e.xlarge": 1000})).json
    assert not [one for one in given["break_evens"] if one["throughput"] == "measured on the deployment"]


def test_a_plan_for_a_deployment_that_is_none_or_another_models(world: World) -> None:
    assert world.call("POST", "/plans", _body(deployment="nobody")).status == 404
    world.deployments.items["support-llama"] = a_deployment()
    answer = world.call("POST", "/plans", _body(deployment="support-llama", model="Qwen/Qwen3-8B"))
    assert (answer.status, answer.error["param"]) == (400, "deployment")
    assert answer.error["allowed"] == ["meta-llama/Llama-3.1-8B-Instruct"]
    same = _body(deployment="support-llama", model="meta.llama3-1-8b-instruct-v1:0")
    assert world.call("POST", "/plans", same).status == 200


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"traffic": {**_CURVE, "requests_per_hour": [1] * 23}}, "traffic.requests_per_hour"),
        ({"traffic": {**_CURVE, "requests_per_hour": [1] * 23 + [-1]}}, "traffic.requests_per_hour.23"),
        ({"traffic": {**_CURVE, "prompt_tokens": [1] * 23}}, "traffic.prompt_tokens"),
        ({"traffic": {"requests_per_hour": [1] * 24, "completion_tokens": 1}}, "traffic.prompt_tokens"),
        ({"traffic": {**_CURVE, "example": "steady"}}, "traffic"),
        ({"traffic": {}}, "traffic"),
        ({"traffic": {"example": "weekend"}}, "traffic.example"),
        ({"traffic": {"log": "t_seconds,requests\n"}}, "traffic.log"),
        ({"region": "mars-north-1"}, "region"),
        ({"model": "nobody/knows"}, "model"),
        ({"batch_share": 0.7, "flex_share": 0.7}, "batch_share"),
        ({"target_utilisation": 0}, "target_utilisation"),
        ({"target_utilisation": 1e-300}, "target_utilisation"),
        ({"tokens_per_second": {"g5.xlarge": 1e-300}}, "tokens_per_second.g5.xlarge"),
        ({"tokens_per_second": {"g5.xlarge": 1, "ml.g5.xlarge": 2}}, "tokens_per_second"),
        ({"instance_types": ["g5.xlrge"]}, "instance_types"),
        ({"tokens_per_second": {"g5.xlrge": 5}}, "tokens_per_second"),
        ({"traffic": {**_CURVE, "prompt_tokens": 0, "completion_tokens": 0}}, "traffic"),
        ({"starts_on": "9999-12-31", "credits": [{"name": "a", "usd": 1}]}, "starts_on"),
        ({"credits": [{"name": "a", "usd": 1, "expires_on": "2026-02-30"}]}, "credits.0.expires_on"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_cannot_be_planned_is_rejected_by_its_field(world: World, changes: dict[str, Any], param: str) -> None:
    answer = world.call("POST", "/plans", _body(**changes))
    assert answer.status == 400, answer.text
    assert answer.error["param"].startswith(param), answer.error
    assert answer.error["message"]


def test_a_number_that_is_none_is_rejected(world: World) -> None:
    body = '{"model": "meta-llama/Llama-3.1-8B-Instruct", "traffic": {"requests_per_hour": [NaN]}}'
    assert "NaN" in world.call("POST", "/plans", body).error["message"]


def test_an_unknown_field_is_answered_with_the_known_ones(world: World) -> None:
    assert "credits" in world.call("POST", "/plans", _body(colour="blue")).error["allowed"]


def test_a_region_without_shipped_prices_is_planned_with_what_is_unknown_named(world: World) -> None:
    world.region = "eu-west-1"
    answer = world.call("POST", "/plans", _body(tokens_per_second={"g5.xlarge": 900}))
    assert answer.status == 200, answer.text
    plan = answer.json
    assert (plan["cheapest"], plan["platform_usd"], plan["options"], plan["break_evens"]) == (None, None, [], [])
    gaps = {(gap["family"], gap["what"]) for gap in plan["gaps"]}
    assert ("gpu-fleet", "no price of g5.xlarge is known") in gaps
    assert ("bedrock", "no on demand price of meta-llama/Llama-3.1-8B-Instruct is known") in gaps
