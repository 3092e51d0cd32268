"""The routes under ``/deployments/{name}/benchmarks``."""

from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.benchmarks.record import End, State
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Retryable
from tests.builders import NOW, a_deployment, a_spec
from tests.measuring_builders import a_benchmark
from tests.unit.api.conftest import World

PATH = "/deployments/support-llama/benchmarks"
ARN = "arn:aws:states:us-east-1:123456789012:execution:spillway"


@pytest.fixture
def serving(world: World) -> World:
    world.deployments.items["support-llama"] = a_deployment(version=7)
    return world


def test_every_default_is_returned(serving: World) -> None:
    answer = serving.call("POST", PATH, {})
    assert answer.status == 202, answer.text
    assert answer.headers["Location"] == f"/live{PATH}/00000007-01"
    body = answer.json
    assert (body["id"], body["state"], body["steps"], body["best"]) == ("00000007-01", "requested", [], None)
    assert body["ladder"] == [4, 8, 16, 32, 64, 128, 256]
    assert body["spec"] == {
        "mix": [{"prompt_tokens": 1024, "completion_tokens": 256, "share": 1.0}],
        "concurrency": {"start": 4, "factor": 2.0, "max": 256, "levels": []},
        "seconds_per_step": 60.0,
        # Twice a second: the deployment's own threshold for spilling.
        "latency": {"ttft_p95_ms": 2000.0, "inter_token_p95_ms": None},
        "max_failure_share": 0.01,
        "min_gain": 0.05,
        "refinements": 2,
        "max_usd": 5.0,
        "max_seconds": 1800.0,
        "allow_unknown_price": False,
    }
    # Half an hour of a g6e.xlarge at $1.861, and of four workers with a gigabyte at $0.0000133334 a second.
    assert body["most_usd"] == pytest.approx(1.861 / 2 + 4 * 1800 * 1.33334e-5)
    assert serving.workflows.started("benchmark") == [
        {"deployment": "support-llama", "path": "fleet", "benchmark": "00000007-01"}
    ]


def test_what_is_returned_can_be_asked_for_again(serving: World) -> None:
    first = serving.call("POST", PATH, {"concurrency": {"levels": [2, 4]}}).json
    serving.benchmarks.items.clear()
    assert serving.call("POST", PATH, first["spec"]).json["spec"] == first["spec"]


def test_it_is_shown_and_listed(serving: World) -> None:
    serving.call("POST", PATH, {})
    shown = serving.call("GET", f"{PATH}/00000007-01").json
    assert (shown["id"], shown["running_concurrency"]) == ("00000007-01", None)
    assert "version" not in shown
    listed = serving.call("GET", PATH).json
    assert ([item["id"] for item in listed["items"]], listed["next_cursor"]) == (["00000007-01"], None)
    assert "steps" not in listed["items"][0]


def test_a_second_one_has_to_wait_for_the_first(serving: World) -> None:
    serving.call("POST", PATH, {})
    serving.now = NOW + timedelta(seconds=1)
    answer = serving.call("POST", PATH, {})
    assert (answer.status, answer.error["code"]) == (409, "benchmark_running")
    assert len(serving.workflows.executions) == 1


def test_one_that_never_began_keeps_nobody_waiting_and_is_shown_as_failed(serving: World) -> None:
    serving.call("POST", PATH, {})
    serving.now = NOW + timedelta(minutes=2)
    assert serving.call("POST", PATH, {}).json["id"] == "00000007-02"
    shown = serving.call("GET", f"{PATH}/00000007-01").json
    assert (shown["state"], shown["reason"]) == ("failed", "It never began.")
    assert serving.call("DELETE", f"{PATH}/00000007-01").status == 409


def test_the_same_idempotency_key_is_the_same_benchmark(serving: World) -> None:
    headers = {"Idempotency-Key": "a"}
    first, second = (serving.call("POST", PATH, {}, headers=headers) for _ in range(2))
    assert (first.status, second.status) == (202, 202)
    assert first.json == second.json
    other = serving.call("POST", PATH, {"max_usd": 1}, headers=headers)
    assert (other.status, other.error["code"]) == (409, "idempotency_key_reused")


def test_a_workflow_that_cannot_start_leaves_nothing(serving: World) -> None:
    serving.workflows.failure = Retryable("throttled")
    assert serving.call("POST", PATH, {}).status == 503
    assert serving.benchmarks.items == {}


def test_the_stop_button(serving: World) -> None:
    serving.benchmarks.create(a_benchmark(id="a"))
    for _ in range(2):
        answer = serving.call("DELETE", f"{PATH}/a")
        assert (answer.status, answer.headers["Location"]) == (202, f"/live{PATH}/a")
    assert serving.benchmarks.is_to_stop("support-llama", "a")
    serving.benchmarks.save(a_benchmark(id="a", state=State.DONE, end=End.SATURATED))
    answer = serving.call("DELETE", f"{PATH}/a")
    assert (answer.status, "has ended already: it is done" in answer.error["message"]) == (409, True)


@pytest.mark.parametrize(
    ("changes", "status", "code", "says"),
    [
        ({"status": Status.ASLEEP}, 409, "not_serving", "support-llama is asleep"),
        ({"status": Status.RETIRING}, 409, "not_serving", "support-llama is retiring"),
        ({"status": Status.FAILED}, 409, "not_serving", "support-llama is failed"),
        ({"status": Status.RETIRED}, 404, "not_found", "is retired"),
        ({"workflow": f"{ARN}-scale:x"}, 409, "not_serving", "a workflow is at work"),
        ({"workflow": f"{ARN}-benchmark:x"}, 409, "benchmark_running", "is running already"),
        ({"spec": a_spec(path="bedrock", spill=None)}, 400, "not_measurable", "runs on Bedrock"),
    ],
)
def test_what_cannot_be_measured_says_why(
    world: World, changes: dict[str, Any], status: int, code: str, says: str
) -> None:
    world.deployments.items["support-llama"] = a_deployment(**changes)
    answer = world.call("POST", PATH, {})
    assert (answer.status, answer.error["code"]) == (status, code), answer.text
    assert says in answer.error["message"]
    assert not world.benchmarks.items
    assert not world.workflows.executions


def test_an_unknown_price_needs_a_word(serving: World) -> None:
    spot = a_spec(capacity={"max": 1, "instance_types": ["g6e.xlarge"], "market": "spot"})
    serving.deployments.items["support-llama"] = a_deployment(spec=spot)
    answer = serving.call("POST", PATH, {})
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, "allow_unknown_price", "price_unknown")
    allowed = serving.call("POST", PATH, {"allow_unknown_price": True})
    assert (allowed.status, allowed.json["most_usd"]) == (202, None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"mix": []}, "mix"),
        ({"mix": [{"prompt_tokens": 0}]}, "mix.0.prompt_tokens"),
        ({"mix": [{"share": 0}]}, "mix.0.share"),
        ({"mix": [{"prompt_tokens": 8000, "completion_tokens": 193}]}, "mix.0.prompt_tokens"),
        ({"concurrency": {"levels": [8, 4]}}, "concurrency.levels"),
        ({"concurrency": {"max": 3073}}, "concurrency.max"),
        ({"concurrency": {"start": 9, "max": 8}}, "concurrency.start"),
        ({"seconds_per_step": 2}, "seconds_per_step"),
        ({"latency": {"ttft_p95_ms": 0}}, "latency.ttft_p95_ms"),
        ({"max_usd": 0}, "max_usd"),
        ({"max_seconds": 7201}, "max_seconds"),
        ({"refinements": 6}, "refinements"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_input_is_named(serving: World, body: dict[str, Any], param: str) -> None:
    answer = serving.call("POST", PATH, body)
    assert (answer.status, answer.error["param"]) == (400, param), answer.text
    assert not serving.benchmarks.items


def test_what_does_not_exist(serving: World) -> None:
    assert serving.call("POST", "/deployments/nobody/benchmarks", {}).status == 404
    assert serving.call("GET", "/deployments/nobody/benchmarks").status == 404
    assert serving.call("GET", f"{PATH}/none").error["message"] == "support-llama has no benchmark 'none'"
    assert serving.call("DELETE", f"{PATH}/none").status == 404


def test_it_needs_an_admin(serving: World) -> None:
    answer = serving.call("POST", PATH, {}, scopes="invoke")
    assert (answer.status, answer.error["code"]) == (403, "insufficient_scope")
