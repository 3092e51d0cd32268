"""IAM's evaluation, as a table of cases."""

from typing import Any

import pytest

from tests.sandbox.iam.conditions import Context, PolicyError
from tests.sandbox.iam.evaluate import Effect, evaluate

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/routes"
ALLOW, SILENT, DENY = Effect.ALLOW, Effect.IMPLICIT_DENY, Effect.EXPLICIT_DENY


def allow(action: Any = "dynamodb:GetItem", resource: Any = TABLE, **rest: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


def deny(action: Any = "dynamodb:GetItem", resource: Any = TABLE, **rest: Any) -> dict[str, Any]:
    return {**allow(action, resource, **rest), "Effect": "Deny"}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], SILENT),
        ([allow()], ALLOW),
        ([allow(action="dynamodb:PutItem")], SILENT),
        ([allow(action=["dynamodb:PutItem", "dynamodb:GetItem"])], ALLOW),
        ([allow(action="DynamoDB:getitem")], ALLOW),
        ([allow(action="dynamodb:*Item")], ALLOW),
        ([allow(action="dynamodb:?etItem")], ALLOW),
        ([allow(action="dynamodb:?Item")], SILENT),
        ([allow(resource="*")], ALLOW),
        ([allow(resource=TABLE + "-other")], SILENT),
        ([allow(resource=TABLE.upper())], SILENT),
        ([allow(resource="arn:aws:dynamodb:*:table/rou?es")], ALLOW),
        ([allow(resource="arn:aws:dynamodb:us-east-1:123456789012:table/r.utes")], SILENT),
        ([allow(), deny()], DENY),
        ([deny(), allow()], DENY),
        ([allow(), deny(action="dynamodb:PutItem")], ALLOW),
        ([{"Effect": "Allow", "NotAction": "dynamodb:PutItem", "Resource": "*"}], ALLOW),
        ([{"Effect": "Allow", "NotAction": "dynamodb:*", "Resource": "*"}], SILENT),
        ([{"Effect": "Allow", "Action": "dynamodb:*", "NotResource": TABLE}], SILENT),
        ([{"Effect": "Allow", "Action": "dynamodb:*", "NotResource": TABLE + "-other"}], ALLOW),
    ],
)
def test_actions_and_resources(statements: list[dict[str, Any]], expected: Effect) -> None:
    assert evaluate(statements, "dynamodb:GetItem", TABLE, {}).effect is expected


def test_an_action_without_resources_needs_a_star() -> None:
    assert not evaluate(
        [allow("ec2:DescribeImages", "arn:aws:ec2:us-east-1::image/*")], "ec2:DescribeImages", "*", {}
    ).allowed


LINK = "arn:aws:ec2:us-east-1:123456789012:launch-template/lt-1"
ATTRIBUTES = {"dynamodb:Attributes": ["name", "body"]}


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"K": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"k": "A"}}, {"k": "a"}, False),
        ({"StringEquals": {"k": "*"}}, {"k": "a"}, False),
        ({"StringEquals": {"k": ["b", "a"]}}, {"k": "a"}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, False),
        ({"StringEqualsIgnoreCase": {"k": "A"}}, {"k": "a"}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "a"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "c"}, True),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringLike": {"k": "a*c"}}, {"k": "abbc"}, True),
        ({"StringLike": {"k": "a?c"}}, {"k": "abbc"}, False),
        ({"StringNotLike": {"k": "a*"}}, {"k": "abc"}, False),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"StringEquals": {"k": "a"}, "StringLike": {"l": "b*"}}, {"k": "a", "l": "bc"}, True),
        ({"ArnLike": {"k": "arn:aws:ec2:*:*:launch-template/*"}}, {"k": LINK}, True),
        ({"ArnEquals": {"k": LINK[:-1] + "?"}}, {"k": LINK}, True),
        ({"ArnLike": {"k": "arn:aws:*/lt-1"}}, {"k": LINK}, False),
        ({"ArnLike": {"k": LINK}}, {}, False),
        ({"ArnNotEquals": {"k": [LINK]}}, {"k": LINK}, False),
        ({"ArnNotEquals": {"k": [LINK]}}, {"k": LINK + "2"}, True),
        ({"Bool": {"k": True}}, {"k": "true"}, True),
        ({"Bool": {"k": "false"}}, {"k": "true"}, False),
        ({"Bool": {"k": "false"}}, {}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "a"}, False),
        ({"Null": {"k": False}}, {"k": "a"}, True),
        ({"Null": {"k": "false"}}, {"k": []}, False),
        ({"ForAllValues:StringEquals": {"dynamodb:Attributes": ["name", "body"]}}, ATTRIBUTES, True),
        ({"ForAllValues:StringEquals": {"dynamodb:Attributes": ["name"]}}, ATTRIBUTES, False),
        ({"ForAllValues:StringEquals": {"dynamodb:Attributes": ["name"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"dynamodb:Attributes": ["name"]}}, ATTRIBUTES, True),
        ({"ForAnyValue:StringEquals": {"dynamodb:Attributes": ["version"]}}, ATTRIBUTES, False),
        ({"ForAnyValue:StringEquals": {"dynamodb:Attributes": ["name"]}}, {}, False),
        ({"ForAllValues:StringNotEquals": {"dynamodb:Attributes": ["version"]}}, ATTRIBUTES, True),
        ({"ForAllValues:StringLike": {"dynamodb:Attributes": ["n*", "b*"]}}, ATTRIBUTES, True),
    ],
)
def test_conditions(condition: dict[str, Any], context: Context, holds: bool) -> None:
    decision = evaluate([allow(Condition=condition)], "dynamodb:GetItem", TABLE, context)
    assert decision.effect is (ALLOW if holds else SILENT)


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"NumericLessThan": {"k": "1"}}),
        allow(Condition={"NotBool": {"k": "true"}}),
        allow(Condition={"ForSomeValues:StringEquals": {"k": "a"}}),
        allow(Condition={"StringEquals": {"several": "a"}}),
        allow(Condition={"StringLike": {"k": "${aws:username}"}}),
        allow(resource="arn:aws:s3:::bucket/${aws:username}/*"),
        {"Effect": "Permit", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*"},
    ],
)
def test_what_cannot_be_understood_is_refused_rather_than_guessed(statement: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        evaluate([statement], "dynamodb:GetItem", TABLE, {"k": "a", "several": ["a", "b"]})


@pytest.mark.parametrize(
    ("principal", "caller", "expected"),
    [
        ("*", "arn:aws:iam::1:role/a", ALLOW),
        ({"AWS": "arn:aws:iam::1:role/a"}, "arn:aws:iam::1:role/a", ALLOW),
        ({"AWS": ["arn:aws:iam::1:role/b"]}, "arn:aws:iam::1:role/a", SILENT),
        ({"Service": "events.amazonaws.com"}, "arn:aws:iam::1:role/a", SILENT),
    ],
)
def test_principals_of_resource_policies(principal: Any, caller: str, expected: Effect) -> None:
    decision = evaluate([allow(Principal=principal)], "dynamodb:GetItem", TABLE, {"aws:PrincipalArn": caller})
    assert decision.effect is expected
