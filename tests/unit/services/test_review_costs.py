"""The hourly review: what it tells of, once when it begins and once when it ends, and what it remembers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.costs.credits import Credit, CreditLedger
from spillway.domain.decision import Code
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Retryable
from spillway.domain.observations.usage import HourOfTraffic, Hours, Traffic
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.pricing.throughput import benchmarks
from spillway.services.manage_credits import ManageCredits
from spillway.services.review_costs import STACK, ReviewCosts, Reviewed
from spillway.services.show_costs import ShowCosts
from tests.builders import NOW, SPILL_MODEL, a_deployment, a_price_book, a_spec, an_instance_time
from tests.fakes import FakeAlerts, FakeCredits, FakeDecisions, FakeDeployments, FakeReviews, FakeUsageLog

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A review at half past nine looks at the hours up to nine.
UNTIL = NOW.replace(minute=0)
OLD = NOW - timedelta(days=30)
FLEET = a_deployment(created_at=OLD)


def on_bedrock(created_at: datetime = OLD) -> Deployment:
    capacity = {"instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 100_000}
    spec = a_spec(path="bedrock", capacity=capacity, spill=None)
    return a_deployment(spec=spec, target=BedrockTarget(SPILL_MODEL, "converse"), created_at=created_at)


class World:
    """An hour of an instance costs $3.60, a million prompt tokens $1 on Bedrock."""

    def __init__(self, *deployments: Deployment, prices: PriceBook | None = None) -> None:
        self.now = NOW
        self.deployments, self.usage = FakeDeployments(*deployments), FakeUsageLog()
        self.decisions, self.reviews, self.alerts = FakeDecisions(), FakeReviews(), FakeAlerts()
        self.credits = FakeCredits()
        book = prices or a_price_book()
        costs = ShowCosts(self.deployments, self.usage, lambda: book, benchmarks(), "us-east-1", lambda: self.now)
        self.service = ReviewCosts(
            stack="spillway",
            deployments=self.deployments,
            usage=self.usage,
            decisions=self.decisions,
            reviews=self.reviews,
            credits=ManageCredits(self.credits, costs, lambda: self.now),
            alerts=self.alerts,
            prices=lambda: book,
            benchmarks=benchmarks(),
            region="us-east-1",
            now=lambda: self.now,
        )

    def ran(self, hour: datetime, usd: float, name: str = "support-llama") -> None:
        """Instances cost so much in an hour."""
        self.usage.put_instance_times([an_instance_time(name, hour=hour, seconds=3600, usd_per_hour=usd)])

    def answered(self, hour: datetime, millions: float, path: str = "fleet", name: str = "support-llama") -> None:
        """So many prompt tokens in an hour."""
        traffic = Traffic(100, 0, round(millions * 1e6))
        self.usage.by_hour.setdefault(name, []).append(HourOfTraffic(hour, "primary", path, "key_a", traffic))

    def review(self, after: timedelta = timedelta()) -> list[Alert]:
        """The alerts of one review."""
        self.now += after
        self.alerts.sent.clear()
        self.service.run()
        return list(self.alerts.sent)


def told(alerts: list[Alert]) -> list[tuple[str, AlertState]]:
    return [(alert.why.code, alert.state) for alert in alerts]


def test_a_fleet_that_was_dearer_than_bedrock_for_a_day_is_told_of_until_it_is_not() -> None:
    world = World(FLEET)
    for back in range(1, 25):
        # $3.60 an hour for what costs $1 on Bedrock: $86.40 and $24 a day.
        world.ran(UNTIL - back * HOUR, 3.6)
        world.answered(UNTIL - back * HOUR, 1.0)
    (alert,) = world.review()
    assert (alert.why.code, alert.state, alert.topic) == (Code.DEARER_THAN_BEDROCK, AlertState.OPEN, Topic.COST)
    assert "The last 24 hours cost $86.40; Bedrock would have charged $24.00" in alert.why.sentence
    # Five dollars more than Bedrock would be worth telling, or a fifth more: $29 and $28.80.
    assert (alert.why.observed, alert.why.threshold) == (86.4, 29.0)
    assert alert.usd_per_hour == pytest.approx((86.4 - 24) / 24)
    assert world.review() == []
    for ahead in range(24):
        # From now on it is full: $3.60 for what costs $6.
        world.ran(UNTIL + ahead * HOUR, 3.6)
        world.answered(UNTIL + ahead * HOUR, 6.0)
    assert [told(world.review(HOUR)) for _ in range(24)].count([]) == 23
    assert world.reviews.items["support-llama"].open_alerts == frozenset()


@pytest.mark.parametrize(
    ("usd_an_hour", "millions", "is_told"),
    [
        (1.19, 1.0, False),  # $28.56 and $24: less than five dollars more
        (1.22, 1.0, True),  # $29.28
        (11.9, 10.0, False),  # $285.60 and $240: less than a fifth more
        (12.1, 10.0, True),
        (0.2, 0.0, False),  # $4.80 for nothing
        (0.3, 0.0, True),
    ],
)
def test_what_is_worth_telling_is_a_fifth_more_and_five_dollars(
    usd_an_hour: float, millions: float, is_told: bool
) -> None:
    world = World(replace(FLEET, created_at=NOW - 2 * DAY))
    for back in range(1, 25):
        world.ran(UNTIL - back * HOUR, usd_an_hour)
        world.answered(UNTIL - back * HOUR, millions)
    assert bool(world.review()) is is_told


def test_less_than_a_day_or_an_unknown_price_is_no_reason() -> None:
    young, unpriced = World(replace(FLEET, created_at=NOW - 20 * HOUR)), World(FLEET, prices=a_price_book(bedrock={}))
    for world in (young, unpriced):
        for back in range(1, 20):
            world.ran(UNTIL - back * HOUR, 3.6)
            world.answered(UNTIL - back * HOUR, 0.1)
        assert world.review() == []


def test_an_hour_that_cost_much_more_than_a_week_ago_is_told_of() -> None:
    world = World(on_bedrock())
    last_week = UNTIL - HOUR - 7 * DAY
    world.answered(last_week, 10.0, "bedrock")
    world.answered(UNTIL - HOUR, 21.0, "bedrock")
    (alert,) = world.review()
    assert told([alert]) == [(Code.COST_ANOMALY, AlertState.OPEN)]
    assert (alert.why.observed, alert.why.threshold, alert.usd_per_hour) == (21.0, 20.0, 11.0)
    assert "GET /costs?group_by=key&deployment=support-llama" in alert.advice
    # $16 instead of $10 is not over yet, $14 is.
    for hour, millions in ((UNTIL, 16.0), (UNTIL + HOUR, 14.0)):
        world.answered(hour - 7 * DAY, 10.0, "bedrock")
        world.answered(hour, millions, "bedrock")
    assert world.review(HOUR) == []
    assert told(world.review(HOUR)) == [(Code.COST_ANOMALY, AlertState.CLOSED)]


def test_a_small_hour_or_a_young_deployment_is_no_anomaly() -> None:
    small, young = World(on_bedrock()), World(on_bedrock(created_at=NOW - 6 * DAY))
    small.answered(UNTIL - HOUR, 4.9, "bedrock")
    young.answered(UNTIL - HOUR, 100.0, "bedrock")
    assert [alert for world in (small, young) for alert in world.review() if alert.why.code is Code.COST_ANOMALY] == []


def week_on_bedrock(world: World, millions: float, days: int = 8) -> None:
    for back in range(1, 24 * days + 1):
        world.answered(UNTIL - back * HOUR, millions, "bedrock")


def test_a_fleet_that_would_pay_is_noted_daily_and_told_of_when_it_turns() -> None:
    world = World(on_bedrock())
    # $6 an hour on Bedrock; an instance, planned with 4.8 million tokens an hour, spills the rest for $1.20.
    week_on_bedrock(world, 6.0)
    (alert,) = world.review()
    assert (alert.why.code, alert.state, alert.severity) == (Code.FLEET_PAYS, AlertState.OPEN, Severity.INFO)
    assert alert.why.threshold == pytest.approx(0.9 * 168 * 6.0)
    assert alert.usd_per_hour == pytest.approx(-1.2, abs=0.05)
    shadow = world.reviews.items["support-llama"].shadow
    assert shadow is not None
    assert (shadow.pays, shadow.hours) == (True, 168)
    assert shadow.bedrock_usd == pytest.approx(168 * 6.0)
    # Once a day, by the first review after midnight.
    assert world.review(HOUR) == []
    assert len(world.decisions.items["support-llama"]) == 1
    world.answered(UNTIL, 6.0, "bedrock")
    assert world.review(DAY) == []
    (_, first), (_, second) = world.decisions.items["support-llama"]
    assert first.reason.code is second.reason.code is Code.FLEET_PAYS
    # A week later nothing is asked for any more.
    assert told(world.review(8 * DAY)) == [(Code.FLEET_PAYS, AlertState.CLOSED)]
    assert world.decisions.items["support-llama"][-1][1].reason.code is Code.BEDROCK_PAYS


def test_a_deployment_of_less_than_a_day_has_no_answer_yet_and_a_young_one_has_its_whole_life() -> None:
    world = World(on_bedrock(created_at=NOW - 23 * HOUR))
    week_on_bedrock(world, 6.0, days=1)
    assert world.review() == []
    assert (world.decisions.items, world.reviews.items["support-llama"].shadow) == ({}, None)
    assert told(world.review(2 * HOUR)) == [(Code.FLEET_PAYS, AlertState.OPEN)]
    shadow = world.reviews.items["support-llama"].shadow
    assert shadow is not None
    # From ten o'clock on the day before, when it was made, to eleven.
    assert shadow.hours == 25


def test_a_deployment_that_goes_or_comes_again_under_the_same_name_owes_nothing() -> None:
    world = World(on_bedrock())
    week_on_bedrock(world, 6.0)
    world.review()
    gone = replace(on_bedrock(), status=Status.RETIRING)
    world.deployments.items["support-llama"] = gone
    (ended,) = world.review(HOUR)
    assert (ended.state, ended.why.sentence) == (AlertState.CLOSED, "The deployment is being retired.")
    world.review()
    world.deployments.items["support-llama"] = replace(gone, status=Status.RETIRED)
    assert world.service.run() == Reviewed(0, 0)
    world.deployments.items["support-llama"] = on_bedrock(created_at=world.now + HOUR)
    assert world.review(2 * HOUR) == []
    assert world.reviews.items["support-llama"].shadow is None


class HalfBrokenUsage(FakeUsageLog):
    """``errors`` are raised for the deployments that they are about."""

    def __init__(self, errors: Mapping[str, Exception]) -> None:
        super().__init__()
        self.errors = errors

    def hours(self, deployment: str, since: datetime, until: datetime) -> Hours:
        if deployment in self.errors:
            raise self.errors[deployment]
        return super().hours(deployment, since, until)


@pytest.mark.parametrize("error", [Retryable("throttled"), ValueError("broken")])
def test_one_that_fails_keeps_nobody_else_from_theirs(error: Exception) -> None:
    world = World(a_deployment("broken", created_at=OLD), FLEET)
    world.service = replace(world.service, usage=HalfBrokenUsage({"broken": error}))
    if isinstance(error, Retryable):
        world.service.run()
    else:
        with pytest.raises(ExceptionGroup):
            world.service.run()
    assert set(world.reviews.items) == {"support-llama", STACK}


def grants(*credits: tuple[str, float], **changes: Any) -> CreditLedger:
    made = tuple(Credit(name=name, usd=usd) for name, usd in credits)
    return CreditLedger(made, NOW - DAY, **changes)


def test_credits_that_will_not_last_are_told_of_at_a_month_and_at_a_week() -> None:
    world = World(FLEET)
    world.credits.ledger = grants(("activate", 300.0))
    for back in range(1, 24 * 7 + 10):
        # $24 a day.
        world.ran(UNTIL - back * HOUR, 1.0)
        world.answered(UNTIL - back * HOUR, 10.0)
    (low,) = world.review()
    # Stated a day ago, at half past nine: $24 went since 09:00 of that day. $276 pay for eleven and a half days.
    assert (low.why.code, low.deployment, low.topic) == (Code.CREDITS_LOW, "spillway", Topic.COST)
    assert (low.why.observed, low.why.threshold, low.why.unit) == (11, 30, "days")
    assert low.what == "spillway: AWS credits cover no more than the days before 2026-12-05"
    assert low.why.sentence == "$276.00 are left, and $24.00 a day are used."
    assert world.review(HOUR) == []
    world.credits.ledger = grants(("activate", 100.0))
    (lower,) = world.review(DAY)
    assert (lower.why.threshold, lower.state) == (7, AlertState.OPEN)
    world.credits.ledger = grants(("activate", 100_000.0))
    (over,) = world.review(DAY)
    assert (over.state, over.severity) == (AlertState.CLOSED, Severity.INFO)
    assert world.review(DAY) == []
