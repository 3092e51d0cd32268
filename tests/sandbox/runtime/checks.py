"""Permission checks of what the emulated services do on behalf of roles: tasks, deliveries, functions' calls."""

from collections.abc import Mapping
from typing import Any

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.runtime.deployed import Deployed
from tests.sandbox.runtime.permissions import Evaluate, Permissions, Refusal
from tests.sandbox.runtime.resource_policies import EVENTS, InvokePermissions, TopicPolicies
from tests.sandbox.runtime.signatures import read_scope

# A state machine's or a target's service, as boto3 names the client.
_CLIENTS = {"states": "stepfunctions"}
# What EventBridge and Scheduler call on a target, by the service in its ARN.
_TARGET_CALLS = {
    "lambda": ("lambda", "Invoke", "FunctionName"),
    "states": ("stepfunctions", "StartExecution", "stateMachineArn"),
    "sqs": ("sqs", "SendMessage", "QueueUrl"),
    "sns": ("sns", "Publish", "TopicArn"),
    "events": ("events", "PutEvents", "EventBusName"),
}


class Checks:
    """Knows the stack's roles once it stands; before that, nothing calls."""

    def __init__(self) -> None:
        self.permissions = Permissions(self._decide)
        self._evaluate: Evaluate | None = None
        self._roles: dict[str, str] = {}
        self._invokers: InvokePermissions | None = None
        self._topics: TopicPolicies | None = None

    def know(self, deployed: Deployed, evaluate: Evaluate) -> None:
        """Take the roles, and the state machines' among them, from the stack."""
        stack = deployed.stack
        self._evaluate = evaluate
        self._invokers = InvokePermissions(stack)
        self._topics = TopicPolicies(stack)
        self.permissions.know(deployed.role_arns)
        for logical_id in stack.of_type("AWS::StepFunctions::StateMachine"):
            self._roles[stack.ref(logical_id)] = stack.properties(logical_id)["RoleArn"]

    def before_task(self, machine_arn: str, resource: str, params: dict[str, Any]) -> None:
        """Check a Task against the state machine's role; raise AwsError."""
        parts = resource.split(":::")[-1].split(".")[0].split(":")
        service, operation = parts[-2], parts[-1]
        self._check(
            self._roles[machine_arn], _CLIENTS.get(service, service), operation[:1].upper() + operation[1:], params
        )

    def before_delivery(self, source_arn: str, target: dict[str, Any]) -> None:
        """Check a delivery against the role that the target names; one without a role needs the resource's policy."""
        arn = str(target["Arn"])
        service, operation, parameter = _TARGET_CALLS[arn.split(":")[2]]
        if role := target.get("RoleArn"):
            self._check(role, service, operation, {parameter: arn})
        elif not self._lets_in(service, arn, source_arn):
            message = self.permissions.deny(source_arn, service, operation, f"{arn} gives EventBridge no permission")
            raise AwsError("AccessDeniedException", message, 403)

    def may_subscribe(self, headers: Mapping[str, str]) -> bool:
        """Whether the role that signed a call to Bedrock may subscribe the account to a model by it."""
        scope = read_scope(headers)
        if scope is None:
            return False
        return self.permissions.refusal_of_key(scope.access_key_id, "aws-marketplace", "Subscribe", {}) is None

    def _lets_in(self, service: str, arn: str, source_arn: str) -> bool:
        """Whether the target's own policy lets EventBridge in."""
        match service:
            case "lambda":
                return self._invokers is not None and self._invokers.allow(arn, EVENTS, source_arn)
            case "sns":
                return self._topics is not None and self._topics.allow(arn, EVENTS)
            case _:
                return True

    def _check(self, role: str, service: str, operation: str, params: Mapping[str, Any]) -> None:
        message = self.permissions.refusal(role, service, operation, params)
        if message is not None:
            raise AwsError("AccessDeniedException", message, 403)

    def _decide(self, role: str, service: str, operation: str, params: Mapping[str, Any]) -> Refusal | None:
        if self._evaluate is None:
            return Refusal("the stack does not stand yet")
        return self._evaluate(role, service, operation, params)
