"""What an Auto Scaling group's description says about a fleet's capacity."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spillway.domain.observations.capacity import Capacity

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import ActivityTypeDef, AutoScalingGroupTypeDef, InstanceTypeDef

# How Auto Scaling words a launch that failed for want of capacity or quota.
_NO_CAPACITY = re.compile(
    r"capacity|VcpuLimitExceeded|vCPU limit|InstanceLimitExceeded|MaxSpotInstanceCountExceeded|SpotMaxPriceTooLow"
    r"|not supported in your requested Availability Zone|quota",
    re.IGNORECASE,
)


def capacity_of(
    group: "AutoScalingGroupTypeDef", wanted_type: str | None, is_ready: "Callable[[InstanceTypeDef], bool]"
) -> Capacity:
    """Count a group's instances: those that answer, those that are billed and may answer later.

    Instances on their way out count as neither.
    """
    alive = [one for one in group.get("Instances", []) if not _is_leaving(one)]
    ready = [one for one in alive if is_ready(one)]
    running = (ready or alive)[:1]
    return Capacity(
        desired=group["DesiredCapacity"],
        ready=len(ready),
        starting=len(alive) - len(ready),
        instance_type=running[0].get("InstanceType", wanted_type) if running else wanted_type,
    )


def in_service(instance: "InstanceTypeDef") -> bool:
    """Whether the group lets an instance take traffic; its hook has waited for the engine before."""
    return instance["LifecycleState"] == "InService" and instance["HealthStatus"].lower() == "healthy"


def refusal(activities: "Sequence[ActivityTypeDef]", mark: str | None) -> str | None:
    """Return AWS's sentence about the newest launch that failed for want of capacity since the mark, if any."""
    for activity in activities:
        if activity["ActivityId"] == mark:
            return None
        sentence = activity.get("StatusMessage", "")
        if activity["StatusCode"] == "Failed" and _NO_CAPACITY.search(sentence):
            return sentence
    return None


def _is_leaving(instance: "InstanceTypeDef") -> bool:
    return instance["LifecycleState"].startswith(("Terminat", "Detach", "Standby", "EnteringStandby", "Quarantined"))
