"""Whether anybody hears the alerts: told over a topic that somebody hears, when it ends and when it is over."""

from datetime import timedelta

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.decision import Code
from spillway.services.watch_subscribers import WatchSubscribers
from tests.builders import NOW
from tests.fakes import FakeAlerts, FakeReviews, FakeSubscribers

ALL = {"scale": (1, 0), "cost": (1, 0), "operations": (1, 0)}


class World:
    def __init__(self) -> None:
        self.now, self.alerts, self.subscribers = NOW, FakeAlerts(), FakeSubscribers()
        self.service = WatchSubscribers(
            stack="spillway",
            subscribers=self.subscribers,
            reviews=FakeReviews(),
            alerts=self.alerts,
            region="eu-west-1",
            now=lambda: self.now,
        )
        self.unheard: tuple[str, ...] = ()

    def look(self, **counts: tuple[int, int]) -> list[Alert]:
        """Look an hour after the last time; what is not named has nobody."""
        self.now += timedelta(hours=1)
        self.subscribers.counts = counts
        self.alerts.sent.clear()
        self.unheard = self.service.run().unheard
        return list(self.alerts.sent)


def test_where_all_are_heard_nothing_is_told() -> None:
    world = World()
    assert world.look(**ALL) == []
    assert world.unheard == ()


def test_a_removed_subscription_is_told_over_another_topic_once_and_its_end_once() -> None:
    world = World()
    world.look(**ALL)
    (begun,) = world.look(scale=(1, 0), operations=(1, 0))
    assert world.unheard == ("cost",)
    assert (begun.topic, begun.state, begun.severity) == (Topic.OPERATIONS, AlertState.OPEN, Severity.WARNING)
    assert (begun.why.code, begun.why.observed, begun.why.threshold) == (Code.NOBODY_TOLD, 0, 1)
    assert "cost" in begun.what
    assert "aws sns subscribe" in begun.advice
    assert "--region eu-west-1" in begun.advice
    assert world.look(scale=(1, 0), operations=(1, 0)) == []
    (ended,) = world.look(**ALL)
    assert (ended.state, ended.what) == (AlertState.CLOSED, f"Over: {begun.what}")
    assert world.look(**ALL) == []


def test_a_subscription_that_waits_is_nobody_who_hears() -> None:
    (scale, operations) = sorted(World().look(cost=(2, 0), scale=(0, 1)), key=lambda alert: alert.what)[::-1]
    assert {scale.topic, operations.topic} == {Topic.COST}
    assert "1 subscription(s) of it wait to be confirmed" in scale.why.sentence
    assert "wait" not in operations.why.sentence


def test_where_nobody_hears_anything_it_is_told_as_soon_as_somebody_does() -> None:
    world = World()
    assert world.look(scale=(0, 1), cost=(0, 1), operations=(0, 1)) == []
    assert world.unheard == ("scale", "cost", "operations")
    alerts = world.look(scale=(1, 0), cost=(0, 1), operations=(0, 1))
    assert [alert.topic for alert in alerts] == [Topic.SCALE] * 2
    assert world.look(scale=(0, 0)) == []
    # What was told stays told, and only what is new is told then.
    assert [alert.what for alert in world.look(cost=(1, 0))] == [
        "spillway: nobody is told of its scale alerts",
        "Over: spillway: nobody is told of its cost alerts",
    ]
