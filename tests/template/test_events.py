"""The sample events are what the template's rules let through and what the functions take."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from moto.events.models import EventPattern

from spillway.domain.paths import path as paths
from spillway.services.events.benchmark_steps import BenchmarkStep
from spillway.services.events.deployment_steps import DeploymentStep
from spillway.services.events.driver import DriverEvent, Rehearse
from spillway.services.events.load_test import read_smoke_test, read_worker_order
from spillway.services.events.notices import Notice
from spillway.services.events.stack_guard import read_guard_request
from spillway.services.guard_stack import GuardStack
from tests.builders import a_deployment
from tests.fakes import FakeDeployments
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.test_code import handles
from tests.template.transform import REPOSITORY
from tests.unit.api.conftest import Context

SAMPLES = sorted((REPOSITORY / "events").rglob("*.json"))
REACTIONS = [path for path in SAMPLES if path.parent.name == "react_to_event"]


def read(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return event


def patterns(stack: StaticStack) -> list[Any]:
    return [stack.properties(name)["EventPattern"] for name in stack.of_type("AWS::Events::Rule")]


@pytest.mark.parametrize("path", REACTIONS, ids=lambda path: path.stem)
def test_exactly_one_rule_lets_a_sample_through_and_it_is_handled(path: Path, fleet_stack: StaticStack) -> None:
    event = read(path)
    matching = [each for each in patterns(fleet_stack) if EventPattern.load(json.dumps(each)).matches_event(event)]
    assert len(matching) == 1
    assert handles(event["detail-type"])


def test_every_kind_of_event_that_a_rule_lets_through_has_a_sample(fleet_stack: StaticStack) -> None:
    kinds = {kind for pattern in patterns(fleet_stack) for kind in pattern["detail-type"]}
    assert kinds == {read(path)["detail-type"] for path in REACTIONS}


def test_events_of_other_stacks_do_not_pass(fleet_stack: StaticStack) -> None:
    event = read(REPOSITORY / "events/react_to_event/endpoint_failed.json")
    event["detail"]["EndpointName"] = "another-support-llama"
    assert not [each for each in patterns(fleet_stack) if EventPattern.load(json.dumps(each)).matches_event(event)]


class Recorder:
    """Stands for whatever service a handler calls, and keeps the event that it is called with."""

    def __init__(self) -> None:
        self.taken: list[object] = []

    def __getattr__(self, _name: str) -> "Recorder":
        return self

    def get(self, _name: str) -> None:
        return None

    def run(self, *arguments: object) -> dict[str, Any]:
        self.taken.append(arguments[-1])
        return {}


CLASSES: dict[str, tuple[type, ...]] = {
    **{f"drive_{path}": (*get_args(DriverEvent), Rehearse) for path in paths.Path},
    "advance_deployment": get_args(DeploymentStep),
    "advance_benchmark": get_args(BenchmarkStep),
    "react_to_event": get_args(Notice),
}


@pytest.mark.parametrize(
    "path",
    [path for path in SAMPLES if path.parent.name in CLASSES],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_a_handler_reads_a_sample_into_its_class(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, service = importlib.import_module(f"functions.{path.parent.name}.app"), Recorder()
    monkeypatch.setattr(app, "container", lambda: service)
    app.handler(read(path), Context())
    assert [type(event) in CLASSES[path.parent.name] for event in service.taken] == [True]


@pytest.mark.parametrize(("function", "reads"), [("smoke_test", read_smoke_test), ("drive_load", read_worker_order)])
def test_samples_of_what_calls_targets_are_read(function: str, reads: Callable[[dict[str, Any]], object]) -> None:
    samples = [path for path in SAMPLES if path.parent.name == function]
    assert samples
    for path in samples:
        reads(read(path))


def test_every_function_has_a_sample() -> None:
    folders = {path.parent.name for path in (REPOSITORY / "functions").glob("*/app.py")}
    assert {path.parent.name for path in SAMPLES} == folders


def _custom(stack: StaticStack) -> list[str]:
    return [name for name, each in stack.template["Resources"].items() if each["Type"].startswith("Custom::")]


def test_samples_of_custom_resources_have_the_templates_properties(stack: StaticStack) -> None:
    samples = [read(path) for path in SAMPLES if "RequestType" in path.read_text(encoding="utf-8")]
    assert {sample["LogicalResourceId"] for sample in samples} == set(_custom(stack))
    for sample in samples:
        name = sample["LogicalResourceId"]
        assert sample["ResourceType"] == stack.template["Resources"][name]["Type"]
        assert sample["ResourceProperties"].keys() == stack.properties(name).keys()


@pytest.mark.parametrize(
    ("sample", "refusal"), [("create", None), ("switch_fleets_off", "Fleets cannot be"), ("delete", "still whole")]
)
def test_samples_of_the_guards_are_answered(sample: str, refusal: str | None) -> None:
    event = read(REPOSITORY / f"events/guard_stack/{sample}.json")
    status = {"Create": "CREATE_IN_PROGRESS", "Update": "UPDATE_IN_PROGRESS", "Delete": "DELETE_IN_PROGRESS"}
    running = FakeDeployments(a_deployment())
    guard = GuardStack("spillway", "us-east-1", running.all, lambda _: status[event["RequestType"]])
    answer = guard.refusal(read_guard_request(event))
    assert answer is None if refusal is None else refusal in str(answer)
