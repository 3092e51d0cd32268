"""A call that its service's model forbids is refused as the service would, whoever makes it."""

import re
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.model import ServiceModel
from botocore.session import Session

from tests.sandbox.constraints import compiled, violation
from tests.sandbox.runtime.raw_calls import RawCall, problem_of

# Of these, botocore's models have a pattern that their own services' Java could not read either.
UNREADABLE = {r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,128}", r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}"}
SERVICES = (
    "autoscaling", "bedrock", "bedrock-runtime", "ce", "cloudwatch", "dynamodb", "ec2", "elbv2", "events", "lambda",
    "pricing", "resourcegroupstaggingapi", "sagemaker", "sagemaker-runtime", "scheduler", "secretsmanager",
    "service-quotas", "sns", "ssm", "stepfunctions",
)  # fmt: skip


def model_of(service: str) -> ServiceModel:
    return Session().get_service_model(service)


OF = {"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model/chat"}
KEY = {"x" * 65_536: {"S": "a"}}
GROUP = {"AutoScalingGroupName": "chat", "MinSize": 0, "MaxSize": 1}
FORBIDDEN: list[tuple[str, str, dict[str, Any], str]] = [
    ("sagemaker", "DeleteModel", {"ModelName": "x" * 64}, r"'ModelName'.*length less than or equal to 63"),
    ("sagemaker", "DeleteModel", {"ModelName": "two--and_one"}, r"'ModelName'.*regular expression pattern"),
    ("sagemaker", "DeleteModel", {"ModelName": "name\n"}, "regular expression pattern"),
    ("sagemaker", "AddTags", {**OF, "Tags": [{"Key": "k", "Value": "v"}] * 51}, "equal to 50"),
    ("sagemaker", "AddTags", {**OF, "Tags": [{"Key": "k", "Value": "a|b"}]}, r"'Tags\.1\.member\.Value'"),
    ("autoscaling", "CreateAutoScalingGroup", {**GROUP, "AutoScalingGroupName": "x" * 256}, "equal to 255"),
    ("elbv2", "CreateRule", {"ListenerArn": "a", "Priority": 50_001}, r"'Priority'.*value less than or equal to 50000"),
    ("elbv2", "CreateTargetGroup", {"Name": "a", "Protocol": "SPDY"}, r"'Protocol'.*enum value set: \[HTTP"),
    ("dynamodb", "GetItem", {"TableName": "t", "Key": KEY}, "equal to 65535"),
    ("lambda", "Invoke", {"FunctionName": "a b"}, r"'FunctionName'"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "params", "says"), FORBIDDEN)
def test_what_a_model_forbids_is_told(service: str, operation: str, params: dict[str, Any], says: str) -> None:
    told = violation(model_of(service), operation, params)
    assert told is not None
    assert re.search(says, told, re.DOTALL), told


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("sagemaker", "DeleteModel", {"ModelName": "x" * 63}),
        (
            "sagemaker",
            "AddTags",
            {**OF, "Tags": [{"Key": "spillway:stack", "Value": "Größe 漢 @+=:/._-"}]},
        ),
        ("autoscaling", "CreateAutoScalingGroup", {**GROUP, "AutoScalingGroupName": "\U0001f600"}),
        ("elbv2", "CreateRule", {"ListenerArn": "a", "Priority": 50_000, "Conditions": [], "Unknown": "x"}),
        ("ec2", "DescribeInstanceTypes", {"InstanceTypes": ["g99.tomorrow"]}),
        ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "Body": b"\xff", "InferenceId": "a b"}),
    ],
)
def test_what_a_model_allows_passes(service: str, operation: str, params: dict[str, Any]) -> None:
    assert violation(model_of(service), operation, params) is None


def test_every_pattern_of_the_services_in_use_can_be_read() -> None:
    models = [model_of(service) for service in SERVICES]
    patterns = {model.shape_for(name).metadata.get("pattern", "") for model in models for name in model.shape_names}
    assert {pattern for pattern in patterns if compiled(pattern) is None} <= UNREADABLE


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("sagemaker", "describe_model", {"ModelName": "x" * 64}, "ValidationException"),
        ("elbv2", "describe_target_groups", {"PageSize": 401}, "ValidationError"),
    ],
)
def test_a_client_is_answered_as_by_the_service(
    aws_session: boto3.Session, service: str, operation: str, params: dict[str, Any], code: str
) -> None:
    client: Any = aws_session.client(service)  # type: ignore[call-overload]
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**params)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_call_that_botocore_did_not_make_is_held_to_the_same() -> None:
    call = RawCall("dynamodb", "GetItem", {"TableName": "t", "Key": KEY})
    assert "length less than or equal to 65535" in str(problem_of(call))
    assert problem_of(RawCall("dynamodb", "GetItem", {"TableName": "t", "Key": {}})) is None
    assert problem_of(RawCall("dynamodb", "", {})) is None
