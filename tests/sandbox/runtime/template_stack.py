"""The SAM-transformed template as a stack on the emulated AWS, made resource by resource in order of need."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.sandbox.runtime import create_compute, create_data, create_network
from tests.sandbox.runtime.creation import Clients, Made, Order
from tests.sandbox.runtime.intrinsics import Intrinsics, TemplateError
from tests.sandbox.runtime.rules import refusals

CREATORS = create_data.CREATORS | create_network.CREATORS | create_compute.CREATORS

# Types in the template that are not made, and why nothing is lost by it.
NOT_MADE = {
    "AWS::ApiGateway::Account": "an account-wide setting for API Gateway's own logs",
    "AWS::ApiGateway::UsagePlan": "quotas of API Gateway's own keys, which the front does not count",
    "AWS::CloudWatch::Alarm": "nothing evaluates alarms here; the template tests read them",
    "AWS::CloudWatch::Dashboard": "nobody looks at it",
    "AWS::Events::EventBusPolicy": "resource policies are evaluated from the template",
    "AWS::IAM::ManagedPolicy": "policies are evaluated from the template",
    "AWS::IAM::Policy": "policies are evaluated from the template",
    "AWS::IAM::RolePolicy": "policies are evaluated from the template",
    "AWS::Lambda::EventInvokeConfig": "the runtime reads it from the template",
    "AWS::Lambda::Permission": "resource policies are evaluated from the template",
    "AWS::Logs::ResourcePolicy": "resource policies are evaluated from the template",
    "AWS::SNS::TopicPolicy": "resource policies are evaluated from the template",
    "AWS::SQS::QueuePolicy": "resource policies are evaluated from the template",
    "AWS::WAFv2::WebACLAssociation": "the sandbox has no web firewall",
}


@dataclass(frozen=True)
class Target:
    """Where a stack is made."""

    endpoint_url: str
    region: str
    account: str
    stack: str = "spillway"

    @property
    def stack_id(self) -> str:
        """The stack's ARN."""
        return f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{self.stack}/sandbox"


class TemplateStack:
    """Makes the resources of a transformed template whose conditions hold, and answers for what they became."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], target: Target) -> None:
        self.template = template
        self.target = target
        self.client = Clients(target.endpoint_url, target.region)
        self.resources: Mapping[str, Mapping[str, Any]] = template["Resources"]
        self._made: dict[str, Made] = {}
        self._making: list[str] = []
        self._custom: dict[str, Made] = {}
        self._parameters = parameters
        self._all_values = self._values(parameters)
        self._intrinsics = Intrinsics(
            template, self._all_values, self.ref, self.attribute, dynamic=self._dynamic_reference
        )

    def create(self) -> None:
        """Make everything but the custom resources, which need the functions to run; nothing if a rule refuses it."""
        for refusal in refusals(self.template, self._parameters, self._all_values):
            raise TemplateError(refusal)
        for logical_id in self.resources:
            if self.exists(logical_id) and not self.is_custom(logical_id):
                self._made_resource(logical_id)

    def holds(self, condition: str) -> bool:
        """Return whether a condition holds."""
        return self._intrinsics.condition(condition)

    def exists(self, logical_id: str) -> bool:
        """Return whether a resource's condition holds."""
        condition = self.resources[logical_id].get("Condition")
        return True if condition is None else self._intrinsics.condition(condition)

    def is_custom(self, logical_id: str) -> bool:
        """Return whether a resource is made by a function of the template's own."""
        kind = str(self.resources[logical_id]["Type"])
        return kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"

    def of_type(self, kind: str) -> list[str]:
        """Return the logical ids of a type whose condition holds."""
        return [name for name, each in self.resources.items() if each["Type"] == kind and self.exists(name)]

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Return a resource's properties, resolved."""
        try:
            resolved: dict[str, Any] = self._intrinsics.resolve(self.resources[logical_id].get("Properties", {}))
        except TemplateError as err:
            raise TemplateError(f"{logical_id}: {err}") from err
        return resolved

    def resolve(self, value: Any) -> Any:
        """Resolve any value of the template."""
        return self._intrinsics.resolve(value)

    def ref(self, logical_id: str) -> Any:
        """Return what ``Ref`` gives, making the resource if it is not there yet."""
        return self._made_resource(logical_id).id

    def attribute(self, logical_id: str, name: str) -> Any:
        """Return what ``Fn::GetAtt`` gives."""
        made = self._made_resource(logical_id)
        if name not in made.attributes:
            raise TemplateError(f"the sandbox gives {logical_id} no attribute {name}")
        return made.attributes[name]

    def set_custom(self, logical_id: str, made: Made) -> None:
        """Record what a custom resource's function answered."""
        self._made[logical_id] = made

    def with_parameters(self, parameters: Mapping[str, str]) -> "TemplateStack":
        """Return the stack as other parameters would have it, with what was made for these."""
        changed = TemplateStack(self.template, parameters, self.target)
        changed._made = dict(self._made)
        return changed

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs whose conditions hold."""
        kept = {
            name: each
            for name, each in self.template.get("Outputs", {}).items()
            if "Condition" not in each or self._intrinsics.condition(each["Condition"])
        }
        return {name: self._intrinsics.resolve(each["Value"]) for name, each in kept.items()}

    def physical_ids(self) -> dict[str, str]:
        """Return what was made, by logical id."""
        return {name: made.id for name, made in self._made.items()}

    def _made_resource(self, logical_id: str) -> Made:
        if logical_id in self._made:
            return self._made[logical_id]
        if logical_id not in self.resources:
            raise TemplateError(f"{self._place()} names {logical_id}, which is not in the template")
        if not self.exists(logical_id):
            raise TemplateError(f"{self._place()} needs {logical_id}, whose condition does not hold")
        if logical_id in self._making:
            raise TemplateError(f"circular dependency: {' -> '.join([*self._making, logical_id])}")
        self._making.append(logical_id)
        try:
            self._made[logical_id] = self._make(logical_id)
        finally:
            self._making.pop()
        return self._made[logical_id]

    def _make(self, logical_id: str) -> Made:
        resource = self.resources[logical_id]
        kind = resource["Type"]
        if self.is_custom(logical_id):
            return Made(
                logical_id
            )  # its function, which answers with an id of its own, runs only once all else is made
        if kind in NOT_MADE:
            return Made(f"{self.target.stack}-{logical_id}")
        if kind not in CREATORS:
            raise TemplateError(f"{logical_id} is an {kind}: tell tests/sandbox/runtime how to make one, or why not to")
        depends = resource.get("DependsOn", [])
        for other in [depends] if isinstance(depends, str) else depends:
            if self.exists(other) and not self.is_custom(other):
                self._made_resource(other)
        properties = self.properties(logical_id)
        if kind == "AWS::StepFunctions::StateMachine":
            properties["DefinitionString"] = definition(logical_id, properties)
        order = Order(self.client, self.target.stack, self.target.region, self.target.account, logical_id, properties)
        return CREATORS[kind](order)

    def _place(self) -> str:
        return self._making[-1] if self._making else "the template"

    def _values(self, given: Mapping[str, str]) -> dict[str, Any]:
        values: dict[str, Any] = {
            "AWS::AccountId": self.target.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": self.target.region,
            "AWS::StackId": self.target.stack_id,
            "AWS::StackName": self.target.stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
        for name, parameter in self.template.get("Parameters", {}).items():
            value = given.get(name, parameter.get("Default"))
            if value is None:
                raise TemplateError(f"parameter {name} has no default and no value was given")
            kind = str(parameter["Type"])
            values[name] = self._parameter_value(kind, value)
        return values

    def _parameter_value(self, kind: str, value: Any) -> Any:
        if kind.startswith("AWS::SSM::Parameter::Value"):
            return self.client("ssm").get_parameter(Name=value)["Parameter"]["Value"]
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [part.strip() for part in str(value).split(",") if part.strip()]
        return value

    def _dynamic_reference(self, service: str, reference: str) -> str:
        if service == "ssm":
            return str(self.client("ssm").get_parameter(Name=reference)["Parameter"]["Value"])
        raise TemplateError(f"{self._place()} has a dynamic reference to {service}")


def definition(logical_id: str, properties: Mapping[str, Any]) -> str:
    """Return a state machine's definition with its substitutions made; raise TemplateError for one that is missing."""
    text = properties.get("DefinitionString") or _document(properties)
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        text = text.replace("${" + name + "}", str(value))
    if missing := sorted(set(re.findall(r"\$\{([^}]+)\}", text))):
        raise TemplateError(f"{logical_id} names substitutions that the template does not give: {', '.join(missing)}")
    return text


def _document(properties: Mapping[str, Any]) -> str:
    if "Definition" in properties:
        return json.dumps(properties["Definition"])
    location = properties["DefinitionS3Location"]
    if isinstance(location, str) and Path(location).exists():
        return json.dumps(yaml.safe_load(Path(location).read_text()))
    raise TemplateError(f"the definition at {location} is not a file")
