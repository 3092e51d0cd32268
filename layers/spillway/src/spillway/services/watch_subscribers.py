"""The look at who hears the alerts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.alerts.subscribers import tell
from spillway.domain.review.record import Review
from spillway.ports import Alerts, Reviews, TopicSubscribers

logger = logging.getLogger(__name__)

# No deployment can have this name.
_MEMORY = "#subscribers"


@dataclass(frozen=True)
class Watched:
    """The topics that nobody hears."""

    unheard: tuple[str, ...]


@dataclass(frozen=True)
class WatchSubscribers:
    """``run`` looks once; each topic is told of once when it has lost its last subscriber, and once when it has one."""

    stack: str
    subscribers: TopicSubscribers
    reviews: Reviews
    alerts: Alerts
    region: str
    now: Callable[[], datetime]

    def run(self) -> Watched:
        """Look, and tell whoever still hears another topic."""
        now, found = self.now(), self.subscribers.count()
        unheard = tuple(topic.value for topic, seen in found.items() if not seen.confirmed)
        if unheard:
            logger.warning("nobody hears", extra={"topics": unheard})
        before = self.reviews.load([_MEMORY]).get(_MEMORY)
        told = before.open_alerts if before else frozenset()
        alerts, told_by_now = tell(self.stack, found, told, self.region, now)
        for alert in alerts:
            self.alerts.send(alert)
        if told_by_now != told:
            self.reviews.save(_MEMORY, Review(now, told_by_now))
        return Watched(unheard)
