"""The stack and what the sandbox reads from it to run it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox.runtime.api_routes import Api, read_api
from tests.sandbox.runtime.fleet_door import FleetsApi
from tests.sandbox.runtime.functions import FunctionSpec
from tests.sandbox.runtime.intrinsics import TemplateError
from tests.sandbox.runtime.stack_functions import function_specs
from tests.sandbox.runtime.template_stack import Target, TemplateStack

FLEETS_PATH = "fleets"


@dataclass(frozen=True)
class Deployed:
    """A stack that stands, but for its custom resources."""

    stack: TemplateStack
    functions: tuple[FunctionSpec, ...]
    api: Api
    fleets: FleetsApi | None

    @property
    def role_arns(self) -> list[str]:
        """The ARNs of all roles in the stack."""
        return [self.stack.attribute(name, "Arn") for name in self.stack.of_type("AWS::IAM::Role")]

    def secret(self) -> str:
        """Return the generated admin key."""
        (logical_id,) = self.stack.of_type("AWS::SecretsManager::Secret")
        found = self.stack.client("secretsmanager").get_secret_value(SecretId=self.stack.ref(logical_id))
        return str(found["SecretString"])


def deploy(template: Mapping[str, Any], parameters: Mapping[str, str], target: Target, edge_url: str) -> Deployed:
    """Make the stack. The fleets' API is reached at ``edge_url`` instead of its own host name."""
    stack = TemplateStack(template, parameters, target)
    stack.create()
    fleets = fleets_api(stack)
    replaced = {"FLEETS_URL": f"{edge_url}/{fleets.stage}/{FLEETS_PATH}"} if fleets else {}
    return Deployed(stack, tuple(function_specs(stack, replaced)), _public_api(stack), fleets)


def _public_api(stack: TemplateStack) -> Api:
    """The API whose routes the template gives as a document is the public one."""
    for logical_id in stack.of_type("AWS::ApiGateway::RestApi"):
        properties = stack.properties(logical_id)
        if "Body" in properties:
            return read_api(properties["Body"], stack.ref(logical_id), _stage(stack, logical_id))
    raise TemplateError("the template has no API with routes")


def fleets_api(stack: TemplateStack) -> FleetsApi | None:
    """The API with resources of its own is the fleets'; its listener is the only one."""
    for logical_id in stack.of_type("AWS::ApiGateway::RestApi"):
        properties = stack.properties(logical_id)
        if "Body" not in properties:
            listeners = stack.of_type("AWS::ElasticLoadBalancingV2::Listener")
            api_id = stack.ref(logical_id)
            stage = _stage_properties(stack, logical_id)
            return FleetsApi(
                api_id=api_id,
                stage=str(stage["StageName"]),
                link_id=_link_id(stack, stage),
                listener_arn=stack.ref(listeners[0]) if listeners else None,
                policy=_full_arns(properties.get("Policy", {}).get("Statement", []), stack, api_id),
            )
    return None


def _full_arns(statements: list[dict[str, Any]], stack: TemplateStack, api_id: str) -> list[dict[str, Any]]:
    """An API's own policy names it in short (``execute-api:/*``); API Gateway fills in the rest."""
    prefix = f"arn:aws:execute-api:{stack.target.region}:{stack.target.account}:{api_id}/"
    return [each | {"Resource": each["Resource"].replace("execute-api:/", prefix)} for each in statements]


def _link_id(stack: TemplateStack, stage: Mapping[str, Any]) -> str:
    """Return the VPC link that a stage's deployment leads to.

    A deployment is a snapshot of the methods that stood when it was made; what they leave open is filled in by the
    variables of the stage.
    """
    made = list(stack.physical_ids())
    (deployment,) = (
        name for name in stack.of_type("AWS::ApiGateway::Deployment") if stack.ref(name) == stage["DeploymentId"]
    )
    stood = made[: made.index(deployment)]
    methods = [stack.properties(name) for name in stack.of_type("AWS::ApiGateway::Method") if name in stood]
    snapshot = [each for each in methods if each["RestApiId"] == stage["RestApiId"]]
    if not snapshot:
        raise TemplateError("The REST API doesn't contain any methods")
    (link,) = {str(each["Integration"].get("ConnectionId", "")) for each in snapshot}
    variables = stage.get("Variables", {})
    return re.sub(r"\$\{stageVariables\.(\w+)\}", lambda found: str(variables.get(found[1], "")), link)


def _stage(stack: TemplateStack, api: str) -> str:
    return str(_stage_properties(stack, api)["StageName"])


def _stage_properties(stack: TemplateStack, api: str) -> dict[str, Any]:
    for logical_id in stack.of_type("AWS::ApiGateway::Stage"):
        properties = stack.properties(logical_id)
        if properties["RestApiId"] == stack.ref(api):
            return properties
    raise TemplateError(f"{api} has no stage")
