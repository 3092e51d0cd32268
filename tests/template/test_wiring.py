"""The transformed template's resources lead to each other, and each check is shown to fail when they don't."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.sandbox.iam.static_stack import StaticStack
from tests.template.wiring import asynchronous_problems, log_problems, policy_problems, target_problems

# Actions that AWS can't limit to a resource, or whose resource is the condition beside them.
UNLIMITED = {
    "autoscaling:DescribeAutoScalingGroups": "reads have no resources",
    "autoscaling:DescribeAutoScalingInstances": "reads have no resources",
    "autoscaling:DescribeScalingActivities": "reads have no resources",
    "aws-marketplace:Subscribe": "has no resources; a condition names Bedrock as the one who asks",
    "aws-marketplace:ViewSubscriptions": "has no resources; a condition names Bedrock as the one who asks",
    "bedrock:CreateModelImportJob": "a job has no ARN before it is made; a condition names the stack's tag",
    "bedrock:GetFoundationModelAvailability": "has no resources",
    "bedrock:ListFoundationModels": "lists have no resources",
    "bedrock:ListInferenceProfiles": "lists have no resources",
    "ce:GetCostAndUsage": "the bill has no resources that bear tags",
    "cloudwatch:GetMetricData": "has no resources",
    "cloudwatch:PutMetricData": "has no resources; a condition names the namespace",
    "ec2:DescribeImages": "reads have no resources",
    "ec2:DescribeInstanceTypeOfferings": "reads have no resources",
    "ec2:DescribeInstanceTypes": "reads have no resources",
    "ec2:DescribeInstances": "reads have no resources",
    "ec2:DescribeLaunchTemplates": "reads have no resources",
    "ec2:DescribeSpotPriceHistory": "reads have no resources",
    "ec2:DescribeSubnets": "reads have no resources",
    "ecr:GetAuthorizationToken": "a token belongs to no repository",
    "elasticloadbalancing:DescribeRules": "reads have no resources",
    "elasticloadbalancing:DescribeTags": "reads have no resources",
    "elasticloadbalancing:DescribeTargetGroups": "reads have no resources",
    "elasticloadbalancing:DescribeTargetHealth": "reads have no resources",
    "logs:CreateLogDelivery": "vended log delivery has no resources",
    "logs:DeleteLogDelivery": "vended log delivery has no resources",
    "logs:DescribeLogGroups": "vended log delivery has no resources",
    "logs:DescribeResourcePolicies": "vended log delivery has no resources",
    "logs:GetLogDelivery": "vended log delivery has no resources",
    "logs:ListLogDeliveries": "vended log delivery has no resources",
    "logs:PutResourcePolicy": "vended log delivery has no resources",
    "logs:UpdateLogDelivery": "vended log delivery has no resources",
    "pricing:GetProducts": "has no resources",
    "sagemaker:ListEndpoints": "lists have no resources",
    "sagemaker:ListInferenceComponents": "lists have no resources",
    "servicequotas:GetAWSDefaultServiceQuota": "has no resources",
    "servicequotas:GetServiceQuota": "has no resources",
    "servicequotas:ListAWSDefaultServiceQuotas": "has no resources",
    "servicequotas:ListServiceQuotas": "has no resources",
}
# What bills by the hour (or, like a web ACL, by the month) whether or not anything runs.
HOURLY = {
    "AWS::ApiGatewayV2::VpcLink",
    "AWS::CloudFront::Distribution",
    "AWS::EC2::EIP",
    "AWS::EC2::Instance",
    "AWS::EC2::NatGateway",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::ECS::Service",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::KMS::Key",
    "AWS::Lambda::CapacityProvider",
    "AWS::OpenSearchServerless::Collection",
    "AWS::RDS::DBInstance",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::WAFv2::WebACL",
}


def problems(stack: StaticStack) -> list[str]:
    return [
        *target_problems(stack),
        *asynchronous_problems(stack),
        *log_problems(stack),
        *policy_problems(stack, UNLIMITED),
    ]


def test_the_wiring_is_sound(stack: StaticStack, fleet_stack: StaticStack) -> None:
    assert problems(stack) == []
    assert problems(fleet_stack) == []


def test_every_reason_for_a_wildcard_is_still_needed(fleet_stack: StaticStack) -> None:
    found = {each.split(": ", 1)[1].removesuffix(" on every resource") for each in policy_problems(fleet_stack, {})}
    assert found == set(UNLIMITED)


def test_without_fleets_nothing_bills_by_the_hour(stack: StaticStack, fleet_stack: StaticStack) -> None:
    assert {kind: stack.of_type(kind) for kind in HOURLY if stack.of_type(kind)} == {}
    assert fleet_stack.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")


def test_no_vpc_endpoint_but_the_free_ones(fleet_stack: StaticStack) -> None:
    kinds = [fleet_stack.properties(name)["VpcEndpointType"] for name in fleet_stack.of_type("AWS::EC2::VPCEndpoint")]
    assert kinds == ["Gateway", "Gateway"]


def test_who_hears_the_alerts_is_looked_at_within_an_hour(stack: StaticStack) -> None:
    (schedule,) = (
        stack.properties(name)
        for name in stack.of_type("AWS::Scheduler::Schedule")
        if name.startswith("SweepLeftoversFunction")
    )
    assert (schedule["ScheduleExpression"], schedule["FlexibleTimeWindow"]) == ("rate(1 hour)", {"Mode": "OFF"})


def test_tables_survive_mistakes(stack: StaticStack) -> None:
    kept = {"DeploymentsTable", "KeysTable", "UsageTable"}
    for name in stack.of_type("AWS::DynamoDB::Table"):
        properties, resource = stack.properties(name), stack.template["Resources"][name]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert resource["DeletionPolicy"] == ("RetainExceptOnCreate" if name in kept else "Delete")
        assert resource["UpdateReplacePolicy"] == ("Retain" if name in kept else "Delete")


def test_the_admin_key_is_in_no_output_and_no_variable(stack: StaticStack) -> None:
    outputs = {name: str(stack.resolve(each["Value"])) for name, each in stack.template["Outputs"].items()}
    assert not [name for name, value in outputs.items() if "resolve:secretsmanager" in value]
    assert outputs["AdminKeyCommand"].startswith("aws secretsmanager get-secret-value ")
    functions = map(stack.properties, stack.of_type("AWS::Lambda::Function"))
    assert not [each for each in functions if "resolve:secretsmanager" in str(each)]


def _properties(template: dict[str, Any], name: str) -> Any:
    return template["Resources"][name]["Properties"]


def _statements(template: dict[str, Any], role: str) -> Any:
    return _properties(template, role)["Policies"][-1]["PolicyDocument"]["Statement"]


def _topic_statement(template: dict[str, Any]) -> Any:
    return _properties(template, "OperationsTopicPolicy")["PolicyDocument"]["Statement"][-1]


def _queue_users(template: dict[str, Any]) -> Any:
    statement = _properties(template, "DeadLetterQueuePolicy")["PolicyDocument"]["Statement"][-1]
    return statement["Condition"]["ArnEquals"]["aws:SourceArn"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: _properties(t, "ReactToEventFunctionWakeRequested")["Targets"][0].update(Arn="arn:aws:lambda:x"),
            "ReactToEventFunctionWakeRequested: its target arn:aws:lambda:x is no function or topic",
        ),
        (
            lambda t: t["Resources"].pop("ReactToEventFunctionWakeRequestedPermission"),
            "ReactToEventFunctionWakeRequested: may not invoke its target",
        ),
        (
            lambda t: _topic_statement(t).update(Condition={"ArnEquals": {"aws:SourceArn": "arn:aws:events:x"}}),
            "WorkflowFailedRule: may not publish on its target",
        ),
        (
            lambda t: _topic_statement(t).update(Principal={"Service": "cloudwatch.amazonaws.com"}),
            "WorkflowFailedRule: may not publish on its target",
        ),
        (
            lambda t: _queue_users(t).remove({"Fn::GetAtt": ["WorkflowFailedRule", "Arn"]}),
            "WorkflowFailedRule: may not use its dead-letter queue",
        ),
        (
            lambda t: _properties(t, "WorkflowFailedRule")["Targets"][0]["InputTransformer"].update(
                InputTemplate="<name> failed"
            ),
            "WorkflowFailedRule: what it would send is no JSON",
        ),
        (
            lambda t: _properties(t, "CheckUtilizationFunctionEveryMinute")["Target"].pop("DeadLetterConfig"),
            "CheckUtilizationFunctionEveryMinute: no dead-letter queue",
        ),
        (
            lambda t: t["Resources"].pop("SeedAdminKeyFunctionEventInvokeConfig"),
            "AdminKey: failures of arn:aws:lambda:us-east-1:123456789012:function:spillway-SeedAdminKeyFunction-"
            "1A2B3C4D5E6F go nowhere",
        ),
        (lambda t: _properties(t, "SmokeTestFunction").pop("LoggingConfig"), "SmokeTestFunction: no log group"),
        (
            lambda t: _properties(t, "SmokeTestLogGroup").pop("RetentionInDays"),
            "spillway-SmokeTestLogGroup-1A2B3C4D5E6F: no retention",
        ),
        (
            lambda t: _statements(t, "SmokeTestFunctionRole").append(
                {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket"}
            ),
            "SmokeTestFunctionRole: the action s3:*",
        ),
        (
            lambda t: _statements(t, "SmokeTestFunctionRole").append(
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
            ),
            "SmokeTestFunctionRole: s3:GetObject on every resource",
        ),
    ],
)
def test_broken_wiring_is_found_out(
    stack: StaticStack, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    changed = deepcopy(dict(stack.template))
    change(changed)
    assert sentence in problems(StaticStack(changed))
