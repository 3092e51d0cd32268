"""Where a deployment's capacity comes from, and that policy, costs and plans use the same."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.decision import Action, Code
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.in_check import advance, is_measured
from spillway.domain.observations.traffic import Load
from spillway.domain.pricing.measured_throughput import own_throughput, own_throughputs
from spillway.domain.pricing.price_book import Source, TokenPrice
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import decide, remember
from tests.builders import NOW, a_capacity, a_deployment, a_spec, minutes_of
from tests.measuring_builders import a_measured

BENCHMARK = "arn:aws:states:us-east-1:123456789012:execution:spillway-benchmark:support-llama-benchmark-1"
SCALE = BENCHMARK.replace("benchmark", "scale")
PRICE = TokenPrice(1.0, 1.0, Source("test", "2026-11"))


def a_fleet(stated: float | None = None, types: tuple[str, ...] = ("g6e.xlarge",), **changes: Any) -> Deployment:
    capacity = {"max": 4, "instance_types": types, "tokens_per_minute_per_instance": stated}
    return a_deployment(spec=a_spec(capacity=capacity), cold_start_seconds=300.0, **changes)


@pytest.mark.parametrize(
    ("deployment", "tokens"),
    [
        (a_fleet(), None),
        (a_fleet(measured=a_measured()), 120_000),
        # The user's word stands over the measure, and taking it away lets the measure in.
        (a_fleet(50_000, measured=a_measured()), 50_000),
        (a_fleet(50_000), 50_000),
        # What was measured on a type that is wanted no longer says nothing.
        (a_fleet(measured=a_measured(), types=("g5.2xlarge",)), None),
        (a_fleet(measured=a_measured(), types=("g5.2xlarge", "g6e.xlarge")), 120_000),
        (a_fleet(measured=a_measured(instance_type="ml.g6e.xlarge"), types=("g6e.xlarge",)), 120_000),
        (a_fleet(measured=a_measured(instance_type="ml.g5.2xlarge"), types=()), 120_000),
    ],
)
def test_the_stated_capacity_comes_before_the_measured_one(deployment: Deployment, tokens: float | None) -> None:
    assert deployment.tokens_per_minute_per_instance == tokens
    assert is_measured(deployment) is (tokens is not None)


def test_a_measured_fleet_is_weighed_in_dollars_by_its_measure() -> None:
    minutes = minutes_of(5, NOW - timedelta(minutes=3), primary_tokens=1000)
    weighed = advance(None, a_fleet(measured=a_measured()), Load(minutes), 3.6, PRICE, NOW)
    by_hand = advance(None, a_fleet(120_000), Load(minutes), 3.6, PRICE, NOW)
    assert weighed is not None
    assert weighed == by_hand
    assert advance(None, a_fleet(), Load(minutes), 3.6, PRICE, NOW) is None


def test_a_measured_type_has_its_throughput_with_date_and_conditions() -> None:
    fleet = a_fleet(measured=a_measured(), types=("g6e.xlarge", "g5.2xlarge"))
    assert set(own_throughputs(fleet)) == {"g6e.xlarge"}
    throughput = own_throughput(fleet, "ml.g6e.xlarge")
    assert throughput is not None
    assert throughput.tokens_per_second == 2000
    assert throughput.source == Source("benchmark 00000003-01 of support-llama", "2026-11-24")
    assert throughput.conditions() == (
        "120000 tokens a minute of one g6e.xlarge, measured by vllm-0.32.0 on 2026-11-24 at 200 prompt and 50 "
        "completion tokens, 16 requests at once on 1 instance(s), 95 % of first tokens within 2000 ms "
        "(benchmark 00000003-01)"
    )


def test_a_stated_capacity_holds_for_every_type() -> None:
    found = own_throughputs(a_fleet(60_000, measured=a_measured(), types=("g6e.xlarge", "g5.2xlarge")))
    assert {name: one.tokens_per_second for name, one in found.items()} == {"g6e.xlarge": 1000, "g5.2xlarge": 1000}
    assert "stated with the deployment" in found["g5.2xlarge"].conditions()


def looked(deployment: Deployment, load: Load, **memory: Any) -> Snapshot:
    known = Memory(checked_at=NOW - timedelta(minutes=1), last_request_at=NOW - timedelta(hours=2), **memory)
    snapshot = Snapshot(deployment, a_capacity(), load, known, 3.6)
    return replace(snapshot, memory=remember(snapshot, NOW))


def test_nothing_is_decided_about_a_fleet_that_is_measured() -> None:
    long_ago = NOW - timedelta(minutes=60)
    for load in (Load(), Load(running=64.0, waiting=500.0, kv_cache_use=1.0)):
        fleet = a_fleet(workflow=BENCHMARK, updated_at=long_ago)
        decision = decide(looked(fleet, load), NOW)
        assert (decision.action, decision.reason.code) == (Action.HOLD, Code.STARTING)
    assert decide(looked(a_fleet(updated_at=long_ago), Load()), NOW).action is Action.SLEEP


def test_a_benchmarks_load_is_nobodys_request() -> None:
    busy = Load(running=8.0, waiting=2.0)
    measured = looked(a_fleet(workflow=BENCHMARK), busy)
    assert measured.memory.last_request_at == NOW - timedelta(hours=2)
    assert looked(a_fleet(workflow=SCALE), busy).memory.last_request_at == NOW
    users = looked(a_fleet(workflow=BENCHMARK), replace(busy, minutes=minutes_of(1, NOW - timedelta(minutes=2))))
    assert users.memory.last_request_at == NOW - timedelta(minutes=1)
