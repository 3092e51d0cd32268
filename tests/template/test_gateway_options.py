"""What the template offers against the gateway's cold starts, and that a changed parameter reaches what answers."""

from typing import Any

import pytest

from spillway.gateway.__main__ import config
from spillway.settings import Settings
from tests.sandbox.iam.evaluate import Effect, evaluate
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import source, transformed
from tests.template.upgrade import parameters_in

FUNCTION = "ServeOpenaiFunction"


def _one(stack: StaticStack, kind: str) -> dict[str, Any]:
    (name,) = (each for each in stack.of_type(kind) if each.startswith(FUNCTION))
    return stack.properties(name)


def _stack(**parameters: str) -> StaticStack:
    return StaticStack(transformed(parameters), parameters)


def test_by_itself_the_gateway_keeps_nothing_ready(stack: StaticStack) -> None:
    assert stack.properties(FUNCTION)["SnapStart"] == {"ApplyOn": "None"}
    assert "ProvisionedConcurrencyConfig" not in _one(stack, "AWS::Lambda::Alias")


def test_a_snapshot_or_ready_environments_are_a_parameter_away() -> None:
    assert _stack(GatewaySnapStart="true").properties(FUNCTION)["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    ready = _one(_stack(GatewayProvisionedConcurrency="3"), "AWS::Lambda::Alias")["ProvisionedConcurrencyConfig"]
    assert int(ready["ProvisionedConcurrentExecutions"]) == 3


def test_the_gateway_is_limited_only_where_somebody_says_so(stack: StaticStack) -> None:
    assert "ReservedConcurrentExecutions" not in stack.properties(FUNCTION)
    assert int(_stack(GatewayMaxConcurrency="50").properties(FUNCTION)["ReservedConcurrentExecutions"]) == 50


def test_the_api_calls_the_alias_and_may(stack: StaticStack) -> None:
    (alias,) = (name for name in stack.of_type("AWS::Lambda::Alias") if name.startswith(FUNCTION))
    reference = stack.resolve({"Ref": alias})
    paths = stack.properties("PublicApi")["Body"]["paths"]
    for path in ("/v1/{proxy+}", "/x-api-key/v1/{proxy+}"):
        integration = paths[path]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
        assert f"/functions/{reference}/" in integration["uri"]
    permissions = [name for name in stack.of_type("AWS::Lambda::Permission") if name.startswith(FUNCTION)]
    assert [stack.properties(name)["FunctionName"] for name in permissions] == [reference] * 2


def test_every_parameter_that_the_function_follows_makes_a_new_version(template: dict[str, Any]) -> None:
    """A version is what it was when it was published; SAM sees changes of the text alone, the description these."""
    properties = template["Resources"][FUNCTION]["Properties"]
    described = set(parameters_in(properties["VersionDescription"], template))
    # The alias has its own; policies and trust are the role's, the limit the function's, and names of tables stay.
    roles = ("ProvisionedConcurrencyConfig", "Policies", "AssumeRolePolicyDocument", "ReservedConcurrentExecutions")
    own = {key: value for key, value in properties.items() if key not in roles}
    assert described >= set(parameters_in(own, template))
    assert {"GatewayMemory", "EnableFleets"} < described


def test_a_changed_parameter_replaces_the_version(template: dict[str, Any]) -> None:
    layer = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:web-adapter:27"
    longest = "x" * template["Parameters"]["CorsOrigins"]["MaxLength"]
    changes: list[dict[str, str]] = [{}, {"GatewayMemory": "512"}, {"CorsOrigins": longest, "LwaLayerArn": layer}]
    described = [_one(_stack(**each), "AWS::Lambda::Version")["Description"] for each in changes]
    assert len(set(described)) == len(changes)
    assert all(len(text) <= 256 for text in described)


@pytest.mark.parametrize("layer", ["DependenciesLayer", "SpillwayLayer"])
def test_other_content_of_a_layer_is_another_version(layer: str) -> None:
    """``sam deploy`` puts each layer under a key of its content; the alias stays behind what no version is made for."""
    changed = source()
    changed["Resources"][layer]["Properties"]["ContentUri"] += "-as-changed"
    versions = [_published(transformed(template=each)) for each in (source(), changed)]
    assert versions[0] != versions[1]


def _published(document: dict[str, Any]) -> str:
    """Return the logical id of the gateway's version; CloudFormation publishes one only under a new id."""
    (version,) = (
        name
        for name, each in document["Resources"].items()
        if each["Type"] == "AWS::Lambda::Version" and name.startswith(FUNCTION)
    )
    return str(version)


def _trusted(stack: StaticStack) -> list[str]:
    role = stack.properties(f"{FUNCTION}Role")["AssumeRolePolicyDocument"]["Statement"]
    return [each["Principal"]["Service"] for each in role]


def _may(stack: StaticStack, action: str, table: str) -> bool:
    arn = stack.resolve({"Fn::GetAtt": [table, "Arn"]})
    policies = stack.properties(f"{FUNCTION}Role")["Policies"]
    statements = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
    return evaluate(statements, action, arn, {}).effect is Effect.ALLOW


def test_the_role_is_lambdas_alone_and_reads_no_keys_unless_there_is_a_server(stack: StaticStack) -> None:
    assert _trusted(stack) == ["lambda.amazonaws.com"]
    assert not _may(stack, "dynamodb:GetItem", "KeysTable")
    assert "GatewayServerInstanceProfile" not in stack.of_type("AWS::IAM::InstanceProfile")


@pytest.mark.parametrize(("where", "service"), [("ec2", "ec2.amazonaws.com"), ("ecs", "ecs-tasks.amazonaws.com")])
def test_a_server_takes_the_gateways_role_and_reads_keys(where: str, service: str) -> None:
    stack = _stack(GatewayServer=where)
    assert _trusted(stack) == ["lambda.amazonaws.com", service]
    assert _may(stack, "dynamodb:GetItem", "KeysTable")
    assert not _may(stack, "dynamodb:PutItem", "KeysTable")


def test_the_stack_prints_all_that_a_server_needs_to_know() -> None:
    stack = _stack(GatewayServer="ecs", EnableFleets="true", KeyCacheSeconds="15")
    text = stack.resolve(stack.template["Outputs"]["GatewayServerEnvironment"]["Value"])
    given = dict(line.split("=", 1) for line in text.split("\n"))
    config([], settings := Settings(given))
    assert settings.key_cache_seconds == 15
    lambdas = stack.properties(FUNCTION)["Environment"]["Variables"]
    ours = {name: value for name, value in lambdas.items() if not name.startswith("AWS_") and name != "SPILLWAY_STACK"}
    assert ours.items() <= given.items()
