"""A transformed template whose references resolve to plausible names, without making anything."""

from collections.abc import Mapping
from typing import Any

from tests.sandbox.runtime.intrinsics import Intrinsics

_SUFFIX = "1A2B3C4D5E6F"

# What Ref gives where it isn't the physical name: the ARN.
_REF_IS_ARN = frozenset(
    {
        "AWS::SNS::Topic",
        "AWS::StepFunctions::StateMachine",
        "AWS::SecretsManager::Secret",
        "AWS::IAM::ManagedPolicy",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::ElasticLoadBalancingV2::Listener",
    }
)
# The resource part of an ARN by type; {} is the physical name.
_ARNS = {
    "AWS::DynamoDB::Table": ("dynamodb", "table/{}"),
    "AWS::ElasticLoadBalancingV2::Listener": ("elasticloadbalancing", "listener/app/balancer/0123456789abcdef/{}"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("elasticloadbalancing", "loadbalancer/app/{}/0123456789abcdef"),
    "AWS::Events::EventBus": ("events", "event-bus/{}"),
    "AWS::Events::Rule": ("events", "rule/{}"),
    "AWS::IAM::InstanceProfile": ("iam", "instance-profile/{}"),
    "AWS::IAM::ManagedPolicy": ("iam", "policy/{}"),
    "AWS::IAM::Role": ("iam", "role/{}"),
    "AWS::Lambda::Function": ("lambda", "function:{}"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{}:*"),
    "AWS::SNS::Topic": ("sns", "{}"),
    "AWS::SQS::Queue": ("sqs", "{}"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "secret:{}"),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:{}"),
}
# The properties that give a resource its physical name.
_NAMES = {
    "AWS::Events::EventBus": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}


class StaticStack:
    """Implements what policies and template tests ask of a stack."""

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, str] | None = None,
        *,
        stack: str = "spillway",
        region: str = "us-east-1",
        account: str = "123456789012",
    ) -> None:
        self.template = template
        self._stack, self._region, self._account = stack, region, account
        given = parameters or {}
        values = {
            "AWS::AccountId": account,
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{stack}/{_SUFFIX}",
            "AWS::StackName": stack,
            "AWS::URLSuffix": "amazonaws.com",
            **{name: given.get(name, each.get("Default")) for name, each in template["Parameters"].items()},
        }
        self._intrinsics = Intrinsics(template, values, self._ref, self._attribute)

    def holds(self, condition: str) -> bool:
        """Return whether a condition holds."""
        return self._intrinsics.condition(condition)

    def exists(self, logical_id: str) -> bool:
        """Whether a resource's condition holds."""
        condition = self.template["Resources"][logical_id].get("Condition")
        return condition is None or self._intrinsics.condition(condition)

    def resolve(self, value: Any) -> Any:
        """Return a value with its intrinsic functions evaluated."""
        return self._intrinsics.resolve(value)

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Return a resource's properties, resolved."""
        resolved: dict[str, Any] = self.resolve(self.template["Resources"][logical_id].get("Properties", {}))
        return resolved

    def of_type(self, kind: str) -> list[str]:
        """Return the logical ids of a type whose condition holds."""
        resources = self.template["Resources"]
        return [name for name, each in resources.items() if each["Type"] == kind and self.exists(name)]

    def _kind(self, logical_id: str) -> str:
        # A KeyError names the resource that the template refers to and does not have.
        return str(self.template["Resources"][logical_id]["Type"])

    def _name(self, logical_id: str) -> str:
        properties = self.template["Resources"][logical_id].get("Properties", {})
        named = properties.get(_NAMES.get(self._kind(logical_id), ""))
        return str(self.resolve(named)) if named else f"{self._stack}-{logical_id}-{_SUFFIX}"

    def _ref(self, logical_id: str) -> str:
        return self._arn(logical_id) if self._kind(logical_id) in _REF_IS_ARN else self._name(logical_id)

    def _attribute(self, logical_id: str, attribute: str) -> str:
        if attribute in ("Arn", "TopicArn"):
            return self._arn(logical_id)
        if attribute == "CidrBlock":
            return str(self.properties(logical_id)["CidrBlock"])
        return f"{self._name(logical_id)}.{attribute}"

    def _arn(self, logical_id: str) -> str:
        service, pattern = _ARNS[self._kind(logical_id)]
        region = "" if service == "iam" else self._region
        return f"arn:aws:{service}:{region}:{self._account}:{pattern.format(self._name(logical_id))}"
