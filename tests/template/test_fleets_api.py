"""What the fleets' API serves is what the template says now: its stage and deployment follow what they depend on."""

import hashlib
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from spillway.services.events.load_test import DoorTest, read_smoke_test
from tests.sandbox.iam.static_stack import StaticStack
from tests.template import transform
from tests.template.upgrade import references, replaced_by

API, STAGE = "FleetsApi", "FleetsApiStage"
_PARTS = ("AWS::ApiGateway::Method", "AWS::ApiGateway::Resource")

FLEETS = {"EnableFleets": "true"}

transformed = cache(transform.transformed)


def snapshot(template: dict[str, Any]) -> dict[str, Any]:
    """Return the resources, as written, that a deployment of the fleets' API takes its snapshot of."""
    resources = template["Resources"]
    parts = {
        name: each
        for name, each in resources.items()
        if each["Type"] in _PARTS and each["Properties"]["RestApiId"] == {"Ref": API}
    }
    return {API: resources[API], **parts}


def deployment_of(template: dict[str, Any]) -> str:
    """Return the logical id of the deployment that the stage serves."""
    logical_id: str = template["Resources"][STAGE]["Properties"]["DeploymentId"]["Ref"]
    return logical_id


def test_a_changed_api_is_a_new_deployment(template: dict[str, Any]) -> None:
    written = json.dumps(snapshot(template), sort_keys=True)
    digest = hashlib.sha256(written.encode()).hexdigest()[:8]
    assert deployment_of(template) == f"FleetsApiDeployment{digest}"
    assert template["Resources"][deployment_of(template)]["Properties"] == {"RestApiId": {"Ref": API}}


def cut_off(template: dict[str, Any], parameter: str) -> set[str]:
    """Return what the deployed snapshot goes on naming though another value of a parameter replaces it."""
    gone = replaced_by(parameter, template).keys()
    return set() if deployment_of(template) in gone else set(references(snapshot(template))) & gone


def test_the_snapshot_names_nothing_that_a_parameter_replaces() -> None:
    template = transformed()
    assert {parameter: found for parameter in template["Parameters"] if (found := cut_off(template, parameter))} == {}


@pytest.mark.parametrize("parameter", ["SubnetIds", "VpcId", "FleetZoneIds"])
def test_a_link_in_the_snapshot_is_found_out(parameter: str) -> None:
    template = deepcopy(transformed())
    template["Resources"]["FleetProxyMethod"]["Properties"]["Integration"]["ConnectionId"] = {"Ref": "FleetVpcLink"}
    assert cut_off(template, parameter) == {"FleetVpcLink"}


def _variables(value: Any) -> Iterator[str]:
    yield from re.findall(r"\$\{stageVariables\.(\w+)\}", json.dumps(value))


def test_the_stage_gives_what_the_snapshot_leaves_open(template: dict[str, Any]) -> None:
    given = template["Resources"][STAGE]["Properties"]["Variables"]
    assert set(_variables(snapshot(template))) == set(given)
    assert given == {"vpcLinkId": {"Ref": "FleetVpcLink"}}


def test_the_deployment_waits_for_every_method(template: dict[str, Any]) -> None:
    methods = {name for name, each in snapshot(template).items() if each["Type"] == "AWS::ApiGateway::Method"}
    waited = template["Resources"][deployment_of(template)]["DependsOn"]
    assert ({waited} if isinstance(waited, str) else set(waited)) == methods


def test_the_link_is_used_daily_while_there_are_fleets() -> None:
    """API Gateway takes the network interfaces of a link away that carried nothing for 60 days."""
    schedules = [
        StaticStack(transformed(), parameters).properties("SmokeTestFunctionDaily") for parameters in (FLEETS, {})
    ]
    assert [each["State"] for each in schedules] == ["ENABLED", "DISABLED"]
    assert schedules[0]["ScheduleExpression"] == "rate(1 day)"
    assert isinstance(read_smoke_test(json.loads(schedules[0]["Target"]["Input"])), DoorTest)
