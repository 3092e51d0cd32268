"""Which services may invoke a function or publish on a topic, as the template's permissions and policies say."""

from fnmatch import fnmatchcase
from typing import Any

from tests.sandbox.iam.evaluate import evaluate
from tests.sandbox.iam.static_stack import StaticStack
from tests.sandbox.runtime.deployed import Deployed
from tests.sandbox.runtime.intrinsics import TemplateError
from tests.sandbox.runtime.template_stack import TemplateStack

EVENTS = "events.amazonaws.com"
API_GATEWAY = "apigateway.amazonaws.com"


class InvokePermissions:
    """The ``AWS::Lambda::Permission`` resources of a stack."""

    def __init__(self, stack: TemplateStack) -> None:
        permissions = [stack.properties(name) for name in stack.of_type("AWS::Lambda::Permission")]
        self._known = [
            (function_name(each["FunctionName"]), each["Principal"], each.get("SourceArn", "*")) for each in permissions
        ]

    def allow(self, function: str, service: str, source_arn: str) -> bool:
        """Whether a service may invoke a function for this source."""
        name = function_name(function)
        return any(
            (name, service) == (known, principal) and fnmatchcase(source_arn, pattern)
            for known, principal, pattern in self._known
        )


class TopicPolicies:
    """The ``AWS::SNS::TopicPolicy`` resources of a stack."""

    def __init__(self, stack: TemplateStack | StaticStack) -> None:
        self._statements: dict[str, list[Any]] = {}
        for properties in map(stack.properties, stack.of_type("AWS::SNS::TopicPolicy")):
            for topic in properties["Topics"]:
                self._statements[topic] = properties["PolicyDocument"]["Statement"]

    def allow(self, topic: str, service: str) -> bool:
        """Whether a service may publish on a topic, telling nothing of what it publishes for.

        So EventBridge does: its guide says that a topic's policy may have no condition for it.
        """
        context = {"aws:PrincipalServiceName": service}
        return evaluate(self._statements.get(topic, []), "sns:Publish", topic, context).allowed


def check_api(deployed: Deployed) -> None:
    """Raise TemplateError for a route whose function API Gateway may not invoke: every request would be a 500."""
    permissions = InvokePermissions(deployed.stack)
    api, target = deployed.api, deployed.stack.target
    prefix = f"arn:aws:execute-api:{target.region}:{target.account}:{api.api_id}"
    for route in api.routes:
        method = "*" if route.method == "ANY" else route.method
        path = "/".join("*" if part.startswith("{") else part for part in route.resource.split("/"))
        if route.function and not permissions.allow(
            route.function, API_GATEWAY, f"{prefix}/{api.stage}/{method}{path}"
        ):
            raise TemplateError(f"API Gateway may not invoke {route.function} for {route.method} {route.resource}")
    for authorizer in api.authorizers.values():
        if not permissions.allow(authorizer.function, API_GATEWAY, f"{prefix}/authorizers/{authorizer.name}"):
            raise TemplateError(f"API Gateway may not invoke the authorizer {authorizer.function}")


def function_name(name_or_arn: str) -> str:
    """Return a function's bare name, without ARN and qualifier."""
    return name_or_arn.rpartition(":function:")[2].partition(":")[0]
