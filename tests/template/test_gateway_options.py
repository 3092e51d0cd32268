"""What the template offers against the gateway's cold starts, and that a changed parameter reaches what answers."""

import re
from collections.abc import Iterator
from typing import Any

from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import transformed

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


def test_the_api_calls_the_alias_and_may(stack: StaticStack) -> None:
    (alias,) = (name for name in stack.of_type("AWS::Lambda::Alias") if name.startswith(FUNCTION))
    reference = stack.resolve({"Ref": alias})
    path = stack.properties("PublicApi")["Body"]["paths"]["/v1/{proxy+}"]["x-amazon-apigateway-any-method"]
    assert f"/functions/{reference}/" in path["x-amazon-apigateway-integration"]["uri"]
    assert _one(stack, "AWS::Lambda::Permission")["FunctionName"] == reference


def test_every_parameter_that_the_function_follows_makes_a_new_version(template: dict[str, Any]) -> None:
    """A version is what it was when it was published; SAM sees changes of the text alone, the description these."""
    properties = template["Resources"][FUNCTION]["Properties"]
    described = set(re.findall(r"\$\{(\w+)\}", properties["VersionDescription"]["Fn::Sub"]))
    # The alias has its own; policies are the role's, and names of tables and groups stay.
    own = {key: value for key, value in properties.items() if key not in ("ProvisionedConcurrencyConfig", "Policies")}
    assert described >= set(_parameters(own, template))
    assert {"GatewayMemory", "EnableFleets"} < described


def test_a_changed_parameter_replaces_the_version() -> None:
    described = [_one(_stack(GatewayMemory=size), "AWS::Lambda::Version")["Description"] for size in ("256", "512")]
    assert described[0] != described[1]
    assert all(len(text) <= 256 for text in described)


def _parameters(value: Any, template: dict[str, Any]) -> Iterator[str]:
    """Find every parameter that a value depends on, through conditions too."""
    if isinstance(value, list):
        for each in value:
            yield from _parameters(each, template)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref" and inner in template["Parameters"]:
                yield inner
            elif key == "Condition" or key == "Fn::If":
                name = inner if key == "Condition" else inner[0]
                yield from _parameters(template["Conditions"].get(name, {}), template)
            elif key == "Fn::Sub" and isinstance(inner, str):
                yield from (name for name in re.findall(r"\$\{(\w+)\}", inner) if name in template["Parameters"])
            yield from _parameters(inner, template)
