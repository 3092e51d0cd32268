"""Whether anybody hears the alerts: a subscription by mail waits to be confirmed, and one click of anybody ends it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.alerts.kinds import closed
from spillway.domain.decision import Code, Reason

# Who is told first that nobody hears a topic: most likely somebody whose work it is.
_TOLD = (Topic.OPERATIONS, Topic.COST, Topic.SCALE)


@dataclass(frozen=True)
class Subscribers:
    """How many subscriptions a topic has that get what is published, and how many that wait to be confirmed."""

    confirmed: int = 0
    pending: int = 0


def tell(
    stack: str, found: Mapping[Topic, Subscribers], told: Set[str], region: str, now: datetime
) -> tuple[list[Alert], frozenset[str]]:
    """Return an alert for each topic that nobody hears any more and each that is heard again, and what is told by then.

    Each goes over a topic that somebody hears; where there is none, nothing is told, and it is due at the next look.
    """
    heard = next((topic for topic in _TOLD if found[topic].confirmed), None)
    if heard is None:
        return [], frozenset(told)
    unheard = {topic.value: topic for topic in Topic if not found[topic].confirmed}
    alerts = [_open(stack, unheard[name], found, heard, region, now) for name in sorted(unheard.keys() - told)]
    alerts += [
        closed(_open(stack, Topic(name), found, heard, region, now), now, Reason(Code.NOBODY_TOLD, "It has one again."))
        for name in sorted(told - unheard.keys())
    ]
    return alerts, frozenset(unheard)


def _open(
    stack: str, topic: Topic, found: Mapping[Topic, Subscribers], heard: Topic, region: str, now: datetime
) -> Alert:
    pending = found[topic].pending
    waiting = f", and {pending} subscription(s) of it wait to be confirmed" if pending else ""
    sentence = f"The topic has no confirmed subscription{waiting}."
    return Alert(
        id=f"subscribers/{topic}/{now:%Y%m%dT%H%M}/{AlertState.OPEN}",
        topic=heard,
        state=AlertState.OPEN,
        severity=Severity.WARNING,
        deployment=stack,
        at=now,
        what=f"{stack}: nobody is told of its {topic} alerts",
        why=Reason(Code.NOBODY_TOLD, sentence, float(found[topic].confirmed), 1.0, "confirmed subscriptions"),
        advice="Confirm by the link in SNS's mail, or subscribe again: aws sns subscribe --protocol email "
        f"--notification-endpoint ADDRESS --region {region} --topic-arn, with the topic's ARN of the stack's outputs.",
    )
