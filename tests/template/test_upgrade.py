"""A stack of the previous release becomes one of this: nothing is lost, cut off or refused on the way."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.template.payloads import payload_problems
from tests.template.transform import transformed
from tests.template.upgrade import (
    RELEASED,
    STATEFUL,
    collisions,
    outline,
    parameters_in,
    refusals,
    replaced,
    replaced_by,
)

RELEASES = sorted(RELEASED.iterdir())

# What an update may replace or drop although it is stateful, and why nothing is lost by it.
MAY_GO: dict[str, str] = {}

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return transformed()


def released(release: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((release / "outline.json").read_text(encoding="utf-8"))
    return found


def lost(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    kinds = {name: each["type"] for name, each in before["resources"].items()}
    return {name: why for name, why in replaced(before, after).items() if kinds[name] in STATEFUL}


@pytest.mark.parametrize("release", RELEASES, ids=lambda each: each.name)
def test_an_upgrade_replaces_nothing_that_holds_state(release: Path, now: dict[str, Any]) -> None:
    assert lost(released(release), outline(now)).keys() == MAY_GO.keys()


@pytest.mark.parametrize("release", RELEASES, ids=lambda each: each.name)
def test_an_upgrade_makes_nothing_that_the_old_stack_is_in_the_way_of(release: Path, now: dict[str, Any]) -> None:
    assert list(collisions(released(release), outline(now))) == []


@pytest.mark.parametrize("release", RELEASES, ids=lambda each: each.name)
def test_parameters_that_a_stack_was_deployed_with_are_taken_still(release: Path, now: dict[str, Any]) -> None:
    assert list(refusals(released(release), outline(now))) == []


def test_no_parameter_replaces_what_holds_state(now: dict[str, Any]) -> None:
    kinds = {name: each["Type"] for name, each in now["Resources"].items()}
    found = {
        f"{parameter} replaces {name}, which {why}"
        for parameter in now["Parameters"]
        for name, why in replaced_by(parameter, now).items()
        if kinds[name] in STATEFUL
    }
    assert found == set()


@pytest.mark.parametrize("machine", ["benchmark", "deploy", "retire", "scale"])
@pytest.mark.parametrize("release", RELEASES, ids=lambda each: each.name)
def test_workflows_begun_by_an_older_release_are_understood(release: Path, machine: str) -> None:
    """They go on with the definition that they began with, for hours, and call the new code."""
    definition = yaml.safe_load((release / f"{machine}.asl.yaml").read_text(encoding="utf-8"))
    assert list(payload_problems(definition)) == []


# ------------------------------------------------------------------------------------- each check is shown to see


def of(document: dict[str, Any], resource: str) -> Any:
    return document["Resources"][resource]["Properties"]


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        (lambda new: new["Resources"].pop("KeysTable"), "KeysTable"),
        (lambda new: of(new, "KeysTable").update(TableName="keys"), "KeysTable"),
        (lambda new: of(new, "UsageTable").update(KeySchema=[]), "UsageTable"),
        (lambda new: of(new, "FleetLoadBalancer").update(Scheme="internet-facing"), "FleetLoadBalancer"),
        (lambda new: of(new, "FleetLoadBalancer").update(Scheme="internet-facing"), "FleetListener"),
        (lambda new: of(new, "EventBus").update(Name="other"), "EventBus"),
    ],
)
def test_what_an_upgrade_would_lose_is_seen(now: dict[str, Any], change: Change, resource: str) -> None:
    new = deepcopy(now)
    change(new)
    assert resource in lost(outline(now), outline(new))


def test_a_parameter_in_a_create_only_property_is_seen_through_conditions_and_references(now: dict[str, Any]) -> None:
    new = deepcopy(now)
    of(new, "FleetLoadBalancer")["Scheme"] = {"Fn::If": ["MakesVpc", "internal", "internet-facing"]}
    assert {"FleetLoadBalancer", "FleetListener"} <= replaced_by("VpcId", new).keys()
    assert "VpcId" in set(parameters_in(of(new, "FleetLoadBalancer"), new))
    assert "FleetListener" not in replaced_by("VpcId", now)


def test_another_id_for_what_may_exist_once_is_seen(now: dict[str, Any]) -> None:
    new = deepcopy(now)
    new["Resources"]["Bus"] = new["Resources"].pop("EventBus")
    new["Resources"]["Subnet"] = new["Resources"].pop(
        next(name for name, each in now["Resources"].items() if each["Type"] == "AWS::EC2::Subnet")
    )
    assert len(list(collisions(outline(now), outline(new)))) == 2


def test_narrower_parameters_are_seen(now: dict[str, Any]) -> None:
    new = deepcopy(now)
    del new["Parameters"]["AlertEmail"]
    new["Parameters"]["LogRetentionDays"]["AllowedValues"].remove(30)
    del new["Outputs"]["ApiUrl"]
    assert sorted(refusals(outline(now), outline(new))) == [
        "LogRetentionDays no longer takes 30",
        "the output ApiUrl is gone",
        "the parameter AlertEmail is gone",
    ]
