"""The hourly review: what the last hours cost, held against the other path, against last week, and against credits."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from spillway.domain.costs.ledger import Part, parts_of, total
from spillway.domain.costs.month import MICRO
from spillway.domain.costs.other_paths import hours_used, other_paths
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.hours import hour_at
from spillway.domain.observations.usage import Hours
from spillway.domain.paths.path import Billing, Path
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.pricing.throughput import Benchmarks, Throughput
from spillway.domain.review.credits import judge_credits
from spillway.domain.review.record import Review, Shadow, life_of
from spillway.domain.review.shadow import HourOnBedrock, decision_of, shadow_of
from spillway.domain.review.states import Facts, judge
from spillway.ports import Alerts, Decisions, Deployments, Reviews, UsageLog
from spillway.services.manage_credits import ManageCredits
from spillway.services.per_deployment import raise_unexpected

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_PARALLEL = 8
# No deployment can have this name.
STACK = "#stack"


@dataclass(frozen=True)
class Reviewed:
    """What one run saw and sent."""

    deployments: int
    alerts: int


@dataclass(frozen=True)
class ReviewCosts:
    """``run`` is one review. It may be repeated: what was told once is remembered a deployment at a time."""

    stack: str
    deployments: Deployments
    usage: UsageLog
    decisions: Decisions
    reviews: Reviews
    credits: ManageCredits
    alerts: Alerts
    prices: Callable[[], PriceBook]
    benchmarks: Benchmarks
    region: str
    now: Callable[[], datetime]

    def run(self) -> Reviewed:
        """Review every deployment once, then the credits; one whose turn fails keeps nobody else from theirs."""
        now = self.now().astimezone(UTC)
        living = [one for one in self.deployments.all().deployments if one.status is not Status.RETIRED]
        before = self.reviews.load([STACK, *(one.name for one in living)])
        prices = self.prices()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            turns = {
                one.name: pool.submit(self._one, one, life_of(before.get(one.name), one), prices, now) for one in living
            }
        sent = sum(turn.result() for turn in turns.values() if turn.exception() is None)
        sent += self._credits(before.get(STACK), now)
        raise_unexpected("review", turns)
        return Reviewed(len(living), sent)

    def _one(self, deployment: Deployment, before: Review | None, prices: PriceBook, now: datetime) -> int:
        until = hour_at(now)
        shadow = before.shadow if before else None
        if _needs_shadow(deployment, before, now):
            shadow = self._shadow(deployment, prices, until)
            if (answer := decision_of(shadow, deployment)) is not None:
                self.decisions.add(deployment.name, answer, now)
        facts = self._facts(deployment, prices, until, shadow)
        alerts, review = judge(deployment, facts, before, Review(now, shadow=shadow))
        for alert in alerts:
            self.alerts.send(alert)
        self.reviews.save(deployment.name, review)
        return len(alerts)

    def _facts(self, deployment: Deployment, prices: PriceBook, until: datetime, shadow: Shadow | None) -> Facts:
        hours = self.usage.hours(deployment.name, until - _DAY, until)
        parts = self._parts(deployment, hours, prices)
        there = [
            other_paths(deployment, used, prices, self.region, _unknown_capacity).get(Path.BEDROCK)
            for used in hours_used(hours).values()
        ]
        known = [usd for usd in there if usd is not None]
        is_whole = deployment.created_at <= until - _DAY and len(known) == len(there)
        last_week = None
        if deployment.created_at <= until - _HOUR - _WEEK:
            then = self.usage.hours(deployment.name, until - _HOUR - _WEEK, until - _WEEK)
            last_week = total([part.amounts for part in self._parts(deployment, then, prices)])
        return Facts(
            day=total([part.amounts for part in parts]),
            day_on_bedrock=sum(known) if is_whole else None,
            hour=total([part.amounts for part in parts if part.hour == until - _HOUR]),
            hour_last_week=last_week,
            shadow=shadow,
        )

    def _shadow(self, deployment: Deployment, prices: PriceBook, until: datetime) -> Shadow:
        """Price a fleet over the last week, or over the deployment's life where that is shorter."""
        since = max(until - _WEEK, hour_at(deployment.created_at))
        used = by_hour(self._parts(deployment, self.usage.hours(deployment.name, since, until), prices))
        hours = [used.get(since + number * _HOUR, HourOnBedrock()) for number in range((until - since) // _HOUR)]
        return shadow_of(deployment, hours, prices, self.benchmarks, self.region, until)

    def _parts(self, deployment: Deployment, hours: Hours, prices: PriceBook) -> list[Part]:
        return parts_of(deployment, hours, prices, self.region, _unknown_capacity)

    def _credits(self, before: Review | None, now: datetime) -> int:
        """Look at the credits once a day: every hour's usage since they were stated is read for it."""
        if before is not None and before.at.date() == now.date():
            return 0
        alerts, review = judge_credits(self.stack, self.credits.state(), before, now)
        for alert in alerts:
            self.alerts.send(alert)
        self.reviews.save(STACK, review)
        return len(alerts)


def by_hour(parts: Sequence[Part]) -> Mapping[datetime, HourOnBedrock]:
    """Return what each hour's parts used and cost together."""
    hours: dict[datetime, list[Part]] = {}
    for part in parts:
        hours.setdefault(part.hour, []).append(part)
    summed = {hour: total([part.amounts for part in found]) for hour, found in hours.items()}
    return {
        hour: HourOnBedrock(
            one.requests, one.prompt_tokens, one.completion_tokens, one.micro_usd / MICRO if one.is_priced else None
        )
        for hour, one in summed.items()
    }


def _needs_shadow(deployment: Deployment, before: Review | None, now: datetime) -> bool:
    """Whether today's answer is due: of a Bedrock deployment that is a day old, by the first review of a day (UTC)."""
    is_due = before is None or before.shadow is None or before.at.date() < now.date()
    return deployment.spec.path.billing is Billing.TOKEN and now - deployment.created_at >= _DAY and is_due


def _unknown_capacity(_instance_type: str) -> Throughput | None:
    # Utilisation and idle time are not looked at here.
    return None
