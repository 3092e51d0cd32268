"""The sweep: what still carries our tags and belongs to nothing is found, priced and told of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.status import Status
from spillway.domain.paths.profile import CapacitySource
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.review.leftovers import leftovers, tell
from spillway.ports import Alerts, Deployments, Reviews, Tagged

# No deployment can have this name.
_MEMORY = "#leftovers"


@dataclass(frozen=True)
class Swept:
    """How many tagged resources were seen, how many of them are nobody's, and the alerts about these."""

    seen: int
    leftovers: int
    alerts: int


@dataclass(frozen=True)
class Sweep:
    """``run`` looks once and removes nothing: what is nobody's in the tables may be somebody's in their head."""

    stack: str
    deployments: Deployments
    tagged: Tagged
    reviews: Reviews
    alerts: Alerts
    prices: Callable[[], PriceBook]
    region: str
    now: Callable[[], datetime]

    def run(self) -> Swept:
        """Look, and tell of each leftover once when it is found and once when it is gone."""
        now, inventory = self.now(), self.deployments.all()
        endpoints = {
            Names(self.stack, one.name).base
            for one in inventory.deployments
            if one.spec.profile.capacity is CapacitySource.ENDPOINT
            if one.status not in (Status.RETIRED, Status.FAILED)
        }
        resources = self.tagged.find(endpoints)
        owners = {one.name: one for one in inventory.deployments}
        found = leftovers(resources, owners, set(inventory.unreadable), now)
        before = self.reviews.load([_MEMORY]).get(_MEMORY)
        alerts, memory = tell(self.stack, found, before, self.prices(), self.region, now)
        for alert in alerts:
            self.alerts.send(alert)
        if before is None or memory.open_alerts != before.open_alerts:
            self.reviews.save(_MEMORY, memory)
        return Swept(len(resources), len(found), len(alerts))
