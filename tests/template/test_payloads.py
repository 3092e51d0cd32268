"""State machines and code pass each other what the other reads, and each check is shown to fail when they don't."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from spillway.api.control_api import ControlApi
from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.domain.benchmarks.worker_orders import Length, order_to_json, orders_of
from spillway.domain.deployments.status import Status
from spillway.domain.paths.targets import FleetTarget
from spillway.services.events.load_test import read_worker_order
from tests.builders import a_deployment, a_spec
from tests.fakes import FakeWorkflows
from tests.template.payloads import EVENTS, events_passed, input_problems, payload_problems
from tests.template.transform import definition
from tests.unit.api.conftest import World as Api
from tests.unit.services.test_check import IDLE, since_yesterday
from tests.unit.services.test_check import World as Checked
from tests.unit.services.test_handle_event import World as Told
from tests.unit.services.test_recover import World as Lost

MACHINES = ("benchmark", "deploy", "retire", "scale")
NAME = "support-llama"

Change = Callable[[dict[str, Any]], object]


def machine(name: str) -> dict[str, Any]:
    return definition(f"statemachines/{name}.asl.yaml")


# ------------------------------------------------------------------------------------------------------ what tasks pass


@pytest.mark.parametrize("name", MACHINES)
def test_every_task_passes_what_its_function_reads(name: str) -> None:
    assert list(payload_problems(machine(name))) == []


def test_every_event_is_passed_by_some_task() -> None:
    assert {kind for kinds in EVENTS.values() for kind in kinds} == set().union(
        *map(events_passed, map(machine, MACHINES))
    )


def test_every_item_of_the_benchmarks_map_is_an_order_that_its_worker_reads() -> None:
    (order,) = orders_of(NAME, "00000003-01", FleetTarget(NAME), [Length(1024, 256, 1.0)], 8, 60.0, 1, 0.0)
    assert read_worker_order(json.loads(json.dumps(order_to_json(order)))) == order


def _payload(machine: dict[str, Any], state: str) -> Any:
    return machine["States"][state]["Parameters"]["Payload"]


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "deploy",
            lambda m: _payload(m, "Probe").update(verb="prob"),
            "Probe: its function takes none of preflight, preflight_spill, provision, probe, scale, release",
        ),
        ("deploy", lambda m: _payload(m, "Release").pop("deadline.$"), "Release: Release lacks deadline"),
        (
            "deploy",
            lambda m: _payload(m, "Smoke test").update({"url.$": "$.url"}),
            "Smoke test: SmokeTest does not know url",
        ),
        (
            "deploy",
            lambda m: _payload(m, "Tell of success").update(news="deploid"),
            "Tell of success: Announce takes no news of 'deploid'",
        ),
        ("scale", lambda m: _payload(m, "Settle").pop("target.$"), "Settle: Settle lacks target"),
        (
            "retire",
            lambda m: _payload(m, "Begin retirement").pop("execution.$"),
            "Begin retirement: BeginRetire lacks execution",
        ),
        ("benchmark", lambda m: _payload(m, "Evaluate").pop("tallies.$"), "Evaluate: EvaluateLevel lacks tallies"),
        (
            "benchmark",
            lambda m: _payload(m, "Look again").update({"atleast": 1}),
            "Look again: Probe does not know atleast",
        ),
        (
            "retire",
            lambda m: m["States"]["Finish retirement"]["Parameters"].update(FunctionName="${SweepFunctionArn}"),
            "Finish retirement: its function takes none of our events",
        ),
    ],
)
def test_a_task_that_passes_anything_else_is_found_out(name: str, change: Change, sentence: str) -> None:
    changed = deepcopy(machine(name))
    change(changed)
    assert list(payload_problems(changed)) == [sentence]


# ----------------------------------------------------------------------------------------------------- what starts give


def _asked(ask: Callable[[ControlApi], object], **before: Any) -> FakeWorkflows:
    """What users ask for, of a deployment if it is said how that stands."""
    world = Api()
    if before:
        world.deployments.items[NAME] = a_deployment(NAME, **before)
    ask(world.services())
    return world.workflows


def _checked() -> FakeWorkflows:
    world = Checked(since_yesterday(), memory=IDLE)
    world.look()
    return world.workflows


def _woken() -> FakeWorkflows:
    world = Told(a_deployment(NAME, status=Status.ASLEEP, desired=0))
    world.wake()
    return world.workflows


def _lost(name: str, **more: str) -> FakeWorkflows:
    world = Lost()
    world.works_on("the-lost-one", name)
    world.ends("the-lost-one", name, {"deployment": NAME, "path": "fleet", **more})
    return world.workflows


STARTS: dict[str, tuple[str, Callable[[], FakeWorkflows]]] = {
    "a create": ("deploy", lambda: _asked(lambda api: api.manage.create(a_spec()))),
    "a change": ("scale", lambda: _asked(lambda api: api.manage.change(NAME, {"capacity": {"min": 2}}), desired=1)),
    "a wake": ("scale", lambda: _asked(lambda api: api.manage.wake(NAME), status=Status.ASLEEP, desired=0)),
    "a sleep": ("scale", lambda: _asked(lambda api: api.manage.sleep(NAME), desired=1)),
    "a retirement": ("retire", lambda: _asked(lambda api: api.manage.retire(NAME), desired=1)),
    "a benchmark": (
        "benchmark",
        lambda: _asked(lambda api: api.benchmarks.create(NAME, BenchmarkSpec()), desired=1),
    ),
    "the check": ("scale", _checked),
    "a request for a sleeper": ("scale", _woken),
    "a lost deploy": ("deploy", lambda: _lost("deploy")),
    "a lost scale": ("scale", lambda: _lost("scale")),
    "a lost retirement": ("retire", lambda: _lost("retire")),
    "a lost benchmark": ("benchmark", lambda: _lost("benchmark", benchmark="00000003-01")),
}


@pytest.mark.parametrize("start", STARTS)
def test_every_start_gives_what_its_machine_reads(start: str) -> None:
    name, started = STARTS[start]
    (payload,) = started().started(name)
    assert list(input_problems(machine(name), payload.keys())) == []


CLEAN_UP = {"deployment", "path", "failure", "replaces", "version"}


@pytest.mark.parametrize(
    ("name", "given", "sentences"),
    [
        (
            "scale",
            {"deployment", "path", "desired"},
            {
                "Begin scaling reads $.reason, which nothing gives",
                "Tell of success reads $.reason, which nothing gives",
            },
        ),
        ("deploy", {"deployment"}, {"Choose driver reads $.path, which nothing gives"}),
        # What only a clean-up reads, only a clean-up need have.
        ("deploy", CLEAN_UP, set()),
        ("deploy", CLEAN_UP - {"version"}, {"Take over reads $.version, which nothing gives"}),
        ("benchmark", {"deployment", "path", "benchmark"}, set()),
        (
            "benchmark",
            {"deployment", "path", "benchmark", "failure"},
            {"Close after another reads $.replaces, which nothing gives"},
        ),
    ],
)
def test_a_start_that_gives_too_little_is_found_out(name: str, given: set[str], sentences: set[str]) -> None:
    assert set(input_problems(machine(name), given)) == sentences


def test_what_a_failure_skips_is_not_there_afterwards() -> None:
    changed = deepcopy(machine("deploy"))
    _payload(changed, "Record failure")["released.$"] = "$.released"
    problems = list(input_problems(changed, {"deployment", "path"}))
    assert problems == ["Record failure reads $.released, which nothing gives"]
