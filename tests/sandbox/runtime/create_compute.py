"""Creators for roles, functions, workflows, events and APIs."""

import base64
import json
from typing import Any

from tests.sandbox.runtime.creation import Creator, Made, Order
from tests.sandbox.runtime.intrinsics import TemplateError

# An empty archive: moto keeps it and nobody opens it, because the runtime runs the code from the repository.
_EMPTY_ZIP = base64.b64decode("UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==")
_DEFAULT_BUS = "default"
_ENVIRONMENT_BYTES = 4096


def _role(order: Order) -> Made:
    name = order.name(order.get("RoleName"))
    made = order.client("iam").create_role(
        RoleName=name,
        Path=order.get("Path", "/"),
        AssumeRolePolicyDocument=json.dumps(order.get("AssumeRolePolicyDocument")),
    )["Role"]
    return Made(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def _instance_profile(order: Order) -> Made:
    name = order.name(order.get("InstanceProfileName"))
    made = order.client("iam").create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    for role in order.get("Roles", []):
        order.client("iam").add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return Made(name, {"Arn": made["Arn"]})


def _function(order: Order) -> Made:
    name = order.name(order.get("FunctionName"))
    variables = order.get("Environment", {}).get("Variables", {})
    if (size := len(json.dumps(variables, separators=(",", ":")).encode())) > _ENVIRONMENT_BYTES:
        raise TemplateError(f"{name}: its environment variables have {size} bytes, {_ENVIRONMENT_BYTES} are allowed")
    made = order.client("lambda").create_function(
        FunctionName=name,
        Role=order.get("Role"),
        Code={"ZipFile": _EMPTY_ZIP},
        **order.only("Runtime", "Handler", "Timeout", "MemorySize", "Architectures", "Environment"),
    )
    return Made(name, {"Arn": made["FunctionArn"]})


def _version(order: Order) -> Made:
    # moto publishes nothing for code that it never runs; the runtime strips qualifiers.
    name = order.get("FunctionName").rpartition(":")[2]
    return Made(order.arn("lambda", f"function:{name}:1"), {"Version": "1"})


def _alias(order: Order) -> Made:
    name = order.get("FunctionName").rpartition(":")[2]
    arn = order.arn("lambda", f"function:{name}:{order.get('Name')}")
    return Made(arn, {"AliasArn": arn})


def _state_machine(order: Order) -> Made:
    definition = order.get("DefinitionString") or json.dumps(order.get("Definition"))
    name = order.name(order.get("StateMachineName"), 80)
    made = order.client("stepfunctions").create_state_machine(
        name=name,
        definition=definition,
        roleArn=order.get("RoleArn"),
        type=order.get("StateMachineType", "STANDARD"),
    )
    return Made(made["stateMachineArn"], {"Arn": made["stateMachineArn"], "Name": name})


def _event_bus(order: Order) -> Made:
    name = order.name(order.get("Name"))
    made = order.client("events").create_event_bus(Name=name)
    return Made(name, {"Arn": made["EventBusArn"], "Name": name})


def _rule(order: Order) -> Made:
    name = order.name(order.get("Name"))
    bus = order.get("EventBusName", _DEFAULT_BUS)
    wish: dict[str, Any] = {"Name": name, "State": order.get("State", "ENABLED")}
    if bus != _DEFAULT_BUS:
        wish["EventBusName"] = bus
    if pattern := order.get("EventPattern"):
        wish["EventPattern"] = json.dumps(pattern)
    wish |= order.only("ScheduleExpression", "Description")
    made = order.client("events").put_rule(**wish)
    targets = [_strings(target) for target in order.get("Targets", [])]
    order.client("events").put_targets(Rule=name, EventBusName=bus, Targets=targets)
    return Made(name, {"Arn": made["RuleArn"]})


def _strings(target: dict[str, Any]) -> dict[str, Any]:
    policy = target.get("RetryPolicy")
    if not policy:
        return target
    return target | {"RetryPolicy": {key: int(value) for key, value in policy.items()}}


def _schedule(order: Order) -> Made:
    name = order.name(order.get("Name"))
    kept = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target", "State", "Description")
    made = order.client("scheduler").create_schedule(Name=name, **order.only(*kept))
    return Made(name, {"Arn": made["ScheduleArn"]})


def _rest_api(order: Order) -> Made:
    title = order.get("Name") or order.get("Body", {}).get("info", {}).get("title") or order.logical_id
    made = order.client("apigateway").create_rest_api(name=str(title))
    roots = order.client("apigateway").get_resources(restApiId=made["id"])["items"]
    return Made(made["id"], {"RestApiId": made["id"], "RootResourceId": roots[0]["id"]})


def _api_resource(order: Order) -> Made:
    made = order.client("apigateway").create_resource(
        restApiId=order.get("RestApiId"), parentId=order.get("ParentId"), pathPart=order.get("PathPart")
    )
    return Made(made["id"], {"ResourceId": made["id"]})


def _named(attribute: str) -> Creator:
    """A resource that only its parts' identifiers are needed of; ``Ref`` is the property ``attribute``."""
    return lambda order: Made(str(order.get(attribute) or order.name()), {})


CREATORS: dict[str, Creator] = {
    "AWS::ApiGateway::Deployment": _named("Id"),
    # The sandbox's own front reads methods from the template.
    "AWS::ApiGateway::Method": _named("HttpMethod"),
    "AWS::ApiGateway::Resource": _api_resource,
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _named("StageName"),
    "AWS::Events::EventBus": _event_bus,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::InstanceProfile": _instance_profile,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _named("LayerName"),
    "AWS::Lambda::Version": _version,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::StepFunctions::StateMachine": _state_machine,
}
