"""Regions and zones that differ in the types they have, by moto's copy of what AWS offers.

The fleet's subnets lie in us-east-1a and us-east-1b. p5en.48xlarge is offered in a and c, p4de.24xlarge in b and c,
p6-b200.48xlarge in c alone, g6e.xlarge in all three; g7.2xlarge, in all of them too, is in no table of the package.
"""

from typing import Any

import pytest

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import InvalidRequest
from spillway.domain.pricing.price_book import price_book
from tests.builders import a_deployment, a_spec
from tests.unit.adapters.drivers.conftest import FleetWorld

BASE = "spillway-support-llama"


def on(*types: str) -> Deployment:
    return a_deployment(spec=a_spec(capacity={"max": 1, "instance_types": list(types)}))


def group_of(world: FleetWorld) -> tuple[list[str], list[str]]:
    """Return the group's types and subnets."""
    (group,) = world.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[BASE])["AutoScalingGroups"]
    overrides = group["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    return [one["InstanceType"] for one in overrides], group["VPCZoneIdentifier"].split(",")


def test_a_type_that_the_package_does_not_know_is_taken_where_ec2_has_it(world: FleetWorld) -> None:
    assert "g7.2xlarge" not in price_book().ec2
    world.driver.preflight(on("g7.2xlarge"))
    assert world.driver.provision(on("g7.2xlarge"), 1)["instance_type"] == "g7.2xlarge"


def test_types_that_are_offered_nowhere_in_the_fleets_zones_are_refused_with_what_is(world: FleetWorld) -> None:
    with pytest.raises(InvalidRequest) as raised:
        world.driver.preflight(on("p6-b200.48xlarge", "g9.xlarge"))
    error, there = raised.value, set(raised.value.allowed or ())
    assert error.param == "capacity.instance_types"
    for word in ("p6-b200.48xlarge", "g9.xlarge", "us-east-1", "us-east-1a", "us-east-1b"):
        assert word in str(error)
    assert {"g6e.xlarge", "p5en.48xlarge", "p4de.24xlarge"} <= there
    # Not a type that the engine can't use, nor one of another zone.
    assert {"g5g.xlarge", "m5.large", "p6-b200.48xlarge"}.isdisjoint(there)


@pytest.mark.parametrize(
    ("types", "used", "subnets"),
    [
        (["p5en.48xlarge"], ["p5en.48xlarge"], [0]),
        (["p4de.24xlarge"], ["p4de.24xlarge"], [1]),
        (["p5en.48xlarge", "p4de.24xlarge"], ["p5en.48xlarge", "p4de.24xlarge"], [0, 1]),
        (["p6-b200.48xlarge", "g6e.xlarge"], ["g6e.xlarge"], [0, 1]),
    ],
)
def test_a_group_tries_only_what_its_zones_have(
    world: FleetWorld, types: list[str], used: list[str], subnets: list[int]
) -> None:
    made = world.driver.provision(on(*types), 1)
    assert group_of(world) == (used, [world.config.subnet_ids[at] for at in subnets])
    assert made["instance_type"] == used[0]
    (template,) = world.ec2.describe_launch_template_versions(LaunchTemplateName=BASE)["LaunchTemplateVersions"]
    assert template["LaunchTemplateData"]["InstanceType"] == used[0]


def test_a_group_of_an_earlier_release_is_brought_out_of_a_zone_without_its_type(world: FleetWorld) -> None:
    fleet = on("p5en.48xlarge")
    world.driver.provision(fleet, 1)
    everywhere = ",".join(world.config.subnet_ids)
    world.autoscaling.update_auto_scaling_group(AutoScalingGroupName=BASE, VPCZoneIdentifier=everywhere)
    world.driver.scale(fleet, 1)
    assert group_of(world)[1] == [world.config.subnet_ids[0]]


def test_a_group_that_fits_its_zones_is_left_alone(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = on("p5en.48xlarge")
    world.driver.provision(fleet, 1)
    asked: list[Any] = []
    monkeypatch.setattr(world.autoscaling, "update_auto_scaling_group", lambda **given: asked.append(given))
    world.driver.provision(fleet, 1)
    world.driver.scale(fleet, 1)
    assert asked == []
