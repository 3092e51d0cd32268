"""Alerts over SNS: JSON for programs, plain text for e-mail, attributes for filter policies."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated
from spillway.domain.alerts.alert import Alert, Topic, alert_to_json, subject_of, text_of

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class SnsAlerts:
    """Implements the ``Alerts`` port; ``topics`` maps each topic to its ARN."""

    def __init__(self, client: "SNSClient", topics: Mapping[Topic, str]) -> None:
        self._client = client
        self._topics = topics

    def send(self, alert: Alert) -> None:
        """Publish one alert."""
        message = {"default": json.dumps(alert_to_json(alert)), "email": text_of(alert)}
        with translated():
            self._client.publish(
                TopicArn=self._topics[alert.topic],
                Subject=subject_of(alert),
                MessageStructure="json",
                Message=json.dumps(message),
                MessageAttributes={name: _text(value) for name, value in _attributes_of(alert).items()},
            )


def _attributes_of(alert: Alert) -> dict[str, str]:
    return {
        "code": alert.why.code,
        "deployment": alert.deployment,
        "severity": alert.severity,
        "state": alert.state,
    }


def _text(value: str) -> "MessageAttributeValueTypeDef":
    return {"DataType": "String", "StringValue": str(value)}
