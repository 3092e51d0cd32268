"""SNS's subscriptions by mail: they wait to be confirmed, and whoever has a mail's link can end them."""

from typing import Any

from moto.core.responses import ActionResult
from moto.sns.models import Subscription, sns_backends
from moto.sns.responses import SNSResponse

from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.cloud.patches import Patches

_BY_MAIL = ("email", "email-json")
# The sandbox's own, behind every topic: nobody of the stack's users.
COLLECTOR = "sandbox-collector-"


class Subscriptions:
    """What the recipients of mails do; ``install`` lets SNS's lists show it."""

    def __init__(self) -> None:
        self._confirmed: set[str] = set()

    def install(self, patches: Patches) -> None:
        """Answer SNS's lists of subscriptions from here."""
        patches.set(SNSResponse, "list_subscriptions_by_topic", lambda response: self._list(response))

    def confirm(self, address: str, topic: str) -> None:
        """Follow the link in a mail that asks to confirm; ``topic`` is a part of the topic's ARN."""
        self._confirmed |= {one.arn for one in _to(address, topic)}

    def unsubscribe(self, address: str, topic: str) -> None:
        """Follow the link at the end of every mail, as a scanner of mails does too."""
        for one in _to(address, topic):
            sns_backends[ACCOUNT][REGION].unsubscribe(one.arn)

    def _list(self, response: Any) -> ActionResult:
        arn = response._get_param("TopicArn")
        found, token = response.backend.list_subscriptions_by_topic(arn, next_token=response._get_param("NextToken"))
        listed = [self._described(one) for one in found if COLLECTOR not in one.endpoint]
        return ActionResult({"Subscriptions": listed, **({"NextToken": token} if token else {})})

    def _described(self, one: Subscription) -> dict[str, str]:
        waits = one.protocol in _BY_MAIL and one.arn not in self._confirmed
        return {
            "SubscriptionArn": "PendingConfirmation" if waits else one.arn,
            "Owner": ACCOUNT,
            "Protocol": one.protocol,
            "Endpoint": one.endpoint,
            "TopicArn": one.topic_arn,
        }


def _to(address: str, topic: str) -> list[Subscription]:
    every = sns_backends[ACCOUNT][REGION].subscriptions.values()
    return [one for one in every if one.endpoint == address and topic in one.topic_arn]
