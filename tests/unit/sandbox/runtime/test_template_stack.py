"""A template that could not work on AWS does not stand up here either."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION, MotoCloud
from tests.sandbox.runtime.intrinsics import TemplateError
from tests.sandbox.runtime.stack_functions import function_specs
from tests.sandbox.runtime.template_stack import CREATORS, NOT_MADE, Target, TemplateStack

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    cloud = MotoCloud()
    yield Target(cloud.start(), REGION, ACCOUNT)
    cloud.stop()


def stack(target: Target, resources: dict[str, Any], **more: Any) -> TemplateStack:
    made = TemplateStack({"Resources": resources, **more}, {}, target)
    made.create()
    return made


def test_resources_are_made_in_order_of_need(target: Target) -> None:
    made = stack(
        target,
        {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": {
                "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}}},
            "Dead": {"Type": "AWS::SQS::Queue"},
        },
        Outputs={"Name": {"Value": {"Fn::Sub": "${AWS::StackName}/${Dead.QueueName}"}}},
    )  # fmt: skip
    assert made.outputs()["Name"].startswith("spillway/spillway-Dead-")


def test_a_condition_that_does_not_hold_makes_nothing(target: Target) -> None:
    made = stack(
        target,
        {"Off": {"Type": "AWS::SNS::Topic", "Condition": "Never"}},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
    )
    assert made.physical_ids() == {}


def test_a_missing_substitution_is_named(target: Target) -> None:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "DefinitionString": '{"StartAt": "a", "States": {"a": {"Type": "Fail", "Error": "${Missing}"}}}',
            "DefinitionSubstitutions": {"Other": "x"},
            "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        },
    }
    with pytest.raises(TemplateError, match=r"Machine names substitutions .* Missing"):
        stack(target, {"Role": ROLE, "Machine": machine})


def test_a_reference_to_nothing_is_named(target: Target) -> None:
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {"Targets": [{"Id": "1", "Arn": {"Fn::GetAtt": ["Gone", "Arn"]}}]},
    }
    with pytest.raises(TemplateError, match="Rule names Gone"):
        stack(target, {"Rule": rule})


def test_a_circle_is_an_error(target: Target) -> None:
    def topic(other: str) -> dict[str, Any]:
        return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": other}}}

    with pytest.raises(TemplateError, match="circular dependency: A -> B -> A"):
        stack(target, {"A": topic("B"), "B": topic("A")})


def test_a_type_nobody_told_the_sandbox_about_is_an_error(target: Target) -> None:
    with pytest.raises(TemplateError, match="Strange is an AWS::Strange::Thing"):
        stack(target, {"Strange": {"Type": "AWS::Strange::Thing"}})


@pytest.mark.parametrize(
    ("folder", "handler", "complaint"),
    [
        ("functions/nowhere", "app.handler", "there is no functions/nowhere/app.py"),
        ("functions/smoke_test", "app.nobody", "functions/smoke_test/app.py defines no nobody"),
        ("functions/smoke_test", "run.sh", "there is no run.sh in functions/smoke_test"),
    ],
)
def test_a_handler_that_is_not_there_is_an_error(target: Target, folder: str, handler: str, complaint: str) -> None:
    role = f"Role{abs(hash(folder + handler))}"
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": f"f{abs(hash(complaint))}",
            "Code": {"S3Bucket": "local", "S3Key": folder},
            "Handler": handler,
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": [role, "Arn"]},
        },
    }
    with pytest.raises(TemplateError, match=complaint):
        function_specs(stack(target, {role: ROLE, "Function": function}))


TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}


def refuse(target: Target, given: dict[str, str], **template: Any) -> str:
    """Return why nothing is made."""
    refused = TemplateStack({"Resources": TOPIC, **template}, given, target)
    with pytest.raises(TemplateError) as said:
        refused.create()
    assert refused.physical_ids() == {}
    return str(said.value)


RULE = {
    "RuleCondition": {"Fn::Equals": [{"Ref": "Size"}, "big"]},
    "Assertions": [
        {
            "Assert": {"Fn::Contains": [["eu-west-1"], {"Ref": "AWS::Region"}]},
            "AssertDescription": "Big ones are in Ireland.",
        }
    ],
}
SIZE = {"Size": {"Type": "String", "Default": "small"}}


def test_a_rule_that_does_not_hold_stops_everything(target: Target) -> None:
    template = {"Parameters": SIZE, "Rules": {"Ireland": RULE}}
    assert refuse(target, {"Size": "big"}, **template) == "Ireland: Big ones are in Ireland."
    stack(target, TOPIC, **template)


def test_a_rule_has_fewer_functions_than_the_rest(target: Target) -> None:
    rule = {"Assertions": [{"Assert": {"Fn::FindInMap": ["Map", "a", "b"]}}]}
    said = refuse(target, {}, Mappings={"Map": {"a": {"b": "true"}}}, Rules={"Lookup": rule})
    assert "a rule cannot use Fn::FindInMap" in said


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ({"Type": "String", "AllowedValues": ["a"]}, "b", "parameter P is b: none of the values"),
        (
            {"Type": "String", "AllowedPattern": "a+", "ConstraintDescription": "must be as"},
            "ab",
            "parameter P must be as",
        ),
        ({"Type": "Number", "MinValue": 1}, "0", "parameter P is 0: out of its bounds"),
    ],
)
def test_a_parameters_value_must_be_allowed(target: Target, parameter: dict[str, Any], value: str, said: str) -> None:
    assert said in refuse(target, {"P": value}, Parameters={"P": parameter})


def test_a_parameter_that_is_not_the_templates_is_refused(target: Target) -> None:
    assert refuse(target, {"Other": "x"}, Parameters=SIZE) == "parameter Other does not exist in the template"


def test_a_lookup_finds_nothing_even_where_no_condition_holds(target: Target) -> None:
    lookup = {"Fn::FindInMap": ["Map", {"Ref": "AWS::Region"}, "Zone"]}
    resources = {
        "Off": {"Type": "AWS::SNS::Topic", "Condition": "Never", "Properties": {"TopicName": lookup}},
    }
    said = refuse(
        target,
        {},
        Resources=resources,
        Mappings={"Map": {"eu-west-1": {"Zone": "euw1-az1"}}},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
    )
    assert said == "Template error: Unable to get mapping for Map::us-east-1::Zone"


def test_no_type_is_both_made_and_left_out() -> None:
    assert not set(CREATORS) & set(NOT_MADE)
