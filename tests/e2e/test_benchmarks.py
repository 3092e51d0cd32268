"""A simulated fleet is measured: what comes out is what its engine was told to do, and it flows to where it is used."""

import asyncio
import time
from typing import Any

import pytest

from tests.builders import MODEL, spec_body
from tests.e2e.operator import PATIENCE_SECONDS, POLL_SECONDS, Operator, ask_at_once
from tests.sandbox.runtime.options import ENGINE
from tests.sandbox.sandbox import Sandbox

# Load is driven in real time: slower than other tests', so that an hour of the sandbox is not over in the middle of it.
TIME_FACTOR = 30
MIX = [{"prompt_tokens": 200, "completion_tokens": 50}]
# Of the engine's configuration: its completion tokens a minute, and four prompt tokens to each of them.
COMPLETIONS = ENGINE.tokens_per_second * 60
TOLERANCE = 0.1
# A deployment a test, which come up side by side and do not fall asleep by themselves.
WISHES: dict[str, dict[str, Any]] = {
    "measured": {"capacity": {"max": 1, "instance_types": ["g6e.xlarge"]}},
    "endpoint": {"path": "jumpstart", "capacity": {"max": 1, "instance_types": ["ml.g5.2xlarge"]}},
    "stopped": {},
    "retired-early": {},
    "well": {},
    "on-bedrock": {"path": "bedrock", "capacity": None, "spill": None},
}


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    awake = {"thresholds": {"idle_after_seconds": 604_800}}
    ask_at_once(sandbox, *(spec_body(name=name, **{**awake, **wish}) for name, wish in WISHES.items()))


async def ended(operator: Operator, location: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """Wait for a benchmark's end."""
    deadline = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = (await operator.call("GET", location)).body
        if found["state"] not in ("requested", "running"):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(POLL_SECONDS)


async def begun(operator: Operator, name: str, body: dict[str, Any]) -> str:
    """Ask for a benchmark and return where it is."""
    answer = await operator.call("POST", f"/deployments/{name}/benchmarks", body)
    assert answer.status == 202, answer.body
    return answer.headers["Location"].removeprefix("/live")


async def test_a_fleet_is_measured_and_its_capacity_is_used(sandbox: Sandbox, operator: Operator) -> None:
    before = await operator.ready("measured")
    # Of 80 at once, by two workers, 72 wait for one of the batch's eight places: for some nine seconds.
    body = {"mix": MIX, "concurrency": {"levels": [4, 80, 160]}, "seconds_per_step": 5, "refinements": 0}
    location = await begun(operator, "measured", body)
    # Only one at a time, and nothing else may change the fleet meanwhile.
    await operator.when("measured", lambda seen: seen["workflow"] is not None)
    again = await operator.call("POST", "/deployments/measured/benchmarks", body)
    assert (again.status, again.error["code"]) == (409, "benchmark_running")
    assert (await operator.call("POST", "/deployments/measured/sleep")).status == 409
    found = await ended(operator, location)
    assert (found["state"], found["end"]) == ("done", "latency_bound"), found
    assert [(step["concurrency"], step["verdict"]) for step in found["steps"]] == [(4, "good"), (80, "latency_bound")]
    best = found["best"]
    assert best["completion_tokens_per_minute_per_instance"] == pytest.approx(COMPLETIONS, rel=TOLERANCE)
    assert best["tokens_per_minute_per_instance"] == pytest.approx(5 * COMPLETIONS, rel=TOLERANCE)
    assert found["conditions"] == {
        "model": MODEL,
        "path": "fleet",
        "instance_type": "g6e.xlarge",
        "instances": 1,
        "engine": "vllm-0.32.0",
        "usd_per_hour_per_instance": pytest.approx(1.861),
        "price_source": found["conditions"]["price_source"],
    }
    assert 0 < found["usd_used"] < found["most_usd"] <= 5

    after = await operator.when("measured", lambda seen: seen["workflow"] is None)
    assert before["throughput"] is None
    throughput = after["throughput"]
    assert throughput["tokens_per_minute_per_instance"] == best["tokens_per_minute_per_instance"]
    assert (throughput["source"], throughput["measured"]["benchmark"]) == ("measured", found["id"])
    # None of it was a user's: no counter, no metric, nothing spilled.
    assert after["cost"]["by_path"].get("fleet", {"tokens": 0})["tokens"] == 0
    plan = await operator.call(
        "POST", "/plans", {"model": MODEL, "deployment": "measured", "traffic": {"example": "steady"}}
    )
    assert plan.status == 200, plan.body
    assert any("measured by vllm-0.32.0" in fact["what"] and fact["kind"] == "measured" for fact in plan.body["facts"])
    pages = (await operator.call("GET", "/deployments/measured/benchmarks")).body
    assert [item["id"] for item in pages["items"]] == [found["id"]]
    assert [event["benchmark"] for event in operator.events("BenchmarkEnded", "measured")] == [found["id"]]


async def test_a_sagemaker_endpoint_is_measured_too(operator: Operator) -> None:
    await operator.ready("endpoint")
    body = {"mix": MIX, "concurrency": {"levels": [4, 8, 16]}, "seconds_per_step": 5}
    found = await ended(operator, await begun(operator, "endpoint", body))
    assert (found["state"], found["end"]) == ("done", "saturated"), found
    # Four at once fill it; a busy machine may measure that as too little at first.
    assert len(found["steps"]) in (2, 3)
    best = found["best"]
    assert best["completion_tokens_per_minute_per_instance"] == pytest.approx(COMPLETIONS, rel=TOLERANCE)
    assert found["conditions"]["instance_type"] == "ml.g5.2xlarge"


async def test_the_stop_button_ends_it_within_seconds(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ready("stopped")
    body = {"mix": MIX, "concurrency": {"levels": [4]}, "seconds_per_step": 300, "max_seconds": 1000}
    location = await begun(operator, "stopped", body)
    (engine,) = [
        each.engine
        for each in sandbox.emulation.fleet.machines.values()
        if each.deployment == "stopped" and each.engine
    ]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (load := engine.load()).running:
        assert time.monotonic() < deadline
        await asyncio.sleep(POLL_SECONDS)
    assert load.running <= 4
    assert (await operator.call("DELETE", location)).status == 202
    found = await ended(operator, location, seconds=30)
    assert (found["state"], found["end"], found["became_capacity"]) == ("stopped", "stopped", False)
    assert len(found["steps"]) == 1
    await operator.when("stopped", lambda seen: seen["workflow"] is None)
    assert engine.load().running == 0
    gone = await operator.call("DELETE", location)
    assert (gone.status, gone.error["code"]) == (409, "conflict")


async def test_a_retirement_ends_it_and_leaves_nothing(operator: Operator) -> None:
    await operator.ready("retired-early")
    location = await begun(operator, "retired-early", {"mix": MIX, "seconds_per_step": 8})
    await operator.when("retired-early", lambda seen: seen["workflow"] is not None)
    await operator.retired("retired-early")
    found = await ended(operator, location)
    assert (found["state"], found["reason"][:8]) == ("failed", "ABORTED:"), found


BAD: list[tuple[dict[str, Any], str | None]] = [
    ({"mix": []}, "mix"),
    ({"mix": [{"prompt_tokens": 8000, "completion_tokens": 500}]}, "mix.0.prompt_tokens"),
    ({"concurrency": {"levels": [8, 4]}}, "concurrency.levels"),
    ({"seconds_per_step": 0}, "seconds_per_step"),
    ({"max_usd": -1}, "max_usd"),
    ({"colour": "red"}, "colour"),
]


async def test_what_cannot_be_measured_is_refused_by_its_field_and_nothing_changes(operator: Operator) -> None:
    await operator.ready("well")
    for body, param in BAD:
        answer = await operator.call("POST", "/deployments/well/benchmarks", body)
        assert (answer.status, answer.error["param"]) == (400, param), answer.body
    await operator.ready("on-bedrock")
    refused = await operator.call("POST", "/deployments/on-bedrock/benchmarks", {})
    assert (refused.status, refused.error["code"]) == (400, "not_measurable")
    for name in ("well", "on-bedrock"):
        assert (await operator.call("GET", f"/deployments/{name}/benchmarks")).body["items"] == []
        assert (await operator.seen(name))["workflow"] is None
