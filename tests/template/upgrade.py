"""What an update of the stack would replace, collide with or refuse, from the template alone.

``python -m tests.template.upgrade`` prints the outline of this template, as kept for each release in
``tests/fixtures/released``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.template.transform import REGION, REPOSITORY, transformed

RELEASED = REPOSITORY / "tests" / "fixtures" / "released"

Template = Mapping[str, Any]
Outline = Mapping[str, Any]

# What a replacement loses or cuts off: data, subscriptions, addresses that users know, the way to running instances.
STATEFUL = frozenset(
    {
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::DynamoDB::Table",
        "AWS::EC2::VPC",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::Events::EventBus",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
        "AWS::StepFunctions::StateMachine",
    }
)
# What may exist once only with the same create-only properties: AWS refuses the second, or takes it for the first.
_UNIQUE = frozenset(
    {
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::EC2::Route",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCEndpoint",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Logs::LogGroup",
        "AWS::StepFunctions::StateMachine",
    }
)


def outline(template: Template) -> dict[str, Any]:
    """Return what of a transformed template decides over an update.

    ``parameters``: what each allows; ``outputs``: their names; ``resources``: the type of each, and its create-only
    properties (by CloudFormation's schemas, as cfn-lint has them), a change of which replaces it.
    """
    return {
        "parameters": {
            name: {key: each[key] for key in ("AllowedValues", "AllowedPattern", "MinValue", "MaxValue") if key in each}
            for name, each in template["Parameters"].items()
        },
        "outputs": sorted(template["Outputs"]),
        "resources": {
            name: {"type": each["Type"], "create_only": _create_only(each)}
            for name, each in template["Resources"].items()
        },
    }


def replaced(before: Outline, after: Outline) -> dict[str, str]:
    """Return the resources of ``before`` that are gone or replaced in ``after``, with the reason."""
    old, new = before["resources"], after["resources"]
    found = dict.fromkeys(old.keys() - new.keys(), "is gone")
    for name in old.keys() & new.keys():
        if old[name]["type"] != new[name]["type"]:
            found[name] = f"is another type, {new[name]['type']}"
        elif changed := sorted(_changed(old[name]["create_only"], new[name]["create_only"])):
            found[name] = f"changes {', '.join(changed)}"
    return _with_followers(found, new)


def replaced_by(parameter: str, template: Template) -> dict[str, str]:
    """Return the resources that another value of a parameter replaces, with the reason."""
    found = {
        name: f"has {parameter} in a create-only property"
        for name, each in template["Resources"].items()
        if parameter in set(parameters_in(_create_only(each), template))
    }
    return _with_followers(found, outline(template)["resources"])


def collisions(before: Outline, after: Outline) -> Iterator[str]:
    """Say which new resources can't be made, because an old one of another id, removed later, is still there."""
    for name, new in after["resources"].items():
        for other, old in before["resources"].items():
            twins = (new["type"], new["create_only"]) == (old["type"], old["create_only"]) and new["create_only"]
            if name not in before["resources"] and twins and new["type"] in _UNIQUE:
                yield f"{name} can't be made beside {other}"
            if _overlap(name, new, other, old):
                yield f"{name} has the addresses of {other}"


def refusals(before: Outline, after: Outline) -> Iterator[str]:
    """Say which values that a stack was deployed with, and which outputs that scripts read, are no longer taken."""
    yield from (f"the parameter {name} is gone" for name in before["parameters"].keys() - after["parameters"].keys())
    yield from (f"the output {name} is gone" for name in set(before["outputs"]) - set(after["outputs"]))
    for name in before["parameters"].keys() & after["parameters"].keys():
        old, new = before["parameters"][name], after["parameters"][name]
        if gone := [value for value in old.get("AllowedValues", []) if value not in new.get("AllowedValues", [value])]:
            yield f"{name} no longer takes {', '.join(map(str, gone))}"


def parameters_in(value: Any, template: Template) -> Iterator[str]:
    """Find every parameter that a value depends on, through conditions too."""
    if isinstance(value, list):
        for each in value:
            yield from parameters_in(each, template)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref" and inner in template["Parameters"]:
                yield inner
            elif key == "Condition" or key == "Fn::If":
                name = inner if key == "Condition" else inner[0]
                yield from parameters_in(template["Conditions"].get(name, {}), template)
            elif key == "Fn::Sub":
                text = inner if isinstance(inner, str) else inner[0]
                yield from (name for name in re.findall(r"\$\{(\w+)\}", text) if name in template["Parameters"])
            yield from parameters_in(inner, template)


def references(value: Any) -> Iterator[str]:
    """Find the logical ids, and the parameters, that a value refers to."""
    match value:
        case {"Ref": str() as name}:
            yield name
        case {"Fn::GetAtt": [str() as name, *_]}:
            yield name
        case {"Fn::Sub": str() as text}:
            yield from re.findall(r"\$\{(\w+)", text)
        case dict():
            for inner in value.values():
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)


def _create_only(resource: Mapping[str, Any]) -> dict[str, Any]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource["Type"]).schema
    paths = [*(schema.get("createOnlyProperties") or []), *(schema.get("conditionalCreateOnlyProperties") or [])]
    names = {path.split("/")[2] for path in paths}
    properties = resource.get("Properties", {})
    return {name: properties[name] for name in sorted(names & properties.keys())}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _with_followers(found: Mapping[str, str], resources: Mapping[str, Any]) -> dict[str, str]:
    """Add the resources that have a replaced one in a create-only property, and so on."""
    following, waiting = dict(found), list(found)
    while waiting:
        replaced_one = waiting.pop()
        for name, each in resources.items():
            if name not in following and replaced_one in set(references(each["create_only"])):
                following[name] = f"follows {replaced_one}"
                waiting.append(name)
    return following


def _overlap(name: str, new: Mapping[str, Any], other: str, old: Mapping[str, Any]) -> bool:
    """Whether a subnet that is made (new, or in place of an old one) has addresses that an old one still holds."""
    if not new["type"] == old["type"] == "AWS::EC2::Subnet":
        return False
    is_made = name != other or new["create_only"] != old["create_only"]
    return is_made and bool(new["create_only"]["CidrBlock"] == old["create_only"]["CidrBlock"])


if __name__ == "__main__":
    print(json.dumps(outline(transformed()), indent=1, sort_keys=True))
