"""What arrives when an alert is sent or an event published, on moto's SNS, SQS and EventBridge."""

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends

from spillway.adapters.aws.event_bus import EventBus
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.domain.alerts.alert import Topic, text_of
from spillway.domain.errors import Retryable
from spillway.ports import Alerts, Events
from tests.builders import an_alert
from tests.fakes import FakeAlerts, FakeEvents

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@pytest.fixture
def sns(aws: None) -> "SNSClient":
    return boto3.client("sns", region_name="us-east-1")


def test_the_fakes_are_the_ports() -> None:
    alerts: Alerts = FakeAlerts()
    events: Events = FakeEvents()
    alerts.send(an_alert())
    events.publish("DecisionTaken", "support-llama", {"desired": 0})


def test_an_alert_goes_to_its_topic_as_json_as_text_and_with_attributes(sns: "SNSClient") -> None:
    topics = {topic: sns.create_topic(Name=topic)["TopicArn"] for topic in Topic}
    alerts: Alerts = SnsAlerts(sns, topics)
    alert = an_alert(topic=Topic.COST)
    alerts.send(alert)
    backend = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    assert backend.topics[topics[Topic.SCALE]].sent_notifications == []
    ((_id, message, subject, attributes, _group),) = backend.topics[topics[Topic.COST]].sent_notifications
    body = json.loads(message)
    assert json.loads(body["default"])["id"] == alert.id
    assert body["email"] == text_of(alert)
    assert subject == "[Spillway] support-llama: The fleet went to sleep."
    assert {name: value["Value"] for name, value in attributes.items()} == {
        "code": "idle",
        "deployment": "support-llama",
        "severity": "info",
        "state": "event",
    }


def test_an_event_reaches_the_rules_of_the_bus(aws: None) -> None:
    events_client = boto3.client("events", region_name="us-east-1")
    queue = boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="received")["QueueUrl"]
    events_client.create_event_bus(Name="spillway")
    events_client.put_rule(Name="all", EventBusName="spillway", EventPattern=json.dumps({"source": ["spillway"]}))
    events_client.put_targets(
        Rule="all",
        EventBusName="spillway",
        Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:us-east-1:{DEFAULT_ACCOUNT_ID}:received"}],
    )
    events: Events = EventBus(events_client, "spillway")
    events.publish("DecisionTaken", "support-llama", {"desired": 0})
    (message,) = boto3.client("sqs", region_name="us-east-1").receive_message(QueueUrl=queue)["Messages"]
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["detail"]) == ("DecisionTaken", {"deployment": "support-llama", "desired": 0})


def test_an_entry_that_the_bus_refuses_may_be_retried() -> None:
    class Refusing:
        def put_events(self, **_: Any) -> dict[str, Any]:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}]}

    with pytest.raises(Retryable, match="ThrottlingException"):
        EventBus(Refusing(), "spillway").publish("DecisionTaken", "support-llama", {})  # type: ignore[arg-type]
