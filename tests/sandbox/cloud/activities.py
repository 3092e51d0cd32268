"""The scaling activities of Auto Scaling groups, and the events that tell of them."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.ports import Emit

LAUNCH_OK = "EC2 Instance Launch Successful"
LAUNCH_FAILED = "EC2 Instance Launch Unsuccessful"
TERMINATED = "EC2 Instance Terminate Successful"


@dataclass
class Activity:
    """One scaling activity; the fields are those of DescribeScalingActivities."""

    group: Any
    description: str
    cause: str
    started: datetime
    instance_id: str = ""
    zone: str = ""
    status: str = "InProgress"
    message: str = ""
    ended: datetime | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def describe(self) -> dict[str, Any]:
        """Return the activity as the API shows it."""
        ended = {"EndTime": self.ended} if self.ended else {}
        message = {"StatusMessage": self.message} if self.message else {}
        return {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group.name,
            "AutoScalingGroupARN": self.group.arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.started,
            "StatusCode": self.status,
            "Progress": 50 if self.status == "InProgress" else 100,
            "Details": f'{{"Subnet ID":"{self.group.vpc_zone_identifier or ""}","Availability Zone":"{self.zone}"}}',
            **ended,
            **message,
        }


class Activities:
    """All activities, newest first in every answer."""

    def __init__(self, clock: SandboxClock, emit: Emit) -> None:
        self._clock = clock
        self._emit = emit
        self._all: list[Activity] = []

    def begin(self, group: Any, description: str, cause: str, instance_id: str = "", zone: str = "") -> Activity:
        """Record that an activity has begun."""
        activity = Activity(group, description, cause, self._clock.now(), instance_id, zone)
        self._all.append(activity)
        return activity

    def succeed(self, activity: Activity, event: str) -> None:
        """Record that it ended well, and tell."""
        self._end(activity, "Successful", "", event)

    def fail(self, activity: Activity, message: str, event: str | None) -> None:
        """Record why it failed, and tell."""
        self._end(activity, "Failed", message, event)

    def cancel(self, activity: Activity, message: str, event: str) -> None:
        """Record why it was given up, and tell."""
        self._end(activity, "Cancelled", message, event)

    def describe(self, group: str | None) -> list[dict[str, Any]]:
        """Return the activities of one group, or of all."""
        return [found.describe() for found in reversed(self._all) if group is None or found.group.name == group]

    def _end(self, activity: Activity, status: str, message: str, event: str | None) -> None:
        activity.status, activity.message, activity.ended = status, message, self._clock.now()
        if event is None:
            return
        # A launch that succeeds says "InProgress" there, as on AWS.
        detail = {
            "StatusCode": "InProgress" if status == "Successful" else status,
            "AutoScalingGroupName": activity.group.name,
            "ActivityId": activity.id,
            "Description": activity.description,
            "Details": {"Availability Zone": activity.zone, "Subnet ID": activity.group.vpc_zone_identifier or ""},
            "RequestId": activity.id,
            "StatusMessage": message,
            "StartTime": activity.started.isoformat(),
            "EndTime": activity.ended.isoformat(),
            "EC2InstanceId": activity.instance_id,
            "Cause": activity.cause,
            "Origin": "AutoScalingGroup" if event == TERMINATED else "EC2",
            "Destination": "EC2" if event == TERMINATED else "AutoScalingGroup",
        }
        self._emit("aws.autoscaling", event, detail)


def insufficient_capacity(instance_type: str, zone: str, mixed: bool) -> str:
    """Return EC2's sentence for a type that has no capacity, as Auto Scaling passes it on."""
    sentence = (
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
        f"({zone}). Our system will be working on provisioning additional capacity. "
        f"You can currently get {instance_type} capacity by not specifying an Availability Zone in your request. "
        "Launching EC2 instance failed."
    )
    return f"Could not launch On-Demand Instances. InsufficientInstanceCapacity - {sentence}" if mixed else sentence


def quota_exceeded(limit: int) -> str:
    """Return EC2's sentence for an account whose vCPU quota does not cover the launch (VcpuLimitExceeded)."""
    return (
        f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance bucket "
        "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
        "request an adjustment to this limit. Launching EC2 instance failed."
    )


def not_supported(instance_type: str, zone: str, zones: Iterable[str]) -> str:
    """Return EC2's sentence for a type that a zone does not have (Unsupported); ``zones`` are those that do."""
    elsewhere = ", ".join(sorted(zones))
    return (
        f"Your requested instance type ({instance_type}) is not supported in your requested Availability Zone "
        f"({zone}). Please retry your request by not specifying an Availability Zone"
        f"{f' or choosing {elsewhere}' if elsewhere else ''}. Launching EC2 instance failed."
    )
