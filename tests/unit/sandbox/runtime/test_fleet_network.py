"""The fleets' network and API are refused where AWS would refuse them, and a stage serves what was deployed to it."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION, MotoCloud
from tests.sandbox.cloud.vpc_links import is_made
from tests.sandbox.runtime.deployed import fleets_api
from tests.sandbox.runtime.intrinsics import TemplateError
from tests.sandbox.runtime.template_stack import Target, TemplateStack

API = {"Ref": "Api"}
_networks = count()


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    cloud = MotoCloud()
    yield Target(cloud.start(), REGION, ACCOUNT)
    cloud.stop()


def stack(target: Target, resources: dict[str, Any]) -> TemplateStack:
    made = TemplateStack({"Resources": resources}, {}, target)
    made.create()
    return made


def subnets(*zones: dict[str, Any]) -> dict[str, Any]:
    network = f"10.{next(_networks)}"
    vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": f"{network}.0.0/16"}}
    made = {
        f"Subnet{number}": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": f"{network}.{number}.0/24", **zone},
        }
        for number, zone in enumerate(zones)
    }
    return {"Vpc": vpc, **made}


def link(*names: str) -> dict[str, Any]:
    properties = {"Name": "fleets", "SubnetIds": [{"Ref": name} for name in names]}
    return {"Type": "AWS::ApiGatewayV2::VpcLink", "Properties": properties}


def by_id(*zones: str) -> dict[str, Any]:
    return subnets(*({"AvailabilityZoneId": zone} for zone in zones))


def test_a_zone_is_taken_by_its_id(target: Target) -> None:
    made = stack(target, {**by_id("use1-az4"), "Link": link("Subnet0")})
    assert made.attribute("Subnet0", "AvailabilityZoneId") == "use1-az4"
    assert made.attribute("Subnet0", "AvailabilityZone") == "us-east-1d"
    assert is_made(made.ref("Link"))


def test_the_first_zones_by_name_cannot_carry_a_link_in_this_account(target: Target) -> None:
    first = [{"AvailabilityZone": {"Fn::Select": [number, {"Fn::GetAZs": ""}]}} for number in range(2)]
    with pytest.raises(TemplateError, match="in Availability Zone 'use1-az3' where service is not available"):
        stack(target, {**subnets(*first), "Link": link("Subnet0", "Subnet1")})


@pytest.mark.parametrize(
    ("zones", "complaint"),
    [
        (["use1-az1", "use1-az1"], "multiple subnets in the same Availability Zone"),
        (["use1-az1"], "At least two subnets"),
    ],
)
def test_a_load_balancer_needs_two_zones(target: Target, zones: list[str], complaint: str) -> None:
    names = [{"Ref": f"Subnet{number}"} for number, _ in enumerate(zones)]
    balancer = {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Subnets": names}}
    with pytest.raises(TemplateError, match=complaint):
        stack(target, {**by_id(*zones), "Balancer": balancer})


def test_a_rules_description_has_no_apostrophe(target: Target) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "0.0.0.0/0", "Description": "each other's"}
    group = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}, "SecurityGroupEgress": [rule]},
    }
    with pytest.raises(TemplateError, match="Invalid rule description: each other's"):
        stack(target, {**subnets(), "Group": group})


def test_a_group_lets_out_what_its_rules_say_alone(target: Target) -> None:
    rule = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "CidrIp": "0.0.0.0/0"}
    group = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}, "SecurityGroupEgress": [rule]},
    }
    made = stack(target, {**subnets(), "OneRule": group})
    found = made.client("ec2").describe_security_groups(GroupIds=[made.ref("OneRule")])["SecurityGroups"][0]
    assert [(each["IpProtocol"], each["ToPort"]) for each in found["IpPermissionsEgress"]] == [("udp", 53)]


def api(connection: Any, variables: dict[str, Any], **deployment: Any) -> dict[str, Any]:
    """Return an API with one method, in the order that resources without needs are made: deployment first."""
    of_api = {"RestApiId": API}
    integration = {"Type": "HTTP_PROXY", "ConnectionType": "VPC_LINK", "ConnectionId": connection}
    method = {**of_api, "ResourceId": "r", "HttpMethod": "ANY", "Integration": integration}
    stage = {**of_api, "DeploymentId": {"Ref": "Deployment"}, "StageName": "live", "Variables": variables}
    return {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "fleets"}},
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": of_api, **deployment},
        "Method": {"Type": "AWS::ApiGateway::Method", "Properties": method},
        "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": stage},
    }


@pytest.mark.parametrize(
    ("connection", "variables", "link_id"),
    [
        ("abc", {}, "abc"),
        ("${stageVariables.vpcLinkId}", {"vpcLinkId": "def"}, "def"),
        ("${stageVariables.vpcLinkId}", {}, ""),
    ],
)
def test_a_stage_fills_in_what_its_deployment_leaves_open(
    target: Target, connection: str, variables: dict[str, str], link_id: str
) -> None:
    found = fleets_api(stack(target, api(connection, variables, DependsOn="Method")))
    assert found is not None
    assert found.link_id == link_id


def test_a_deployment_that_does_not_wait_for_its_method_has_none(target: Target) -> None:
    with pytest.raises(TemplateError, match="doesn't contain any methods"):
        fleets_api(stack(target, api("abc", {})))
