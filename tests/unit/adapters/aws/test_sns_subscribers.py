"""Subscriptions are counted as SNS lists them, over all pages."""

from typing import Any

import boto3
from botocore.stub import Stubber

from spillway.adapters.aws.sns_subscribers import SnsSubscribers
from spillway.domain.alerts.alert import Topic
from spillway.domain.alerts.subscribers import Subscribers

ARN = "arn:aws:sns:us-east-1:123456789012:cost"


def listed(*arns: str) -> list[dict[str, str]]:
    return [
        {"SubscriptionArn": arn, "Owner": "123456789012", "Protocol": "email", "Endpoint": "a@b.c", "TopicArn": ARN}
        for arn in arns
    ]


def test_pending_and_deleted_ones_are_nobody_who_hears() -> None:
    client: Any = boto3.client("sns", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    with Stubber(client) as stub:
        first = {"Subscriptions": listed(f"{ARN}:1", "PendingConfirmation", "Deleted"), "NextToken": "more"}
        stub.add_response("list_subscriptions_by_topic", first, {"TopicArn": ARN})
        rest = {"Subscriptions": listed(f"{ARN}:2", "PendingConfirmation")}
        stub.add_response("list_subscriptions_by_topic", rest, {"TopicArn": ARN, "NextToken": "more"})
        assert SnsSubscribers(client, {Topic.COST: ARN}).count() == {Topic.COST: Subscribers(2, 2)}
