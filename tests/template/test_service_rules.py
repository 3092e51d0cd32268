"""What a service refuses when the stack is made, though every linter accepts it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from spillway.domain.deployments.resource_names import STACK_NAME_LIMIT
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.conftest import WITH_ALL
from tests.template.transform import transformed

# The resource policies of these are refused if a statement names anything but the one resource they are set on.
_POLICIES = {"AWS::SNS::TopicPolicy": "Topics", "AWS::SQS::QueuePolicy": "Queues"}


def _resources(stack: StaticStack, *types: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in stack.template["Resources"].items():
        if resource["Type"] in types:
            yield name, resource


def _arn(stack: StaticStack, reference: Mapping[str, Any], kind: str) -> Any:
    """Queues are listed by their URL, which is what Ref gives; policies name them by their ARN."""
    if kind == "AWS::SQS::QueuePolicy":
        return stack.resolve({"Fn::GetAtt": [reference["Ref"], "Arn"]})
    return stack.resolve(reference)


def policy_problems(stack: StaticStack) -> list[str]:
    problems = []
    for name, resource in _resources(stack, *_POLICIES):
        kind, properties = resource["Type"], resource["Properties"]
        set_on = [_arn(stack, each, kind) for each in properties[_POLICIES[kind]]]
        if len(set_on) != 1:
            problems.append(f"{name} is set on {len(set_on)} resources")
            continue
        statements = properties["PolicyDocument"]["Statement"]
        problems += [
            f"{name}: {each['Sid']} names something else"
            for each in statements
            if stack.resolve(each["Resource"]) != set_on[0]
        ]
        if len({each["Sid"] for each in statements}) != len(statements):
            problems.append(f"{name} has two statements of one name")
    return problems


def test_a_topics_or_queues_policy_names_that_one_alone(stack: StaticStack, fleet_stack: StaticStack) -> None:
    assert policy_problems(stack) == []
    assert policy_problems(fleet_stack) == []


@pytest.mark.parametrize("resource", [["ScaleTopic", "CostTopic"], ["CostTopic"]])
def test_a_policy_over_two_topics_is_found(resource: list[str]) -> None:
    topics = [{"Ref": name} for name in resource]
    statement = {"Sid": "A", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topics}
    policy = {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {"Topics": [{"Ref": "ScaleTopic"}], "PolicyDocument": {"Statement": [statement]}},
    }
    topic: dict[str, Any] = {"Type": "AWS::SNS::Topic", "Properties": {}}
    template = {"Parameters": {}, "Resources": {"Policy": policy, "ScaleTopic": topic, "CostTopic": topic}}
    assert policy_problems(StaticStack(template)) == ["Policy: A names something else"]


def _cache_seconds(parameters: Mapping[str, str]) -> object:
    stack = StaticStack(transformed(parameters), parameters)
    authorizers = stack.properties("PublicApi")["Body"]["components"]["securitySchemes"].values()
    first, second = (each["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] for each in authorizers)
    assert first == second
    return first


def test_the_authorisers_cache_time_is_the_parameters_as_a_number(template: dict[str, Any]) -> None:
    """CloudFormation makes text of a number that comes by Ref, and an API's definition is taken as it is."""
    allowed = template["Parameters"]["KeyCacheSeconds"]["AllowedValues"]
    assert {0, 60} < set(allowed)
    found = [_cache_seconds({"KeyCacheSeconds": str(seconds)}) for seconds in allowed]
    assert [(type(seconds), seconds) for seconds in found] == [(int, seconds) for seconds in allowed]
    assert _cache_seconds({}) == 60


def test_a_changed_parameter_makes_a_new_deployment_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM names a deployment by the definition as written: only AlwaysDeploy makes one for a parameter."""

    def deployment(moment: int) -> str:
        monkeypatch.setattr("samtranslator.model.apigateway.time.time", lambda: moment)
        return StaticStack(transformed()).properties("PublicApiliveStage")["DeploymentId"]  # type: ignore[no-any-return]

    assert deployment(1) != deployment(2)


def test_no_policy_outgrows_iam() -> None:
    """IAM takes 6,144 characters in a managed policy, and 10,240 in all policies inside a role."""
    stack = StaticStack(transformed(WITH_ALL), WITH_ALL, stack="a" * STACK_NAME_LIMIT, region="ap-southeast-2")
    for name in stack.of_type("AWS::IAM::ManagedPolicy"):
        assert _size(stack.properties(name)["PolicyDocument"]) < 6_144, name
    for name in stack.of_type("AWS::IAM::Role"):
        assert sum(_size(each["PolicyDocument"]) for each in stack.properties(name).get("Policies", [])) < 10_000, name


def _size(document: Any) -> int:
    return len(json.dumps(document, separators=(",", ":")))
