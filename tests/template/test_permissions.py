"""What the roles let through, and above all what they don't."""

from typing import Any

import pytest

from spillway.domain.benchmarks.pricing import WORKER_GB
from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.domain.benchmarks.worker_orders import step_seconds
from tests.calls.record import Use
from tests.sandbox.iam.evaluate import evaluate
from tests.sandbox.iam.policies import RolePolicies
from tests.sandbox.iam.request import LaunchTemplate, Place
from tests.sandbox.iam.static_stack import StaticStack

EC2 = "arn:aws:ec2:us-east-1:123456789012:"
STATES = "arn:aws:states:us-east-1:123456789012:"
TAGS = [{"Key": "spillway:stack", "Value": "spillway"}, {"Key": "spillway:deployment", "Value": "llama"}]
OTHERS_TAGS = [{"Key": "spillway:stack", "Value": "another"}]
PROFILE = "arn:aws:iam::123456789012:instance-profile/spillway-FleetInstanceProfile-1A2B3C4D5E6F"


def _template(stack: str) -> LaunchTemplate:
    data = {
        "ImageId": "ami-0123456789abcdef0",
        "IamInstanceProfile": {"Arn": PROFILE},
        "NetworkInterfaces": [{"Groups": ["sg-0123456789abcdef0"]}],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume", "network-interface")
        ],
    }
    return LaunchTemplate(f"lt-{stack}", {"spillway:stack": stack}, data)


@pytest.fixture(scope="module")
def policies(fleet_stack: StaticStack) -> RolePolicies:
    place = Place(
        launch_template={"ours": _template("spillway"), "theirs": _template("another")}.get,
        profile_roles={PROFILE: fleet_stack.resolve({"Fn::GetAtt": ["FleetInstanceRole", "Arn"]})},
        vpc_id=fleet_stack.resolve({"Ref": "FleetVpc"}),
    )
    return RolePolicies(fleet_stack, place)


def refusal(policies: RolePolicies, function: str, service: str, operation: str, **params: Any) -> str | None:
    arn = next(arn for arn, role in policies.roles.items() if role == f"{function}FunctionRole")
    return policies.refusal(arn, service, operation, params)


def table(name: str) -> str:
    return f"spillway-{name}Table-1A2B3C4D5E6F"


def bus(name: str = "spillway") -> list[dict[str, str]]:
    return [{"Source": "spillway", "DetailType": "WakeRequested", "Detail": "{}", "EventBusName": name}]


def group(name: str, template: str) -> dict[str, Any]:
    policy = {"LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateName": template}}}
    return {
        "AutoScalingGroupName": name,
        "VPCZoneIdentifier": "subnet-0123456789abcdef0",
        "MixedInstancesPolicy": policy,
        "Tags": TAGS,
    }


def wake(attribute: str = "wake_requested_at", name: str = "Routes") -> dict[str, Any]:
    return {
        "TableName": table(name),
        "Key": {"name": {"S": "llama"}},
        "UpdateExpression": f"SET {attribute} = :now",
        "ConditionExpression": "attribute_exists(#name)",
        "ExpressionAttributeNames": {"#name": "name"},
    }


LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/balancer/0123456789abcdef/" + (
    "spillway-FleetListener-1A2B3C4D5E6F"
)


@pytest.mark.parametrize(
    ("function", "service", "operation", "params"),
    [
        ("ServeOpenai", "dynamodb", "GetItem", {"TableName": table("Routes"), "Key": {"name": {"S": "llama"}}}),
        ("ServeOpenai", "dynamodb", "UpdateItem", wake()),
        ("ServeOpenai", "events", "PutEvents", {"Entries": bus()}),
        ("ServeOpenai", "bedrock-runtime", "ConverseStream", {"modelId": "us.meta.llama3-3-70b-instruct-v1:0"}),
        (
            "ServeOpenai",
            "sagemaker-runtime",
            "InvokeEndpointWithResponseStream",
            {"EndpointName": "spillway-llama", "InferenceComponentName": "spillway-llama"},
        ),
        (
            "ServeOpenai",
            "execute-api",
            "Invoke",
            {
                "apiId": "spillway-FleetsApi-1A2B3C4D5E6F",
                "stage": "live",
                "method": "POST",
                "path": "/fleets/llama/v1/chat/completions",
            },
        ),
        (
            "AdvanceDeployment",
            "stepfunctions",
            "StopExecution",
            {"executionArn": f"{STATES}execution:spillway-deploy:a"},
        ),
        (
            "CheckUtilization",
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": f"{STATES}stateMachine:spillway-scale"},
        ),
        (
            "ReactToEvent",
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": f"{STATES}stateMachine:spillway-deploy"},
        ),
        (
            "AdvanceDeployment",
            "stepfunctions",
            "StopExecution",
            {"executionArn": f"{STATES}execution:spillway-retire:a"},
        ),
        (
            "AdvanceDeployment",
            "stepfunctions",
            "StopExecution",
            {"executionArn": f"{STATES}execution:spillway-benchmark:a"},
        ),
        (
            "ControlApi",
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": f"{STATES}stateMachine:spillway-benchmark"},
        ),
        ("DriveLoad", "dynamodb", "GetItem", {"TableName": table("Benchmarks"), "Key": {"deployment": {}, "id": {}}}),
        (
            "DriveLoad",
            "sagemaker-runtime",
            "InvokeEndpointWithResponseStream",
            {"EndpointName": "spillway-llama", "InferenceComponentName": "spillway-llama"},
        ),
        (
            "DriveLoad",
            "execute-api",
            "Invoke",
            {
                "apiId": "spillway-FleetsApi-1A2B3C4D5E6F",
                "stage": "live",
                "method": "POST",
                "path": "/fleets/llama/v1/chat/completions",
            },
        ),
        ("DriveFleet", "autoscaling", "CreateAutoScalingGroup", group("spillway-llama", "ours")),
        ("DriveFleet", "autoscaling", "UpdateAutoScalingGroup", group("spillway-llama", "ours")),
        ("DriveFleet", "ec2", "CreateLaunchTemplateVersion", {"LaunchTemplateName": "ours"}),
        ("DriveFleet", "ec2", "DeleteLaunchTemplate", {"LaunchTemplateId": "ours"}),
        ("DriveFleet", "elbv2", "CreateRule", {"ListenerArn": LISTENER, "Tags": TAGS}),
        ("DriveFleet", "elbv2", "DeleteRule", {"RuleArn": LISTENER.replace(":listener/", ":listener-rule/") + "/1"}),
        ("DriveFleet", "elbv2", "CreateTargetGroup", {"Name": "spillway-llama", "Tags": TAGS}),
        (
            "DriveFleet",
            "ec2",
            "CreateLaunchTemplate",
            {
                "LaunchTemplateName": "spillway-llama",
                "TagSpecifications": [{"ResourceType": "launch-template", "Tags": TAGS}],
            },
        ),
        (
            "DriveJumpstart",
            "sagemaker",
            "CreateModel",
            {
                "ModelName": "spillway-llama",
                "ExecutionRoleArn": "arn:aws:iam::123456789012:role/spillway-EndpointRole-1A2B3C4D5E6F",
                "Tags": TAGS,
            },
        ),
        (
            "DriveJumpstart",
            "sagemaker",
            "CreateEndpoint",
            {"EndpointName": "spillway-llama", "EndpointConfigName": "spillway-llama", "Tags": TAGS},
        ),
        (
            "DriveJumpstart",
            "sagemaker",
            "CreateInferenceComponent",
            {"InferenceComponentName": "spillway-llama", "EndpointName": "spillway-llama", "Tags": TAGS},
        ),
    ],
)
def test_allowed(policies: RolePolicies, function: str, service: str, operation: str, params: dict[str, Any]) -> None:
    assert refusal(policies, function, service, operation, **params) is None


@pytest.mark.parametrize(
    ("function", "service", "operation", "params", "action"),
    [
        # The gateway marks a wake on a route, and changes nothing else there.
        ("ServeOpenai", "dynamodb", "UpdateItem", wake("body"), "dynamodb:UpdateItem"),
        (
            "ServeOpenai",
            "dynamodb",
            "PutItem",
            {"TableName": table("Routes"), "Item": {"name": {}}},
            "dynamodb:PutItem",
        ),
        ("ServeOpenai", "dynamodb", "GetItem", {"TableName": table("Keys"), "Key": {"id": {}}}, "dynamodb:GetItem"),
        ("ServeOpenai", "events", "PutEvents", {"Entries": bus("default")}, "events:PutEvents"),
        (
            "ServeOpenai",
            "sagemaker-runtime",
            "InvokeEndpoint",
            {"EndpointName": "another-llama"},
            "sagemaker:InvokeEndpoint",
        ),
        # Load goes to instances alone, and a worker reads its stop button.
        (
            "DriveLoad",
            "bedrock-runtime",
            "ConverseStream",
            {"modelId": "us.meta.llama3-3-70b-instruct-v1:0"},
            "bedrock:InvokeModelWithResponseStream",
        ),
        (
            "DriveLoad",
            "dynamodb",
            "PutItem",
            {"TableName": table("Benchmarks"), "Item": {"id": {}}},
            "dynamodb:PutItem",
        ),
        (
            "AdvanceBenchmark",
            "dynamodb",
            "GetItem",
            {"TableName": table("Routes"), "Key": {"name": {}}},
            "dynamodb:GetItem",
        ),
        (
            "AuthorizeRequest",
            "dynamodb",
            "PutItem",
            {"TableName": table("Keys"), "Item": {"id": {}}},
            "dynamodb:PutItem",
        ),
        (
            "CheckUtilization",
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": f"{STATES}stateMachine:spillway-retire"},
            "states:StartExecution",
        ),
        (
            "AdvanceDeployment",
            "stepfunctions",
            "StopExecution",
            {"executionArn": f"{STATES}execution:another-deploy:a"},
            "states:StopExecution",
        ),
        # What belongs to others stays theirs, by name or by tag.
        ("DriveFleet", "ec2", "DeleteLaunchTemplate", {"LaunchTemplateId": "theirs"}, "ec2:DeleteLaunchTemplate"),
        (
            "DriveFleet",
            "ec2",
            "CreateLaunchTemplateVersion",
            {"LaunchTemplateName": "theirs"},
            "ec2:CreateLaunchTemplateVersion",
        ),
        ("DriveFleet", "autoscaling", "CreateAutoScalingGroup", group("spillway-llama", "theirs"), "ec2:RunInstances"),
        ("DriveFleet", "autoscaling", "UpdateAutoScalingGroup", group("spillway-llama", "theirs"), "ec2:RunInstances"),
        (
            "DriveFleet",
            "autoscaling",
            "CreateAutoScalingGroup",
            group("another-llama", "ours"),
            "autoscaling:CreateAutoScalingGroup",
        ),
        (
            "DriveFleet",
            "ec2",
            "CreateLaunchTemplate",
            {
                "LaunchTemplateName": "spillway-llama",
                "TagSpecifications": [{"ResourceType": "launch-template", "Tags": OTHERS_TAGS}],
            },
            "ec2:CreateLaunchTemplate",
        ),
        (
            "DriveFleet",
            "elbv2",
            "CreateRule",
            {"ListenerArn": LISTENER.replace("spillway", "another"), "Tags": TAGS},
            "elasticloadbalancing:CreateRule",
        ),
        ("DriveFleet", "sagemaker", "DeleteModel", {"ModelName": "spillway-llama"}, "sagemaker:DeleteModel"),
        (
            "DriveJumpstart",
            "sagemaker",
            "DeleteEndpoint",
            {"EndpointName": "another-llama"},
            "sagemaker:DeleteEndpoint",
        ),
        (
            "DriveJumpstart",
            "sagemaker",
            "CreateModel",
            {"ModelName": "spillway-llama", "ExecutionRoleArn": "arn:aws:iam::123456789012:role/admin", "Tags": TAGS},
            "iam:PassRole",
        ),
        (
            "SeedAdminKey",
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": "arn:aws:secretsmanager:us-east-1:123456789012:secret:other"},
            "secretsmanager:GetSecretValue",
        ),
    ],
)
def test_refused(
    policies: RolePolicies, function: str, service: str, operation: str, params: dict[str, Any], action: str
) -> None:
    sentence = refusal(policies, function, service, operation, **params)
    assert sentence is not None
    assert f"may not do {action} on " in sentence


def test_what_let_a_call_through_is_kept_as_the_template_names_it(fleet_stack: StaticStack) -> None:
    policies = RolePolicies(fleet_stack, Place())
    both = {"EndpointName": "spillway-llama", "EndpointConfigName": "spillway-llama"}
    assert refusal(policies, "DriveJumpstart", "sagemaker", "CreateEndpoint", **both) is None
    assert refusal(policies, "AuthorizeRequest", "dynamodb", "GetItem", TableName=table("Keys"), Key={}) is None
    ours = "sagemaker:${AWS::Region}:${AWS::AccountId}:"
    assert policies.used == {
        Use("DriveJumpstartFunctionRole", "sagemaker:CreateEndpoint", f"{ours}endpoint/${{AWS::StackName}}-*"),
        Use("DriveJumpstartFunctionRole", "sagemaker:CreateEndpoint", f"{ours}endpoint-config/${{AWS::StackName}}-*"),
        Use("AuthorizeRequestFunctionRole", "dynamodb:GetItem", "KeysTable"),
    }


def test_a_call_that_was_denied_has_used_nothing(fleet_stack: StaticStack) -> None:
    policies = RolePolicies(fleet_stack, Place())
    # The endpoint's own permission is there, that of another stack's configuration is not.
    another = {"EndpointName": "spillway-llama", "EndpointConfigName": "another-llama"}
    assert refusal(policies, "DriveJumpstart", "sagemaker", "CreateEndpoint", **another) is not None
    assert policies.used == set()


def test_a_distributed_maps_role_may_start_and_watch_its_own_executions_alone(policies: RolePolicies) -> None:
    (arn,) = [arn for arn, role in policies.roles.items() if role == "BenchmarkWorkflowRole"]

    def may(operation: str, **params: str) -> bool:
        return policies.refusal(arn, "stepfunctions", operation, params) is None

    child = f"{STATES}execution:spillway-benchmark/Load:a"
    assert may("StartExecution", stateMachineArn=f"{STATES}stateMachine:spillway-benchmark")
    assert not may("StartExecution", stateMachineArn=f"{STATES}stateMachine:spillway-deploy")
    assert may("DescribeExecution", executionArn=child)
    assert may("StopExecution", executionArn=child)
    assert not may("StopExecution", executionArn=f"{STATES}execution:spillway-deploy:a")


def test_the_load_functions_memory_is_what_benchmarks_are_priced_by(stack: StaticStack) -> None:
    assert stack.properties("DriveLoadFunction")["MemorySize"] == WORKER_GB * 1024
    longest = BenchmarkSpec.model_fields["seconds_per_step"].metadata[1].le
    assert stack.properties("DriveLoadFunction")["Timeout"] > step_seconds(longest)


def test_without_fleets_the_fleet_driver_can_make_nothing(stack: StaticStack) -> None:
    policies = RolePolicies(stack, Place())
    assert refusal(policies, "DriveFleet", "ec2", "DescribeImages") is not None


def _may_subscribe(stack: StaticStack, through: str | None) -> set[str]:
    """Return the roles that may subscribe the account to a model; ``through`` is the service that asks for them."""
    policies, context = RolePolicies(stack, Place()), {"aws:CalledViaLast": through} if through else {}
    return {
        role
        for role in policies.roles.values()
        if any(
            evaluate(policies.statements(role), f"aws-marketplace:{action}", "*", context).allowed
            for action in ("Subscribe", "ViewSubscriptions", "Unsubscribe")
        )
    }


def test_only_the_smoke_test_may_subscribe_to_models_only_through_bedrock_and_only_if_told_to(
    stack: StaticStack, fleet_stack: StaticStack
) -> None:
    assert _may_subscribe(stack, "bedrock.amazonaws.com") == set()
    assert _may_subscribe(fleet_stack, "bedrock.amazonaws.com") == {"SmokeTestFunctionRole"}
    for through in (None, "sagemaker.amazonaws.com"):
        assert _may_subscribe(fleet_stack, through) == set()


# Calls that need a permission which depends on a tag of the resource, by the action.
ON_A_TAG: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "bedrock:DeleteImportedModel": ("DriveImport", "bedrock", "DeleteImportedModel", {"modelIdentifier": "gone"}),
    "ec2:CreateLaunchTemplateVersion": (
        "DriveFleet",
        "ec2",
        "CreateLaunchTemplateVersion",
        {"LaunchTemplateName": "gone"},
    ),
    "ec2:DeleteLaunchTemplate": ("DriveFleet", "ec2", "DeleteLaunchTemplate", {"LaunchTemplateId": "gone"}),
    "ec2:RunInstances": ("DriveFleet", "autoscaling", "CreateAutoScalingGroup", group("spillway-llama", "gone")),
}


def _actions_on_a_tag(stack: StaticStack) -> set[str]:
    kinds = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
    properties = [stack.properties(name) for kind in kinds for name in stack.of_type(kind)]
    documents = [
        each["PolicyDocument"]
        for one in properties
        for each in [*one.get("Policies", []), one]
        if "PolicyDocument" in each
    ]
    return {
        action
        for document in documents
        for statement in document["Statement"]
        if "aws:ResourceTag" in str(statement.get("Condition"))
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_a_permission_on_a_tag_is_none_on_what_is_not_there(policies: RolePolicies, fleet_stack: StaticStack) -> None:
    assert _actions_on_a_tag(fleet_stack) == set(ON_A_TAG)
    for action, (function, service, operation, params) in ON_A_TAG.items():
        assert f"may not do {action} on " in str(refusal(policies, function, service, operation, **params))


@pytest.mark.parametrize(
    ("key", "name", "is_allowed"),
    [
        ("llama#engines#5981234", "Loads", True),
        # What deployments were asked is the gateway's to say.
        ("llama#traffic#5981234", "Loads", False),
        ("llama#engines#5981234", "Usage", False),
    ],
)
def test_an_instance_tells_how_full_its_engine_is_and_nothing_else(
    policies: RolePolicies, key: str, name: str, is_allowed: bool
) -> None:
    arn = next(arn for arn, role in policies.roles.items() if role == "FleetInstanceRole")
    told = {
        "TableName": table(name),
        "Key": {"id": {"S": key}},
        "UpdateExpression": "SET #instance = :gauges, expires_at = :expires",
        "ExpressionAttributeNames": {"#instance": "i-0aaaaaaaaaaaaaaaa"},
    }
    assert (policies.refusal(arn, "dynamodb", "UpdateItem", told) is None) is is_allowed
