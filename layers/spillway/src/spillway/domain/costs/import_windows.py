"""What an imported model is billed for: windows of its copy, and its storage.

A window is five minutes of all custom model units of a copy, and begins with the first answer after the last one's
end (Bedrock's user guide, "Calculate the cost of running a custom model"). How many copies run at a time only Bedrock
knows: one is counted, which is the least.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.import_windows.constants import MINUTES_PER_WINDOW
from spillway.domain.observations.hours import hour_at
from spillway.domain.observations.instance_lifetimes import InstanceLifetime, hours_lived
from spillway.domain.observations.traffic import Load
from spillway.domain.observations.usage import InstanceTime
from spillway.domain.paths.targets import ImportedTarget
from spillway.domain.pricing.price_book import MODEL_UNIT, STORED_UNIT, PriceBook

WINDOW = timedelta(minutes=MINUTES_PER_WINDOW)


def windows_of(load: Load, since: datetime, until: datetime, paid_until: datetime | None) -> list[datetime]:
    """Return when the windows begin that were opened in the minutes from ``since`` on and before ``until``.

    ``paid_until`` is the end of the last one before them, None where there was none.
    """
    begun: list[datetime] = []
    for at in sorted(minute.at for minute in load.minutes if minute.primary_requests and since <= minute.at < until):
        if paid_until is None or at >= paid_until:
            begun.append(at)
            paid_until = at + WINDOW
    return begun


def units_of(deployment: Deployment) -> int | None:
    """Return the custom model units that one copy takes, None where that is not known."""
    target = deployment.target
    return target.units_per_copy if isinstance(target, ImportedTarget) else None


def window_times(
    deployment: Deployment, units: int, begun: list[datetime], prices: PriceBook, region: str
) -> Iterator[InstanceTime]:
    """Yield the windows as unit time, each in the hour in which it began."""
    for at in begun:
        seconds = round(WINDOW.total_seconds()) * units
        yield _unit_time(deployment, MODEL_UNIT, f"window-{at:%H%M}", hour_at(at), seconds, prices, region)


def storage_times(
    deployment: Deployment, units: int, since: datetime, now: datetime, prices: PriceBook, region: str
) -> Iterator[InstanceTime]:
    """Yield the unit time in which the model was stored, for the hours from that of ``since`` on."""
    stored = InstanceLifetime("storage", STORED_UNIT, deployment.created_at, answered_at=deployment.created_at)
    for hour, seconds, _ in hours_lived(stored, since, now):
        yield _unit_time(deployment, STORED_UNIT, stored.id, hour, seconds * units, prices, region)


def _unit_time(
    deployment: Deployment, kind: str, name: str, hour: datetime, seconds: int, prices: PriceBook, region: str
) -> InstanceTime:
    price = prices.instance(deployment.spec.path, kind, region)
    return InstanceTime(
        deployment=deployment.name,
        hour=hour,
        path=deployment.spec.path,
        instance_type=kind,
        instance=name,
        seconds=seconds,
        warm_up_seconds=0,
        usd_per_hour=price.usd_per_hour if price else None,
    )
