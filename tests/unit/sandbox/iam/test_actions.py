"""What AWS calls ask of IAM."""

from typing import Any

import pytest

from tests.sandbox.iam.actions import requests_of
from tests.sandbox.iam.conditions import Context
from tests.sandbox.iam.request import LaunchTemplate, Place, Request, UnknownOperation

EC2 = "arn:aws:ec2:us-east-1:123456789012:"
SAGEMAKER = "arn:aws:sagemaker:us-east-1:123456789012:"
TAGS = [{"Key": "spillway:stack", "Value": "spillway"}]
REQUEST_TAGS: Context = {"aws:RequestTag/spillway:stack": "spillway", "aws:TagKeys": ["spillway:stack"]}


def asked(service: str, operation: str, params: dict[str, Any], place: Place | None = None) -> list[Request]:
    return requests_of(service, operation, params, place or Place())


def pairs(requests: list[Request]) -> list[tuple[str, str]]:
    return [(each.action, each.resource) for each in requests]


@pytest.mark.parametrize(
    ("params", "attributes"),
    [
        (
            {"Key": {"name": {"S": "a"}}, "UpdateExpression": "SET wake_requested_at = :now"},
            ["name", "wake_requested_at"],
        ),
        (
            {
                "Key": {"name": {"S": "a"}},
                "UpdateExpression": "SET #body = :body REMOVE old.part, list_of[0] ADD seen :one",
                "ConditionExpression": "attribute_not_exists(#v) OR (size(body) < :x AND NOT #v IN (:a, :b))",
                "ExpressionAttributeNames": {"#body": "body", "#v": "version"},
            },
            ["body", "list_of", "name", "old", "seen", "version"],
        ),
        ({"Item": {"name": {}, "spec": {}}}, ["name", "spec"]),
    ],
)
def test_dynamodb_attributes(params: dict[str, Any], attributes: list[str]) -> None:
    (request,) = asked("dynamodb", "UpdateItem", {"TableName": "routes", **params})
    assert request.resource == "arn:aws:dynamodb:us-east-1:123456789012:table/routes"
    assert request.context["dynamodb:Attributes"] == attributes


def test_a_transaction_asks_for_each_of_its_parts() -> None:
    params = {
        "TransactItems": [
            {"Update": {"TableName": "usage", "Key": {"deployment": {}}, "UpdateExpression": "ADD n :n"}},
            {"ConditionCheck": {"TableName": "checks", "Key": {"id": {}}, "ConditionExpression": "n = :n"}},
        ]
    }
    requests = asked("dynamodb", "TransactWriteItems", params)
    assert [(each.action, each.resource.rpartition("/")[2]) for each in requests] == [
        ("dynamodb:UpdateItem", "usage"),
        ("dynamodb:ConditionCheckItem", "checks"),
    ]
    assert requests[0].context["dynamodb:EnclosingOperation"] == "TransactWriteItems"


def test_events_go_to_a_bus_by_name_or_arn() -> None:
    entry = {"Source": "spillway", "DetailType": "WakeRequested", "Detail": "{}"}
    arn = "arn:aws:events:us-east-1:123456789012:event-bus/spillway"
    for bus in ("spillway", arn):
        (request,) = asked("events", "PutEvents", {"Entries": [{**entry, "EventBusName": bus}]})
        assert request.resource == arn
        assert request.context == {"events:source": "spillway", "events:detail-type": "WakeRequested"}


def test_a_sagemaker_resource_asks_for_itself_its_tags_and_its_role() -> None:
    role = "arn:aws:iam::123456789012:role/endpoint"
    params = {"ModelName": "Stack-Llama", "ExecutionRoleArn": role, "Tags": TAGS}
    assert asked("sagemaker", "CreateModel", params) == [
        Request("sagemaker:CreateModel", f"{SAGEMAKER}model/stack-llama", REQUEST_TAGS),
        Request(
            "sagemaker:AddTags",
            f"{SAGEMAKER}model/stack-llama",
            {**REQUEST_TAGS, "sagemaker:TaggingAction": "CreateModel"},
        ),
        Request("iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"}),
    ]


def test_an_endpoint_asks_for_its_configuration_too() -> None:
    params = {"EndpointName": "a", "EndpointConfigName": "b"}
    assert pairs(asked("sagemaker", "CreateEndpoint", params)) == [
        ("sagemaker:CreateEndpoint", f"{SAGEMAKER}endpoint/a"),
        ("sagemaker:CreateEndpoint", f"{SAGEMAKER}endpoint-config/b"),
    ]


@pytest.mark.parametrize(
    ("model_id", "resources"),
    [
        ("meta.llama3-1-8b-instruct-v1:0", ["us-east-1::foundation-model/meta.llama3-1-8b-instruct-v1:0"]),
        (
            "us.meta.llama4-scout-17b-instruct-v1:0",
            [
                "us-east-1:123456789012:inference-profile/us.meta.llama4-scout-17b-instruct-v1:0",
                "us-east-1::foundation-model/meta.llama4-scout-17b-instruct-v1:0",
                "us-west-2::foundation-model/meta.llama4-scout-17b-instruct-v1:0",
            ],
        ),
    ],
)
def test_a_cross_region_profile_asks_for_the_model_elsewhere_too(model_id: str, resources: list[str]) -> None:
    requests = asked("bedrock-runtime", "ConverseStream", {"modelId": model_id})
    assert pairs(requests) == [
        ("bedrock:InvokeModelWithResponseStream", f"arn:aws:bedrock:{each}") for each in resources
    ]


def test_public_parameters_belong_to_no_account() -> None:
    (request,) = asked("ssm", "GetParameter", {"Name": "/aws/service/deeplearning/ami/x"})
    assert request.resource == "arn:aws:ssm:us-east-1::parameter/aws/service/deeplearning/ami/x"


def test_a_listener_rule_is_tagged_under_its_own_arn() -> None:
    listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/lb/1/2"
    requests = asked("elbv2", "CreateRule", {"ListenerArn": listener, "Tags": TAGS})
    assert [each.action for each in requests] == ["elasticloadbalancing:CreateRule", "elasticloadbalancing:AddTags"]
    assert requests[0].resource == listener
    assert requests[1].resource.startswith(listener.replace("listener/", "listener-rule/") + "/")


NOWHERE = {"LaunchTemplateName": "a"}
A_GROUP = {"AutoScalingGroupName": "a", "LaunchTemplate": NOWHERE}


@pytest.mark.parametrize(
    ("service", "operation", "params", "action"),
    [
        ("ec2", "DeleteLaunchTemplate", NOWHERE, "ec2:DeleteLaunchTemplate"),
        ("ec2", "CreateLaunchTemplateVersion", NOWHERE, "ec2:CreateLaunchTemplateVersion"),
        ("autoscaling", "CreateAutoScalingGroup", A_GROUP, "ec2:RunInstances"),
        ("bedrock", "DeleteImportedModel", {"modelIdentifier": "a"}, "bedrock:DeleteImportedModel"),
    ],
)
def test_what_is_not_there_has_no_tags(service: str, operation: str, params: dict[str, Any], action: str) -> None:
    asking = [each for each in asked(service, operation, params) if each.action == action]
    assert asking
    assert not [key for each in asking for key in each.context if key.startswith("aws:ResourceTag")]


def test_an_imported_model_has_the_tags_that_it_was_given() -> None:
    place = Place(imported_tags={"a": {"spillway:stack": "spillway"}}.__getitem__)
    (request,) = asked("bedrock", "DeleteImportedModel", {"modelIdentifier": "a"}, place)
    assert request.context == {"aws:ResourceTag/spillway:stack": "spillway"}


def test_a_group_asks_whether_its_maker_could_run_its_template() -> None:
    profile, role = "arn:aws:iam::123456789012:instance-profile/p", "arn:aws:iam::123456789012:role/r"
    template = LaunchTemplate(
        "lt-1",
        {"spillway:stack": "spillway"},
        {
            "ImageId": "ami-1",
            "IamInstanceProfile": {"Arn": profile},
            "NetworkInterfaces": [{"Groups": ["sg-1"]}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": TAGS}],
        },
    )
    place = Place(launch_template={"a": template}.get, profile_roles={profile: role}, vpc_id="vpc-1")
    params = {
        "AutoScalingGroupName": "a",
        "VPCZoneIdentifier": "subnet-1,subnet-2",
        "MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateName": "a"}}},
    }
    requests = asked("autoscaling", "CreateAutoScalingGroup", params, place)
    run = {each.resource.removeprefix(EC2): each.context for each in requests if each.action == "ec2:RunInstances"}
    assert run["launch-template/lt-1"]["aws:ResourceTag/spillway:stack"] == "spillway"
    assert run["subnet/subnet-2"]["ec2:Vpc"] == run["security-group/sg-1"]["ec2:Vpc"] == f"{EC2}vpc/vpc-1"
    assert "arn:aws:ec2:us-east-1::image/ami-1" in run
    assert requests[-1] == Request("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})
    assert any(
        each.action == "ec2:CreateTags" and each.context["ec2:CreateAction"] == "RunInstances" for each in requests
    )


@pytest.mark.parametrize(
    ("service", "operation"), [("ec2", "TerminateInstances"), ("dynamodb", "DeleteTable"), ("events", "")]
)
def test_an_operation_that_nobody_taught_raises(service: str, operation: str) -> None:
    with pytest.raises(UnknownOperation):
        asked(service, operation, {})
