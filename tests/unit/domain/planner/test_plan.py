"""The planner's arithmetic, against figures worked out by hand."""

import re
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.errors import InvalidRequest
from spillway.domain.planner import costs
from spillway.domain.planner.chart import chart
from spillway.domain.planner.inputs import Family, Inputs, inputs_of
from spillway.domain.planner.instance_hours import load_of
from spillway.domain.planner.options import all_options
from spillway.domain.planner.plan import Plan, make_plan
from spillway.domain.planner.request import PlanRequest
from spillway.domain.planner.traffic_profile import profile_of_curve
from spillway.domain.pricing.price_book import price_book, price_book_of
from spillway.domain.pricing.throughput import benchmarks

LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"
LLAMA_70B = "meta-llama/Llama-3.3-70B-Instruct"


def _request(name: str = LLAMA_8B, **changes: Any) -> PlanRequest:
    body = {"model": name, "traffic": {"example": "steady"}, **changes}
    return PlanRequest.model_validate(body)


def _curve(requests: list[float], prompt: float, completion: float) -> dict[str, Any]:
    return {"requests_per_hour": requests, "prompt_tokens": prompt, "completion_tokens": completion}


def _plan(request: PlanRequest) -> Plan:
    return make_plan(request, price_book(), benchmarks(), "us-east-1", date(2026, 11, 24))


# Each is a row of the throughput table: its price an hour over its prompt and completion tokens a second is what a
# million tokens cost; Bedrock's price at the row's lengths divided into that is the break-even utilisation, and the
# price of a minute over Bedrock's of a request the break-even requests a minute.
@pytest.mark.parametrize(
    ("model", "instance", "prompt", "completion", "per_million", "bedrock", "utilisation", "per_minute"),
    [
        # $1.006 / (1313.2 + 748.54) tokens/s / 3600 s; $0.22 both ways; $0.016767 a minute / $0.00006908 a request
        (LLAMA_8B, "g5.xlarge", 200, 114, 0.13554, 0.22, 0.6161, 242.714),
        # $1.212 / (1139.8 + 310.85) / 3600: dearer than Bedrock even when full
        (LLAMA_8B, "g5.2xlarge", 550, 150, 0.23208, 0.22, 1.0549, 131.169),
        # $0.7582 / (151.1 + 48.08) / 3600, the fastest whose first token comes within five seconds
        (LLAMA_8B, "inf2.xlarge", 550, 175, 1.05739, 0.22, 4.8063, 79.227),
        # $55.04 / 8 GPUs x (20975.9 + 11956.25) / 3600
        (LLAMA_8B, "p5.48xlarge", 200, 114, 0.05803, 0.22, 0.26378, 13279.290),
        # $55.04 / 2 engines x (11350.6 + 1621.52) / 3600; $0.72 both ways
        (LLAMA_70B, "p5.48xlarge", 7000, 1000, 0.58930, 0.72, 0.81847, 159.259),
        # $2.448 / (1615.9 + 1007.91) / 3600; (202 x $0.07 + 126 x $0.30) / 328
        ("openai/gpt-oss-20b", "g5.8xlarge", 202, 126, 0.25917, 0.15835, 1.6366, 785.522),
    ],
)
def test_break_evens_are_those_worked_out_by_hand(
    model: str,
    instance: str,
    prompt: float,
    completion: float,
    per_million: float,
    bedrock: float,
    utilisation: float,
    per_minute: float,
) -> None:
    traffic = _curve([100.0] * 24, prompt, completion)
    plan = _plan(_request(model, traffic=traffic, instance_types=[instance]))
    (even,) = [one for one in plan.break_evens if one.family in (Family.GPU_FLEET, Family.INF2_FLEET)]
    assert even.instance_usd_per_million_tokens == pytest.approx(per_million, rel=1e-4)
    assert even.bedrock_usd_per_million_tokens == pytest.approx(bedrock, rel=1e-4)
    assert even.utilisation == pytest.approx(utilisation, rel=1e-4)
    assert even.requests_per_minute == pytest.approx(per_minute, rel=1e-4)
    assert even.is_reachable == (utilisation <= 1)


@pytest.mark.parametrize(
    ("model", "instance", "prompt", "completion"),
    [(LLAMA_8B, "g5.xlarge", 200, 114), (LLAMA_8B, "p5.48xlarge", 200, 114), (LLAMA_70B, "p5.48xlarge", 7000, 1000)],
)
def test_at_its_break_even_an_instance_costs_what_bedrock_does(
    model: str, instance: str, prompt: float, completion: float
) -> None:
    asked = {"instance_types": [instance], "target_utilisation": 1}
    even = _plan(_request(model, traffic=_curve([1.0] * 24, prompt, completion), **asked)).break_evens[0]
    traffic = _curve([even.requests_per_minute * 60] * 24, prompt, completion)
    found = {(one.family, one.mode): one for one in _plan(_request(model, traffic=traffic, **asked)).options}
    fleet, bedrock = found[Family.GPU_FLEET, "always-on"], found[Family.BEDROCK, None]
    assert (even.family, fleet.instances) == (Family.GPU_FLEET, 1)
    assert fleet.usd_per_month == pytest.approx(bedrock.usd_per_month, rel=1e-6)
    assert fleet.utilisation == pytest.approx(even.utilisation)


def test_a_months_cost_is_what_it_is_by_hand() -> None:
    # Ten hours of 10,000 requests and fourteen of none, of 1,000 tokens each; 2,000 tokens/s given.
    traffic = _curve([0.0] * 7 + [10_000.0] * 10 + [0.0] * 7, 800, 200)
    request = _request(
        traffic=traffic, instance_types=["g5.xlarge"], tokens_per_second={"g5.xlarge": 2000}, target_utilisation=1
    )
    plan = _plan(request)
    found = {(one.family, one.mode): one for one in plan.options}
    month = 730 / 24
    # 100 M tokens a day at $0.22 a million.
    assert found[Family.BEDROCK, None].usd_per_month == pytest.approx(22 * month, abs=0.01)
    # 10 M tokens an hour of 7.2 M that an instance serves: two, all day or ten hours and two starts of 420 s.
    assert found[Family.GPU_FLEET, "always-on"].usd_per_month == pytest.approx(48 * 1.006 * month, abs=0.01)
    hours = 20 + 2 * 420 / 3600
    assert found[Family.GPU_FLEET, "following"].usd_per_month == pytest.approx(hours * 1.006 * month, abs=0.01)
    assert found[Family.GPU_FLEET, "following"].utilisation == pytest.approx(100 / (7.2 * hours))
    # One instance takes 72 M tokens a day off Bedrock, $15.84, and costs $24.14: it does not pay.
    assert found[Family.MIX, "baseline"].instances == 0
    # ml.g5.xlarge is $1.41 in the snapshot.
    assert found[Family.JUMPSTART, "always-on"].usd_per_month == pytest.approx(48 * 1.41 * month, abs=0.01)
    assert found[Family.IMPORT, "five-minute windows"].is_lower_bound
    # Twelve windows an hour, each of which some of 10,000 requests falls into, of two units; two units stored.
    imported = 10 * 60 * 2 * 0.05718 * month + 2 * 1.95
    assert found[Family.IMPORT, "five-minute windows"].usd_per_month == pytest.approx(imported, abs=0.01)
    assert plan.cheapest == found[Family.GPU_FLEET, "following"]


def test_slower_tiers_take_their_share() -> None:
    traffic = _curve([1000.0] * 24, 500, 500)
    full = _plan(_request("openai/gpt-oss-20b", traffic=traffic))
    shared = _plan(_request("openai/gpt-oss-20b", traffic=traffic, batch_share=0.5, flex_share=0.25))
    on_demand, mixed = (
        next(one for one in plan.best if one.family is Family.BEDROCK).usd_per_month for plan in (full, shared)
    )
    # 730 M tokens, half at $0.07 and half at $0.30; flex and batch are half of that.
    assert on_demand == pytest.approx(365 * 0.37, abs=0.01)
    assert mixed == pytest.approx(on_demand * (0.25 + 0.75 / 2), abs=0.01)
    assert full.flex_usd == full.batch_usd == pytest.approx(on_demand / 2, abs=0.01)


def test_a_tier_that_a_model_has_no_price_for_is_not_guessed() -> None:
    plan = _plan(_request(flex_share=0.5))
    assert plan.flex_usd is None
    assert any("no flex price" in gap.what for gap in plan.gaps)
    assert Family.BEDROCK not in [one.family for one in plan.best]


def test_spot_is_planned_only_with_a_price() -> None:
    assert Family.SPOT_FLEET not in [one.family for one in _plan(_request()).best]
    plan = _plan(_request(spot_usd_per_hour={"g5.xlarge": 0.4}))
    (spot,) = [one for one in plan.best if one.family is Family.SPOT_FLEET]
    assert spot.instance_type == "g5.xlarge"


def _world(**changes: Any) -> Inputs:
    request = _request(tokens_per_second={"g5.xlarge": 3000}, instance_types=["g5.xlarge"], **changes)
    return inputs_of(request, request.traffic.shape(), price_book(), benchmarks(), "us-east-1")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 400_000), min_size=24, max_size=24))
def test_the_best_mix_is_the_cheapest_of_all_baselines(requests: list[float]) -> None:
    world, shape = _world(), profile_of_curve(requests, 700, 150)
    (machine,) = [one for one in world.machines if one.family is Family.GPU_FLEET]
    assert world.bedrock is not None
    bedrock_usd = costs.token_usd(world.bedrock, shape)
    best = costs.mix(world, shape, load_of(shape, world.bedrock), bedrock_usd, machine)

    def by_hand(instances: int) -> float:
        room = instances * 3000 * 3600 * 0.8
        spilled = sum(max(0.0, hour.tokens - room) for hour in shape.hours)
        return (instances * 24 * 1.006 + spilled * 0.22 / 1e6) * 730 / 24

    assert best.usd_per_month == pytest.approx(min(map(by_hand, range((best.instances or 0) + 40))), abs=0.01)
    bedrock = costs.bedrock(world, shape)
    assert bedrock is not None
    assert best.usd_per_month <= bedrock.usd_per_month + 0.01


def test_at_a_crossover_both_families_cost_the_same() -> None:
    plan = _plan(_request(LLAMA_70B, traffic={"example": "azure-2024-conversation", "scale": 0.1}))
    assert plan.volumes.crossovers
    first = plan.volumes.crossovers[0]
    assert (first.dearer, first.cheaper) == (Family.BEDROCK, Family.GPU_FLEET)
    request = plan.request
    world = inputs_of(request, plan.shape, price_book(), benchmarks(), "us-east-1")
    there = all_options(world, plan.shape.scaled(first.requests_per_month / plan.shape.requests_per_month))
    bedrock, fleet = (
        min(one.usd_per_month for one in there if one.family is family) for family in (first.dearer, first.cheaper)
    )
    assert bedrock == pytest.approx(fleet, rel=1e-3)


def test_sensitivities_move_the_break_even_as_they_must() -> None:
    plan = _plan(_request(LLAMA_70B))
    base = plan.break_evens[0].utilisation
    found = {(one.of, one.factor): one.break_even_utilisation for one in plan.sensitivities}
    assert len(found) == 12
    assert found["throughput", 0.5] == pytest.approx(base * 2)
    assert found["instance_price", 1.5] == pytest.approx(base * 1.5)
    assert found["token_price", 0.8] == pytest.approx(base / 0.8)


def test_some_traffic_needs_an_instance_however_little_it_is() -> None:
    traffic = _curve([1e-9] + [0.0] * 23, 1, 0)
    plan = _plan(_request(traffic=traffic, instance_types=["g5.xlarge"], tokens_per_second={"g5.xlarge": 1e12}))
    found = {one.mode: one for one in plan.options if one.family is Family.GPU_FLEET}
    assert (found["always-on"].instances, found["following"].instances) == (1, 1)
    assert found["always-on"].usd_per_month == pytest.approx(730 * 1.006, abs=0.01)


def test_cached_prompts_cost_bedrock_less_in_the_mix_and_at_the_break_even_too() -> None:
    plan = _plan(
        _request(
            "moonshotai.kimi-k3",
            traffic=_curve([1000.0] * 24, 900, 100),
            tokens_per_second={"p5.48xlarge": 1000},
            cached_share=0.5,
        )
    )
    # Snapshot: $3.30 and $16.50, cached $0.33; of 730 M tokens nine in ten are prompts, half of them cached.
    bedrock = 328.5 * 3.3 + 328.5 * 0.33 + 73 * 16.5
    found = {one.family: one for one in plan.best}
    assert found[Family.BEDROCK].usd_per_month == pytest.approx(bedrock, abs=0.01)
    assert (found[Family.MIX].instances, found[Family.MIX].usd_per_month) == (0, found[Family.BEDROCK].usd_per_month)
    assert plan.break_evens[0].bedrock_usd_per_million_tokens == pytest.approx(bedrock / 730)
    assert any("50% of prompts cached at $0.33" in fact.what for fact in plan.facts)


def test_crossovers_follow_on_each_other() -> None:
    # Between two of the volumes drawn, Bedrock is followed by a fleet and the fleet by a mix.
    plan = _plan(_request(traffic={"example": "steady", "scale": 30}))
    crossovers = plan.volumes.crossovers
    assert len(crossovers) > 2
    for before, after in pairwise(crossovers):
        assert before.cheaper is after.dearer
        assert before.requests_per_month < after.requests_per_month


def test_types_named_anywhere_are_planned_with_or_without_ml() -> None:
    plan = _plan(
        _request(
            instance_types=["ml.g5.xlarge"],
            tokens_per_second={"ml.g6.xlarge": 900},
            spot_usd_per_hour={"ml.g5.xlarge": 0.4},
        )
    )
    assert {one.instance_type for one in plan.options} == {
        *("g5.xlarge", "ml.g5.xlarge", "g6.xlarge", "ml.g6.xlarge"),
        None,
    }
    (spot, *_) = [one for one in plan.options if one.family is Family.SPOT_FLEET]
    assert spot.instance_type == "g5.xlarge"
    assert spot.usd_per_month == pytest.approx(730 * 0.4, abs=0.01)


def test_a_mix_says_which_instances_it_keeps_on() -> None:
    traffic, own = _curve([20_000.0] * 24, 800, 200), {"g5.xlarge": 9000}
    plan = _plan(_request(traffic=traffic, tokens_per_second=own, spot_usd_per_hour={"g5.xlarge": 0.4}))
    (mix,) = [one for one in plan.best if one.family is Family.MIX]
    assert (mix.instances, mix.on) == (1, Family.SPOT_FLEET)


def test_every_input_says_what_it_rests_on() -> None:
    plan = _plan(_request(tokens_per_second={"g5.xlarge": 2500}))
    kinds = {fact.kind for fact in plan.facts}
    assert kinds == {"given", "measured", "snapshot", "assumed"}
    assert all(fact.source and fact.as_of for fact in plan.facts if fact.kind == "snapshot")
    assert any("g6e.xlarge" in gap.what for gap in plan.gaps)


def test_the_picture_has_a_curve_for_each_family() -> None:
    plan = _plan(_request(LLAMA_70B, traffic={"example": "azure-2024-conversation", "scale": 0.1}))
    drawn = chart(plan)
    assert drawn.startswith("<svg ")
    assert drawn.count("<polyline") == len(plan.best)
    assert drawn.count("<circle") == len(plan.volumes.crossovers)
    assert ">1.  2.5M: gpu-fleet, before it bedrock</text>" in drawn
    assert {"USD a month", "requests a month", "this traffic, 12.5M"} <= set(re.findall(r">([^<>]+)</text>", drawn))


def test_a_curve_that_is_a_lower_bound_says_so_in_the_picture() -> None:
    assert "import (at least" in chart(_plan(_request()))
    assert "at least" not in chart(_plan(_request(import_tokens_per_second=5000)))


def test_a_picture_of_less_than_two_decades_has_labels_between_them() -> None:
    plan = _plan(_request("Qwen/Qwen3-8B", instance_types=["g5.xlarge"], tokens_per_second={"g5.xlarge": 1e6}))
    # One instance, whatever the volume: $734.38 in a fleet, $1,029.30 behind an endpoint.
    assert ">$1k<" in chart(plan)


def test_nobody_asking_costs_nothing_and_draws_nothing() -> None:
    plan = _plan(_request(traffic=_curve([0.0] * 24, 0, 0)))
    assert plan.cheapest is not None
    assert plan.cheapest.usd_per_month == 0
    assert plan.volumes.crossovers == ()
    assert "No requests" in chart(plan)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"region": "mars-north-1"}, "region"),
        ({"model": "nobody/knows-this"}, "model"),
    ],
)
def test_what_nothing_is_known_about_is_rejected(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _plan(_request(**changes))
    assert caught.value.param == param
    assert caught.value.allowed


def test_a_type_without_a_price_is_a_gap_and_not_an_error() -> None:
    plan = _plan(_request(tokens_per_second={"g99.48xlarge": 900.0}))
    assert {gap.family for gap in plan.gaps if gap.what == "no price of g99.48xlarge is known"} == {
        Family.GPU_FLEET,
        Family.JUMPSTART,
        Family.SPOT_FLEET,
    }
    assert plan.cheapest is not None


def test_in_a_region_without_prices_everything_is_a_gap() -> None:
    book = price_book_of("eu-west-1")
    for model in (LLAMA_8B, "qwen.qwen3-coder-30b-a3b-v1:0"):
        request = _request(model, region="eu-west-1", tokens_per_second={"g5.xlarge": 900.0})
        plan = make_plan(request, book, benchmarks(), "eu-west-1", date(2026, 11, 24))
        assert (plan.cheapest, plan.options, plan.break_evens, plan.platform_usd) == (None, [], [], None)
        assert {Family.BEDROCK, Family.GPU_FLEET, Family.IMPORT} <= {gap.family for gap in plan.gaps}


def test_a_model_of_your_own_is_planned_from_your_own_throughput() -> None:
    plan = _plan(_request("me/my-model", instance_types=["g5.xlarge"], tokens_per_second={"g5.xlarge": 900}))
    assert plan.cheapest is not None
    assert plan.cheapest.family is Family.GPU_FLEET
    assert {gap.family for gap in plan.gaps} >= {Family.BEDROCK, Family.JUMPSTART, Family.IMPORT}


def test_the_platforms_million_requests_cost_what_they_cost_by_hand() -> None:
    plan = _plan(_request(traffic=_curve([1_000_000 / 730] * 24, 500, 100)))
    # 3.50 + 0.20 + 33.33 + 0.06 + 1.25 + 0.50 + 0.36, as ten seconds of 256 MB a request cost it.
    assert plan.platform_usd == pytest.approx(39.20, abs=0.03)
