"""In which regions the stack stands, and that it says so before anything is made where it can't."""

import re
from functools import cache
from ipaddress import ip_network
from itertools import pairwise
from typing import Any

import boto3
import pytest

from tests.sandbox.iam.static_stack import StaticStack
from tests.sandbox.runtime.rules import broken_rules, missing_keys
from tests.template import transform

FLEETS = {"EnableFleets": "true"}
LAYER = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:adapter:1"
# The ranges of the subnets that the template made up to its release without FleetZoneIds, by names of zones.
EARLIER = ("10.83.0.0/19", "10.83.32.0/19")

transformed = cache(transform.transformed)


def regions() -> list[str]:
    session = boto3.Session(region_name="us-east-1")
    partitions = session.get_available_partitions()
    return [each for one in partitions for each in session.get_available_regions("cloudformation", one)]


def zones(template: dict[str, Any], region: str) -> list[str]:
    return [each for each in template["Mappings"]["FleetZones"][region].values() if each != "none"]


def linked(template: dict[str, Any]) -> list[str]:
    return [region for region in template["Mappings"]["FleetZones"] if zones(template, region)]


def refused(region: str, **given: str) -> list[str]:
    """Return what the rules say to these parameters in a region, by the rules' names."""
    template = transformed()
    values = {name: each.get("Default") for name, each in template["Parameters"].items()} | given
    values |= {"AWS::Region": region}
    assert list(missing_keys(template, values)) == []
    return [sentence.split(":")[0] for sentence in broken_rules(template, values)]


def test_every_region_has_a_row_since_a_missing_one_would_fail_even_without_fleets(template: dict[str, Any]) -> None:
    assert set(template["Mappings"]["FleetZones"]) >= set(regions())


def test_the_rule_knows_the_regions_that_have_zones(template: dict[str, Any]) -> None:
    (assertion,) = template["Rules"]["FleetsNeedVpcLinks"]["Assertions"]
    (listed,) = (each["Fn::Contains"][0] for each in assertion["Assert"]["Fn::Or"] if "Fn::Contains" in each)
    assert sorted(listed) == sorted(linked(template))


def test_a_zone_is_of_its_region_and_named_once(template: dict[str, Any]) -> None:
    for region in linked(template):
        found = zones(template, region)
        assert len(set(found)) == len(found) in (2, 3)
        assert len({zone.partition("-")[0] for zone in found}) == 1
    prefixes = [zones(template, region)[0].partition("-")[0] for region in linked(template)]
    assert len(set(prefixes)) == len(prefixes)


def test_the_zones_are_those_of_the_page_that_users_read(template: dict[str, Any]) -> None:
    text = (transform.REPOSITORY / "docs/regions.md").read_text(encoding="utf-8")
    table = {
        region: zones.split(", ") for region, zones in re.findall(r"^\| (\S+-\d) \| (.*-az\d) \|$", text, re.MULTILINE)
    }
    assert table.keys() == set(linked(template))
    assert all(zones(template, region) == listed[:3] for region, listed in table.items())


# Zones that AWS's page leaves out, or has left out, of regions where the others have links.
@pytest.mark.parametrize("zone", ["use1-az3", "euw3-az2", "cac1-az4", "ape1-az1", "apne1-az3", "usw1-az2"])
def test_zones_without_links_are_not_used(template: dict[str, Any], zone: str) -> None:
    assert not [region for region in linked(template) if zone in zones(template, region)]


def subnets(region: str, **given: str) -> list[dict[str, Any]]:
    stack = StaticStack(transformed(), {**FLEETS, **given}, region=region)
    return [stack.properties(name) for name in stack.of_type("AWS::EC2::Subnet")]


def test_a_vpc_that_is_made_has_a_subnet_in_each_zone(template: dict[str, Any]) -> None:
    for region in linked(template):
        made = subnets(region)
        assert [each["AvailabilityZoneId"] for each in made] == zones(template, region)
        assert not [each for each in made if "AvailabilityZone" in each]


def test_the_zones_can_be_named(template: dict[str, Any]) -> None:
    for named in ("use1-az5,use1-az6", "use1-az6,use1-az5,use1-az4"):
        assert [each["AvailabilityZoneId"] for each in subnets("us-east-1", FleetZoneIds=named)] == named.split(",")
    assert len(subnets("ap-southeast-3", FleetZoneIds="apse3-az1,apse3-az2")) == 2
    assert len(subnets("eu-west-3", FleetZoneIds="euw3-az1,euw3-az2,euw3-az3")) == 3


def test_ranges_overlap_with_none_and_with_none_of_earlier_templates() -> None:
    ranges = sorted(ip_network(each) for each in (*EARLIER, *(each["CidrBlock"] for each in subnets("us-east-1"))))
    assert len(ranges) == 5
    assert not [one for one, other in pairwise(ranges) if one.overlaps(other)]
    assert all(each.subnet_of(ip_network("10.83.0.0/16")) for each in ranges)  # type: ignore[arg-type]


@pytest.mark.parametrize("parameters", [FLEETS, {"VpcId": "vpc-0a", "SubnetIds": "subnet-0a,subnet-0b", **FLEETS}])
def test_the_load_balancer_the_link_and_the_drivers_use_the_same_subnets(parameters: dict[str, str]) -> None:
    stack = StaticStack(transformed(), parameters)
    subnets = stack.properties("FleetLoadBalancer")["Subnets"]
    given = stack.properties("DriveFleetFunction")["Environment"]["Variables"]["FLEET_SUBNET_IDS"]
    assert subnets == stack.properties("FleetVpcLink")["SubnetIds"] == given.split(",")
    assert len(subnets) == (3 if parameters == FLEETS else 2)
    routed = {stack.properties(name)["SubnetId"] for name in stack.of_type("AWS::EC2::SubnetRouteTableAssociation")}
    assert routed == (set(subnets) if parameters == FLEETS else set())


def test_fleets_are_refused_where_no_zone_has_links(template: dict[str, Any]) -> None:
    for region in set(regions()) - set(linked(template)):
        assert "FleetsNeedVpcLinks" in refused(region, **FLEETS)
        assert "FleetsNeedVpcLinks" not in refused(region, **FLEETS, FleetZoneIds="xxx1-az1,xxx1-az2")
        assert "FleetsNeedVpcLinks" not in refused(region)


def test_fleets_are_taken_where_zones_have_links(template: dict[str, Any]) -> None:
    assert [region for region in linked(template) if "FleetsNeedVpcLinks" in refused(region, **FLEETS)] == []


@pytest.mark.parametrize("region", ["us-gov-west-1", "us-gov-east-1", "cn-north-1", "me-south-1", "eusc-de-east-1"])
def test_a_region_without_the_adapters_layer_is_refused_unless_one_is_given(region: str) -> None:
    assert refused(region) == ["WebAdapterIsInTheRegion"]
    assert refused(region, LwaLayerArn=LAYER) == []


def test_the_gateway_gets_the_public_layer_or_the_given_one() -> None:
    def adapter(**given: str) -> str:
        layer: str = StaticStack(transformed(), given).properties("ServeOpenaiFunction")["Layers"][-1]
        return layer

    assert adapter() == "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerArm64:27"
    assert adapter(LwaLayerArn=LAYER) == LAYER
