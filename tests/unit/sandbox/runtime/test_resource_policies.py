"""A topic lets EventBridge in only as AWS would: by a statement that asks for nothing that EventBridge doesn't tell."""

from typing import Any

import pytest

from tests.sandbox.iam.static_stack import StaticStack
from tests.sandbox.runtime.resource_policies import EVENTS, TopicPolicies

TOPIC = "arn:aws:sns:us-east-1:123456789012:spillway-Topic-1A2B3C4D5E6F"
SOURCE = {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/failed"}}
NO_TLS = {"Bool": {"aws:SecureTransport": "false"}}


def statement(effect: str = "Allow", **changes: Any) -> dict[str, Any]:
    principal: Any = {"Service": EVENTS}
    return {"Effect": effect, "Principal": principal, "Action": "sns:Publish", "Resource": {"Ref": "Topic"}, **changes}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([], False),
        ([statement()], True),
        ([statement(Principal={"Service": ["cloudwatch.amazonaws.com", EVENTS]})], True),
        ([statement(Principal={"Service": "cloudwatch.amazonaws.com"})], False),
        ([statement(Principal={"AWS": EVENTS})], False),
        ([statement(Condition=SOURCE)], False),
        ([statement(Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}})], False),
        ([statement(Action="sns:Subscribe")], False),
        ([statement(), statement("Deny", Principal="*", Condition=NO_TLS)], True),
        ([statement(), statement("Deny", Principal="*")], False),
    ],
)
def test_who_may_publish(statements: list[dict[str, Any]], allowed: bool) -> None:
    policy = {"Topics": [{"Ref": "Topic"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
    template = {
        "Parameters": {},
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Policy": {"Type": "AWS::SNS::TopicPolicy", "Properties": policy},
        },
    }
    assert TopicPolicies(StaticStack(template)).allow(TOPIC, EVENTS) is allowed


def test_a_topic_without_a_policy_lets_nobody_in() -> None:
    template = {"Parameters": {}, "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    assert not TopicPolicies(StaticStack(template)).allow(TOPIC, EVENTS)
