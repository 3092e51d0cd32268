"""Creators for the network that fleets live in."""

import re
from collections.abc import Sequence
from typing import Any

from tests.sandbox.cloud.zones import WITHOUT_LINKS
from tests.sandbox.runtime.creation import Creator, Made, Order
from tests.sandbox.runtime.intrinsics import TemplateError

# What EC2 takes in the description of a group or a rule; no apostrophe, for one.
_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")


def _vpc(order: Order) -> Made:
    made = order.client("ec2").create_vpc(CidrBlock=order.get("CidrBlock"))["Vpc"]
    groups = order.client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [made["VpcId"]]}])
    attributes = {
        "VpcId": made["VpcId"],
        "CidrBlock": made["CidrBlock"],
        "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"],
    }
    return Made(made["VpcId"], attributes)


def _subnet(order: Order) -> Made:
    wish = order.only("VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId")
    made = order.client("ec2").create_subnet(**wish)["Subnet"]
    kept = ("SubnetId", "AvailabilityZone", "AvailabilityZoneId")
    return Made(made["SubnetId"], {name: made[name] for name in kept})


def _internet_gateway(order: Order) -> Made:
    made = order.client("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    return Made(made, {"InternetGatewayId": made})


def _gateway_attachment(order: Order) -> Made:
    order.client("ec2").attach_internet_gateway(**order.only("InternetGatewayId", "VpcId"))
    return Made(f"IGW|{order.get('VpcId')}")


def _route_table(order: Order) -> Made:
    made = order.client("ec2").create_route_table(VpcId=order.get("VpcId"))["RouteTable"]["RouteTableId"]
    return Made(made, {"RouteTableId": made})


def _route(order: Order) -> Made:
    kept = ("RouteTableId", "DestinationCidrBlock", "GatewayId", "NatGatewayId", "VpcEndpointId")
    order.client("ec2").create_route(**order.only(*kept))
    return Made(f"{order.get('RouteTableId')}|{order.get('DestinationCidrBlock')}")


def _route_association(order: Order) -> Made:
    made = order.client("ec2").associate_route_table(**order.only("RouteTableId", "SubnetId"))["AssociationId"]
    return Made(made, {"Id": made})


def _security_group(order: Order) -> Made:
    made = order.client("ec2").create_security_group(
        GroupName=order.name(order.get("GroupName"), 255),
        Description=_described(order.get("GroupDescription", "")),
        VpcId=order.get("VpcId"),
    )["GroupId"]
    if rules := order.get("SecurityGroupEgress"):
        _let_out(order, made, rules)
    if rules := order.get("SecurityGroupIngress"):
        order.client("ec2").authorize_security_group_ingress(
            GroupId=made, IpPermissions=[_permission(r) for r in rules]
        )
    return Made(made, {"GroupId": made, "VpcId": order.get("VpcId")})


def _let_out(order: Order, group: str, rules: list[dict[str, Any]]) -> None:
    """Let out what the rules say, in place of everything."""
    client = order.client("ec2")
    everything = client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    client.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    wished = [_permission(rule, peer="DestinationSecurityGroupId") for rule in rules]
    client.authorize_security_group_egress(GroupId=group, IpPermissions=wished)


def _ingress(order: Order) -> Made:
    permission = _permission(dict(order.properties))
    order.client("ec2").authorize_security_group_ingress(GroupId=order.get("GroupId"), IpPermissions=[permission])
    return Made(f"{order.logical_id}-rule")


def _egress(order: Order) -> Made:
    permission = _permission(dict(order.properties), peer="DestinationSecurityGroupId")
    order.client("ec2").authorize_security_group_egress(GroupId=order.get("GroupId"), IpPermissions=[permission])
    return Made(f"{order.logical_id}-rule")


def _permission(rule: dict[str, Any], peer: str = "SourceSecurityGroupId") -> dict[str, Any]:
    _described(rule.get("Description", ""))
    made: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    made |= {key: int(rule[key]) for key in ("FromPort", "ToPort") if key in rule}
    if "CidrIp" in rule:
        made["IpRanges"] = [{"CidrIp": rule["CidrIp"]}]
    if peer in rule:
        made["UserIdGroupPairs"] = [{"GroupId": rule[peer]}]
    return made


def _described(text: str) -> str:
    if not _DESCRIPTION.fullmatch(text):
        raise TemplateError(f"Invalid rule description: {text}")
    return text


def _endpoint(order: Order) -> Made:
    kept = ("VpcId", "ServiceName", "RouteTableIds", "SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled")
    wish = order.only(*kept) | {"VpcEndpointType": order.get("VpcEndpointType", "Gateway")}
    made = order.client("ec2").create_vpc_endpoint(**wish)["VpcEndpoint"]["VpcEndpointId"]
    return Made(made, {"Id": made})


def _zones(order: Order, subnets: Sequence[str]) -> dict[str, str]:
    """Return the id of each subnet's zone."""
    found = order.client("ec2").describe_subnets(SubnetIds=subnets)["Subnets"]
    return {each["SubnetId"]: each["AvailabilityZoneId"] for each in found}


def _vpc_link(order: Order) -> Made:
    for subnet, zone in _zones(order, order.get("SubnetIds")).items():
        if zone in WITHOUT_LINKS:
            raise TemplateError(f"Subnet '{subnet}' is in Availability Zone '{zone}' where service is not available")
    wish = order.only("SubnetIds", "SecurityGroupIds")
    made = order.client("apigatewayv2").create_vpc_link(Name=order.get("Name"), **wish)["VpcLinkId"]
    return Made(made, {"VpcLinkId": made})


def _load_balancer(order: Order) -> Made:
    zones = list(_zones(order, order.get("Subnets")).values())
    if len(set(zones)) < len(zones):
        raise TemplateError("A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    if len(zones) < 2:
        raise TemplateError("At least two subnets in two different Availability Zones must be specified")
    kept = ("Subnets", "SecurityGroups", "Scheme", "Type", "IpAddressType")
    made = order.client("elbv2").create_load_balancer(Name=order.name(order.get("Name"), 32), **order.only(*kept))[
        "LoadBalancers"
    ][0]
    arn = made["LoadBalancerArn"]
    attributes = {
        "LoadBalancerArn": arn,
        "DNSName": made["DNSName"],
        "LoadBalancerFullName": arn.partition("loadbalancer/")[2],
        "LoadBalancerName": made["LoadBalancerName"],
    }
    return Made(arn, attributes)


def _listener(order: Order) -> Made:
    kept = ("LoadBalancerArn", "Port", "Protocol", "DefaultActions")
    wish = order.only(*kept)
    wish["Port"] = int(wish["Port"])
    made = order.client("elbv2").create_listener(**wish)["Listeners"][0]["ListenerArn"]
    return Made(made, {"ListenerArn": made})


def _target_group(order: Order) -> Made:
    kept = ("Protocol", "VpcId", "TargetType", "HealthCheckPath")
    made = order.client("elbv2").create_target_group(
        Name=order.name(order.get("Name"), 32), Port=int(order.get("Port", 80)), **order.only(*kept)
    )["TargetGroups"][0]["TargetGroupArn"]
    return Made(made, {"TargetGroupArn": made, "TargetGroupFullName": made.rpartition(":")[2]})


CREATORS: dict[str, Creator] = {
    "AWS::ApiGatewayV2::VpcLink": _vpc_link,
    "AWS::EC2::InternetGateway": _internet_gateway,
    "AWS::EC2::Route": _route,
    "AWS::EC2::RouteTable": _route_table,
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::EC2::SecurityGroupEgress": _egress,
    "AWS::EC2::SecurityGroupIngress": _ingress,
    "AWS::EC2::Subnet": _subnet,
    "AWS::EC2::SubnetRouteTableAssociation": _route_association,
    "AWS::EC2::VPC": _vpc,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::EC2::VPCGatewayAttachment": _gateway_attachment,
    "AWS::ElasticLoadBalancingV2::Listener": _listener,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": _target_group,
}
