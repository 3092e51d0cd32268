"""What the fleets' network lets through, in a VPC that is made here and in one of the user's."""

import re
from typing import Any

import pytest

from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import transformed

OWN_VPC = {"EnableFleets": "true", "VpcId": "vpc-0a", "SubnetIds": "subnet-0a,subnet-0b"}
# EC2's API reference, UserIdGroupPair.Description: no other characters, no apostrophe either.
DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")


def _out(stack: StaticStack) -> set[tuple[str, int]]:
    rules = stack.properties("FleetInstanceSecurityGroup")["SecurityGroupEgress"]
    assert all(rule["FromPort"] == rule["ToPort"] for rule in rules)
    return {(rule["IpProtocol"], rule["ToPort"]) for rule in rules}


def test_instances_ask_the_name_servers_of_a_vpc_that_is_not_ours(fleet_stack: StaticStack) -> None:
    assert _out(fleet_stack) == {("tcp", 443)}
    assert _out(StaticStack(transformed(), OWN_VPC)) == {("tcp", 443), ("tcp", 53), ("udp", 53)}


def _texts(stack: StaticStack) -> dict[str, list[str]]:
    found = {}
    for name in (each for each, resource in stack.template["Resources"].items() if "SecurityGroup" in resource["Type"]):
        if stack.exists(name):
            properties: dict[str, Any] = stack.properties(name)
            rules = [
                *properties.get("SecurityGroupEgress", []),
                *properties.get("SecurityGroupIngress", []),
                properties,
            ]
            found[name] = [rule[key] for rule in rules for key in ("Description", "GroupDescription") if key in rule]
    return found


@pytest.mark.parametrize("parameters", [{"EnableFleets": "true"}, OWN_VPC])
def test_ec2_takes_the_descriptions_of_groups_and_rules(parameters: dict[str, str]) -> None:
    texts = _texts(StaticStack(transformed(), parameters))
    assert len(texts) == 7
    assert {name: text for name, each in texts.items() for text in each if not DESCRIPTION.fullmatch(text)} == {}
