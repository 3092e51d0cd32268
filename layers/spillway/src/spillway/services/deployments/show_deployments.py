"""What users see of deployments: lists, one in full, its decisions and its cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.costs.month import Cost, cost_of
from spillway.domain.costs.unpriced import unpriced
from spillway.domain.decision import Decision
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.hours import month_of
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.review.record import Shadow, life_of
from spillway.domain.routing.route import Route
from spillway.ports import Decisions, Deployments, Reviews, Routes, UsageLog

_DECISIONS_SHOWN = 10


@dataclass(frozen=True)
class Detail:
    """One deployment with everything that is known about it now; ``cost`` is that of ``month`` so far.

    ``shadow`` is the last answer to whether a fleet would pay, of a deployment on Bedrock; ``unpriced`` is what it may
    be billed for that has no price.
    """

    deployment: Deployment
    route: Route | None
    month: str
    cost: Cost
    decisions: Sequence[tuple[datetime, Decision]]
    shadow: Shadow | None
    unpriced: Sequence[str]


@dataclass(frozen=True)
class ShowDeployments:
    """Reads, changes nothing."""

    deployments: Deployments
    routes: Routes
    decisions: Decisions
    usage: UsageLog
    reviews: Reviews
    prices: Callable[[], PriceBook]
    region: str
    now: Callable[[], datetime]

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Deployment], str | None]:
        """Return up to ``limit`` deployments that are not retired, and the cursor of the next page."""
        found: list[Deployment] = []
        while True:
            records, cursor = self.deployments.page(limit - len(found), cursor)
            found += [record for record in records if record.status is not Status.RETIRED]
            if cursor is None or len(found) == limit:
                return found, cursor

    def one(self, name: str) -> Detail:
        """Return a deployment in full; a retired one stays to be seen until its name is used again."""
        deployment, month = self.deployments.get(name), month_of(self.now())
        decisions, _ = self.decisions.page(name, _DECISIONS_SHOWN, None)
        cost = cost_of(deployment, self.usage.month(name, month), self.prices(), self.region)
        review = life_of(self.reviews.load([name]).get(name), deployment)
        shadow = review.shadow if review else None
        return Detail(deployment, self.routes.get(name), month, cost, decisions, shadow, self.unpriced(deployment))

    def unpriced(self, deployment: Deployment) -> Sequence[str]:
        """Return what a deployment may be billed for that has no price in force."""
        return unpriced(deployment, self.prices(), self.region)

    def decisions_of(
        self, name: str, limit: int, cursor: str | None
    ) -> tuple[Sequence[tuple[datetime, Decision]], str | None]:
        """Return one page of a deployment's decisions, newest first."""
        self.deployments.get(name)
        return self.decisions.page(name, limit, cursor)
