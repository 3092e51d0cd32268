"""Who is subscribed to the stack's topics."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated
from spillway.domain.alerts.alert import Topic
from spillway.domain.alerts.subscribers import Subscribers

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

# What SNS lists in place of the ARN of a subscription that gets nothing.
_PENDING, _DELETED = "PendingConfirmation", "Deleted"


class SnsSubscribers:
    """Implements the ``TopicSubscribers`` port; ``topics`` maps each topic to its ARN."""

    def __init__(self, client: "SNSClient", topics: Mapping[Topic, str]) -> None:
        self._client = client
        self._topics = topics

    def count(self) -> Mapping[Topic, Subscribers]:
        """Return each topic's subscriptions, counted."""
        return {topic: self._of(arn) for topic, arn in self._topics.items()}

    def _of(self, topic_arn: str) -> Subscribers:
        pages = self._client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        with translated():
            found = Counter(one["SubscriptionArn"] for page in pages for one in page["Subscriptions"])
        return Subscribers(found.total() - found[_PENDING] - found[_DELETED], found[_PENDING])
