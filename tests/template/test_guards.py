"""The order in which CloudFormation asks the guards: before any change of the fleets' place, before any deletion."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from samcli.lib.config.samconfig import SamConfig  # type: ignore[import-untyped]

from spillway.domain.deployments.resource_names import stack_name_problem
from tests.sandbox.iam.static_stack import StaticStack
from tests.sandbox.runtime.dependencies import all_needs, needs
from tests.template.conftest import WITH_ALL
from tests.template.transform import REPOSITORY, transformed

OWN_VPC = {"VpcId": "vpc-0a1b2c", "SubnetIds": "subnet-0a,subnet-0b"}
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "defaults": {},
    "everything": {**WITH_ALL, "GatewayServer": "ec2", "GatewayProvisionedConcurrency": "1"},
    "own VPC": {"EnableFleets": "true", **OWN_VPC},
    "own zones": {"EnableFleets": "true", "FleetZoneIds": "use1-az4,use1-az5"},
}


def stack_of(parameters: Mapping[str, str]) -> StaticStack:
    return StaticStack(transformed(parameters), parameters)


@pytest.mark.parametrize("options", OPTIONS)
def test_everything_else_is_deleted_after_the_deletion_guard(options: str) -> None:
    direct = needs(stack_of(OPTIONS[options]))
    assert direct.keys() - all_needs(direct, "DeletionGuard") == {"DeletionGuard"}


def test_what_the_deletion_guard_no_longer_needs_is_found(stack: StaticStack) -> None:
    direct = needs(stack)
    direct["DeletionGuard"] -= {"AdminKey"}
    assert direct.keys() - all_needs(direct, "DeletionGuard") == {"DeletionGuard", "AdminKey"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"EnableFleets": "true"}, {"EnableFleets": "false"}),
        ({"EnableFleets": "true"}, {"EnableFleets": "true", **OWN_VPC}),
        ({"EnableFleets": "true", **OWN_VPC}, {"EnableFleets": "true", **OWN_VPC, "VpcId": "vpc-0d"}),
        ({"EnableFleets": "true", **OWN_VPC}, {"EnableFleets": "true", **OWN_VPC, "SubnetIds": "subnet-0a,subnet-0c"}),
        ({"EnableFleets": "true", **OWN_VPC}, {"EnableFleets": "true"}),
        ({"EnableFleets": "true"}, {"EnableFleets": "true", "FleetZoneIds": "use1-az4,use1-az5"}),
    ],
)
def test_whatever_moves_or_switches_off_fleets_waits_for_the_change_guard(
    before: dict[str, str], after: dict[str, str]
) -> None:
    template = transformed(WITH_ALL)
    old, new = StaticStack(template, {**WITH_ALL, **before}), StaticStack(template, {**WITH_ALL, **after})
    direct = needs(new)
    changed = set(_changed(old, new))
    assert {"ChangeGuard", "DriveFleetFunction"} < changed
    assert [name for name in changed - {"ChangeGuard"} if "ChangeGuard" not in all_needs(direct, name)] == []


def _changed(old: StaticStack, new: StaticStack) -> Iterator[str]:
    """Resources that an update makes or changes before it deletes anything."""
    for name in new.template["Resources"]:
        if new.exists(name) and (not old.exists(name) or old.properties(name) != new.properties(name)):
            yield name


def test_the_change_guard_is_asked_before_what_a_stack_with_a_bad_name_would_pay_for(fleet_stack: StaticStack) -> None:
    direct = needs(fleet_stack)
    for name in ("FleetLoadBalancer", "FleetVpc", "FleetVpcLink"):
        assert "ChangeGuard" in all_needs(direct, name)


@pytest.mark.parametrize("guard", ["ChangeGuard", "DeletionGuard"])
def test_a_guard_whose_function_is_dead_costs_a_minute_and_has_a_way_out(guard: str, fleet_stack: StaticStack) -> None:
    properties = fleet_stack.properties(guard)
    assert int(properties["ServiceTimeout"]) > fleet_stack.properties("GuardStackFunction")["Timeout"]
    assert int(properties["ServiceTimeout"]) <= 60
    assert properties["GuardRunning"] == "true"


def test_the_guard_can_still_be_asked_while_it_is_deleted_itself(stack: StaticStack) -> None:
    """Its permissions are inside its role, not in a policy beside it that CloudFormation would delete before."""
    role = stack.properties("GuardStackFunctionRole")
    allowed = [each["Action"] for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]
    assert {"dynamodb:Scan", "cloudformation:DescribeStacks"} <= set(allowed)


def _kept(template: Mapping[str, Any], policy: str) -> set[str]:
    return {name for name, each in template["Resources"].items() if each.get("DeletionPolicy") == policy}


def test_only_what_outlives_the_stack_refuses_to_be_deleted(template: dict[str, Any]) -> None:
    """A protected table that is deleted with the stack would end that half-way, with the functions gone."""
    resources = template["Resources"].items()
    protecting = {name for name, each in resources if "DeletionProtectionEnabled" in each.get("Properties", {})}
    assert protecting == {"DeploymentsTable", "KeysTable", "UsageTable"}
    assert protecting == _kept(template, "RetainExceptOnCreate")


def test_a_first_deploy_that_fails_leaves_nothing_but_the_accounts_setting(template: dict[str, Any]) -> None:
    assert _kept(template, "Retain") == {"ApiGatewayLogging", "ApiGatewayLoggingRole"}


def test_sam_deploy_offers_a_name_that_works() -> None:
    offered = SamConfig(REPOSITORY).get_all(["deploy"], "parameters")["stack_name"]
    assert stack_name_problem(offered) is None
