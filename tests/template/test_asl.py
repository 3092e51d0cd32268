"""What is wrong with a state machine's definition is found out."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.template.asl import patience, problems_of, substitution_problems
from tests.template.transform import definition

ERRORS = frozenset({"Retryable", "Superseded", "SmokeTestFailed", "AccessPending"})
ALL_NOT_ALONE = "Probe names States.ALL beside or before other errors"


@pytest.fixture
def machine() -> dict[str, Any]:
    return deepcopy(definition("statemachines/deploy.asl.yaml"))


def _state(machine: dict[str, Any], name: str) -> Any:
    return machine["States"][name]


def _retry(machine: dict[str, Any]) -> Any:
    return _state(machine, "Probe")["Retry"][0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(StartAt="Nowhere"), "StartAt names Nowhere, which is no state"),
        (lambda m: m.pop("TimeoutSeconds"), "the state machine has no TimeoutSeconds"),
        (lambda m: _state(m, "Preflight").update(Next="Provison"), "Preflight leads to Provison, which is no state"),
        (lambda m: _state(m, "Preflight").pop("Next"), "Preflight has neither Next nor End"),
        (lambda m: _state(m, "Is it ready?").pop("Default"), "Is it ready? has no Default"),
        (lambda m: m["States"].update(Lost={"Type": "Succeed"}), "Lost is never reached"),
        (lambda m: _state(m, "Probe").pop("TimeoutSeconds"), "Probe has no TimeoutSeconds"),
        (lambda m: _state(m, "Probe")["Catch"].pop(), "Probe does not catch States.ALL"),
        (lambda m: _state(m, "Probe")["Retry"][0].pop("MaxDelaySeconds"), "Probe retries without MaxDelaySeconds"),
        (lambda m: _state(m, "Probe")["Retry"][0].pop("JitterStrategy"), "Probe retries without full jitter"),
        (
            lambda m: _state(m, "Probe")["Retry"][0].update(MaxAttempts=6),
            "Probe does not outlast a throttle of 300 seconds",
        ),
        (lambda m: _state(m, "Probe")["Retry"].pop(0), "Probe does not outlast a throttle of 300 seconds"),
        (
            lambda m: _state(m, "Failed").update(ErrorPath=_state(m, "Failed").pop("Error") and "$.failure.Error"),
            "Failed does not fail by a name of ours",
        ),
        (
            lambda m: _state(m, "Wait for capacity").update(Seconds=8),
            "Wait for capacity repeats until the history is full",
        ),
        (lambda m: _state(m, "Failed").update(Error="States.TaskFailed"), "Failed does not fail by a name of ours"),
        (
            lambda m: _state(m, "Probe")["Retry"][0]["ErrorEquals"].append("Throttled"),
            "Probe waits for the error Throttled, which nothing raises",
        ),
        (lambda m: _retry(m).update(BackoffRate=0.5), "Probe retries with a back-off below 1"),
        (lambda m: _retry(m).update(JitterStrategy="HALF"), "Probe retries without full jitter"),
        (lambda m: _retry(m)["ErrorEquals"].append("States.ALL"), ALL_NOT_ALONE),
        (lambda m: _state(m, "Probe")["Retry"].insert(0, _retry(m) | {"ErrorEquals": ["States.ALL"]}), ALL_NOT_ALONE),
        (lambda m: _state(m, "Probe")["Catch"].reverse(), ALL_NOT_ALONE),
        (
            lambda m: _state(m, "Probe").update(HeartbeatSeconds=120),
            "Probe waits for a heartbeat as long as for its end",
        ),
        (
            lambda m: _state(m, "Is it ready?").update(End=True),
            "Is it ready? is a Choice with an End or a Next of its own",
        ),
        (
            lambda m: m.update(QueryLanguage="JSONata") or _state(m, "Probe").update(QueryLanguage="JSONPath"),
            "Probe speaks JSONPath in a machine of JSONata",
        ),
    ],
)
def test_faults(machine: dict[str, Any], change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    assert problems_of(machine, ERRORS) == []
    change(machine)
    assert sentence in problems_of(machine, ERRORS)


def test_patience_is_half_of_all_delays() -> None:
    retry = {"IntervalSeconds": 10, "BackoffRate": 2, "MaxAttempts": 4, "MaxDelaySeconds": 30}
    assert patience(retry) == (10 + 20 + 30 + 30) / 2


def test_substitutions_go_both_ways() -> None:
    machine = {"States": {"A": {"Parameters": {"FunctionName": "${One}", "Other": ["${Two}"]}}}}
    assert substitution_problems(machine, {"Two", "Three"}) == [
        "the substitution One is named and not given",
        "the substitution Three is given and not named",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: _worker(m, "Drive streams").pop("TimeoutSeconds"), "Drive streams has no TimeoutSeconds"),
        (lambda m: _worker(m, "Drive streams")["Catch"].pop(), "Lose the worker is never reached"),
        (lambda m: _state(m, "Drive the load")["Catch"].pop(), "Drive the load does not catch States.ALL"),
        (lambda m: _state(m, "Drive the load").pop("MaxConcurrency"), "Drive the load has no MaxConcurrency"),
    ],
)
def test_faults_of_a_map_and_inside_of_it(change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    machine = deepcopy(definition("statemachines/benchmark.asl.yaml"))
    assert problems_of(machine, ERRORS) == []
    change(machine)
    assert sentence in problems_of(machine, ERRORS)


def _worker(machine: dict[str, Any], name: str) -> Any:
    return _state(machine, "Drive the load")["ItemProcessor"]["States"][name]


def test_a_subscription_is_waited_for_longer_than_it_may_take(machine: dict[str, Any]) -> None:
    (retry,) = (one for one in _state(machine, "Smoke test")["Retry"] if one["ErrorEquals"] == ["AccessPending"])
    delays = [
        min(retry["IntervalSeconds"] * retry["BackoffRate"] ** tried, retry["MaxDelaySeconds"])
        for tried in range(retry["MaxAttempts"])
    ]
    # Full jitter waits half of each delay on average; Bedrock's user guide speaks of up to 15 minutes.
    assert sum(delays) / 2 > 15 * 60
