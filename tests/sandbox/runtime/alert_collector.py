"""A queue of the sandbox's own behind every topic of the stack, so that alerts can be read."""

import json
import threading
from dataclasses import dataclass
from typing import Any

from tests.sandbox.cloud.subscriptions import COLLECTOR
from tests.sandbox.runtime.template_stack import TemplateStack


@dataclass(frozen=True)
class Notification:
    """One message that SNS sent; ``topic`` is the topic's logical id."""

    topic: str
    subject: str | None
    message: str
    attributes: dict[str, Any]


class AlertCollector:
    """Subscribed to all topics; ``notifications`` returns everything sent so far, oldest first."""

    def __init__(self, stack: TemplateStack) -> None:
        self._sqs = stack.client("sqs")
        self._lock = threading.Lock()
        self._seen: list[Notification] = []
        self._queues: dict[str, str] = {}
        for logical_id in stack.of_type("AWS::SNS::Topic"):
            queue = f"{COLLECTOR}{logical_id}"
            self._queues[logical_id] = self._sqs.create_queue(QueueName=queue)["QueueUrl"]
            arn = f"arn:aws:sqs:{stack.target.region}:{stack.target.account}:{queue}"
            stack.client("sns").subscribe(TopicArn=stack.ref(logical_id), Protocol="sqs", Endpoint=arn)

    def notifications(self) -> list[Notification]:
        """Fetch what is new and return all."""
        with self._lock:
            for topic, url in self._queues.items():
                while messages := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                    for message in messages:
                        self._seen.append(_read(topic, json.loads(message["Body"])))
                        self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return list(self._seen)

    def alerts(self) -> list[dict[str, Any]]:
        """Return the product's alerts among them."""
        return [each for each in self._messages() if is_alert(each)]

    def operations(self) -> list[dict[str, Any]]:
        """Return what else topics were told, which is about the control plane itself."""
        return [each for each in self._messages() if not is_alert(each)]

    def _messages(self) -> list[dict[str, Any]]:
        return [json.loads(each.message) for each in self.notifications()]


def is_alert(message: dict[str, Any]) -> bool:
    """Whether a message has the form of the product's alerts."""
    return str(message.get("schema", "")).startswith("spillway.alert/")


def _read(topic: str, envelope: dict[str, Any]) -> Notification:
    attributes = {name: each.get("Value") for name, each in envelope.get("MessageAttributes", {}).items()}
    return Notification(topic, envelope.get("Subject"), envelope["Message"], attributes)
