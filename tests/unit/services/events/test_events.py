"""What is no event is refused with a sentence that a reader of the execution's history can act on."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import pytest

from spillway.domain.benchmarks.worker_orders import WorkerOrder
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.targets import FleetTarget
from spillway.services.events.benchmark_steps import EvaluateLevel, read_benchmark_step
from spillway.services.events.deployment_steps import Settle, read_deployment_step
from spillway.services.events.driver import read_driver_event
from spillway.services.events.load_test import read_smoke_test, read_worker_order
from spillway.services.events.notices import read_notice
from tests.builders import NOW

OURS = {"deployment": "support-llama", "execution": "arn"}
REASON = {"code": "idle", "sentence": "Nobody came."}
CAPACITY = {"instance_type": "g6e.xlarge", "ready": 1, "starting": 0}

Read = Callable[[Mapping[str, Any]], object]


@pytest.mark.parametrize(
    ("read", "event", "sentence", "param"),
    [
        (
            read_driver_event,
            {**OURS, "verb": "destroy"},
            "verb is 'destroy': allowed are 'preflight', 'preflight_spill', 'provision', 'probe', 'scale', 'release'",
            "verb",
        ),
        (read_driver_event, OURS, "verb is missing", "verb"),
        (read_driver_event, {**OURS, "verb": "scale"}, "scale.desired: Field required", "scale.desired"),
        (
            read_driver_event,
            {**OURS, "verb": "scale", "desired": "many", "at_least": 1},
            "scale.desired: Input should be a valid integer, unable to parse string as an integer; "
            "scale.at_least: Extra inputs are not permitted",
            "scale.desired",
        ),
        (
            read_driver_event,
            {**OURS, "verb": "release", "deadline": "2026-11-24T09:30:00"},
            "release.deadline: Input should have timezone info",
            "release.deadline",
        ),
        (
            read_deployment_step,
            {**OURS, "step": "begin_scale", "desired": 1, "reason": {**REASON, "code": "bored"}},
            "begin_scale.reason: Value error, 'bored' is not a valid Code",
            "begin_scale.reason",
        ),
        (
            read_deployment_step,
            {**OURS, "step": "begin_scale", "desired": 1, "reason": {"code": "idle"}},
            "begin_scale.reason: Value error, TypeError: Reason.__init__() missing 1 required positional argument: "
            "'sentence'",
            "begin_scale.reason",
        ),
        (
            read_benchmark_step,
            {**OURS, "step": "begin", "benchmark": "1", "capacity": {"ready": 1}},
            "begin.capacity.instance_type: Field required",
            "begin.capacity.instance_type",
        ),
        (read_smoke_test, {"deployment": "support-llama"}, "missing: target", "target"),
        (read_smoke_test, {"door": "fleets", "deployment": "support-llama"}, "unknown: deployment", "deployment"),
        (
            read_worker_order,
            {**dict.fromkeys(field.name for field in fields(WorkerOrder)), "speed": 1, "colour": "red"},
            "unknown: colour, speed",
            "colour",
        ),
        (read_notice, {"detail-type": "Launched"}, "detail-type is 'Launched': allowed are ", "detail-type"),
        (
            read_notice,
            {"detail-type": "WakeRequested", "detail": {}},
            "WakeRequested.detail.deployment: Field required",
            "WakeRequested.detail.deployment",
        ),
    ],
)
def test_what_is_no_event_is_refused_by_name(read: Read, event: dict[str, Any], sentence: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(event)
    assert str(refused.value).startswith(sentence)
    assert refused.value.param == param


def test_values_arrive_as_the_domains_own() -> None:
    target = {"kind": "fleet", "deployment": "support-llama"}
    settle = read_deployment_step({**OURS, "step": "settle", "started_at": NOW.isoformat(), "target": target})
    assert isinstance(settle, Settle)
    assert (settle.started_at, settle.target) == (NOW, FleetTarget("support-llama"))
    lost = {"lost": 1, "lengths": []}
    evaluate = read_benchmark_step(
        {**OURS, "step": "evaluate", "benchmark": "1", "number": 1, "capacity": CAPACITY, "tallies": [lost]}
    )
    assert isinstance(evaluate, EvaluateLevel)
    assert [tally.lost for tally in evaluate.tallies] == [1]
