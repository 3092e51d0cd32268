"""The floor: how many instances must stay up now, by ``capacity.min`` and the warm windows."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.spec import DeploymentSpec, WarmWindow
from spillway.domain.deployments.status import Status

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def floor_at(spec: DeploymentSpec, now: datetime) -> int:
    """Return the smallest number of instances allowed at ``now`` (aware).

    Without a spill target nobody else could answer, so the floor is one unless the user says what waiting costs.
    """
    may_wait = spec.spill is not None or spec.thresholds.waiting_usd_per_request is not None
    alone = 0 if may_wait or not spec.profile.has_instances else 1
    windows = (window.min for window in spec.capacity.warm_windows if is_open(window, now))
    return min(max(spec.capacity.min, alone, *windows, 0), spec.capacity.max)


def out_of_bounds(deployment: Deployment, now: datetime) -> int | None:
    """Return how many instances a deployment at rest has to be brought to; None where its number is within bounds."""
    spec = deployment.spec
    wanted = min(max(deployment.desired, floor_at(spec, now)), spec.capacity.max)
    at_rest = deployment.status in (Status.SERVING, Status.ASLEEP) and not deployment.is_claimed(now)
    return wanted if spec.profile.has_instances and wanted != deployment.desired and at_rest else None


def is_open(window: WarmWindow, now: datetime) -> bool:
    """Whether ``now`` lies in the window, in the window's own time zone.

    A window whose end is not after its start passes midnight and belongs to the day on which it starts.
    """
    local = now.astimezone(ZoneInfo(window.time_zone))
    clock = local.strftime("%H:%M")
    today = _WEEKDAYS[local.weekday()]
    yesterday = _WEEKDAYS[(local - timedelta(days=1)).weekday()]
    if window.from_ < window.to:
        return today in window.days and window.from_ <= clock < window.to
    return (today in window.days and clock >= window.from_) or (yesterday in window.days and clock < window.to)
