"""What still carries the stack's tags, costs money or may begin to, and belongs to no deployment."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.alerts.kinds import closed
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.paths.path import Path
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.review.record import Review

# A workflow that makes or releases something writes what it did a moment later.
_SETTLED_AFTER = timedelta(minutes=15)


class Kind(StrEnum):
    """What can bill by the hour; names as AWS's documentation has them."""

    INSTANCE = "EC2 instance"
    GROUP = "Auto Scaling group"
    ENDPOINT = "SageMaker endpoint"


_PATHS = {Kind.INSTANCE: Path.FLEET, Kind.GROUP: Path.FLEET, Kind.ENDPOINT: Path.JUMPSTART}
_REMOVE = {
    Kind.INSTANCE: "aws ec2 terminate-instances --instance-ids {id}",
    Kind.GROUP: "aws autoscaling delete-auto-scaling-group --force-delete --auto-scaling-group-name {id}",
    Kind.ENDPOINT: "aws sagemaker delete-endpoint --endpoint-name {id}",
}


@dataclass(frozen=True)
class Resource:
    """One tagged resource; ``instance_types`` has an entry for each instance that it runs, as its service writes it."""

    kind: Kind
    id: str
    deployment: str
    since: datetime
    instance_types: tuple[str, ...]

    def usd_per_hour(self, prices: PriceBook, region: str) -> float | None:
        """Return its instances' list price on demand, None where one is unknown."""
        found = [prices.instance(_PATHS[self.kind], name, region) for name in self.instance_types]
        known = [price.usd_per_hour for price in found if price is not None]
        return sum(known) if len(known) == len(found) else None


@dataclass(frozen=True)
class Leftover:
    """A resource, and why it is nobody's."""

    resource: Resource
    why: str


def leftovers(
    resources: Iterable[Resource], deployments: Mapping[str, Deployment], unreadable: Set[str], now: datetime
) -> list[Leftover]:
    """Return what belongs to no deployment; one that cannot be read is taken to own whatever bears its name."""
    found = []
    for resource in resources:
        owner = deployments.get(resource.deployment)
        if resource.deployment in unreadable or now - resource.since < _SETTLED_AFTER:
            continue
        if (why := _why_nobodys(resource, owner, now)) is not None:
            found.append(Leftover(resource, why))
    return found


def tell(
    stack: str,
    found: Sequence[Leftover],
    before: Review | None,
    prices: PriceBook,
    region: str,
    now: datetime,
) -> tuple[list[Alert], Review]:
    """Return an alert for each leftover that is new and each that is gone, and the memory of having told."""
    told = before.open_alerts if before else frozenset()
    by_id = {leftover.resource.id: leftover for leftover in found}
    alerts = [_open(stack, by_id[name], prices, region, now) for name in sorted(by_id.keys() - told)]
    alerts += [_closed(stack, name, now) for name in sorted(told - by_id.keys())]
    return alerts, Review(now, frozenset(by_id))


def _why_nobodys(resource: Resource, owner: Deployment | None, now: datetime) -> str | None:
    name = resource.deployment
    if owner is None:
        return f"No deployment is named {name}." if name else "It bears no deployment's tag."
    if owner.is_claimed(now) or now - owner.updated_at < _SETTLED_AFTER:
        return None
    if owner.status in (Status.RETIRED, Status.FAILED):
        return f"The deployment {name} is {owner.status}."
    if owner.spec.path is not _PATHS[resource.kind]:
        return f"The deployment {name} runs on another path now: {owner.spec.path}."
    return None


def _open(stack: str, leftover: Leftover, prices: PriceBook, region: str, now: datetime) -> Alert:
    resource = leftover.resource
    running = f" with {', '.join(resource.instance_types)}" if resource.instance_types else ""
    sentence = f"{leftover.why} {resource.id} has been there since {resource.since:%Y-%m-%d %H:%M} UTC."
    return Alert(
        id=f"leftovers/{resource.id}/{now:%Y%m%dT%H%M}/{AlertState.OPEN}",
        topic=Topic.COST,
        state=AlertState.OPEN,
        severity=Severity.WARNING,
        deployment=resource.deployment,
        at=now,
        what=f"{stack}: the {resource.kind} {resource.id}{running} belongs to nothing and may cost money",
        why=Reason(Code.LEFT_BEHIND, sentence, float(len(resource.instance_types)), 0.0, "instances"),
        advice=f"If nobody needs it: {_REMOVE[resource.kind].format(id=resource.id)} --region {region}",
        usd_per_hour=resource.usd_per_hour(prices, region),
    )


def _closed(stack: str, name: str, now: datetime) -> Alert:
    # What else it was is known no more.
    why = Reason(Code.LEFT_BEHIND, "It is gone, or belongs to a deployment again.")
    alert = Alert(
        id=f"leftovers/{name}/{now:%Y%m%dT%H%M}/{AlertState.OPEN}",
        topic=Topic.COST,
        state=AlertState.OPEN,
        severity=Severity.WARNING,
        deployment=stack,
        at=now,
        what=f"{stack}: {name} belongs to nothing",
        why=why,
        advice="",
    )
    return closed(alert, now, why)
