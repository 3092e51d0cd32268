"""Auto Scaling, asked which group an instance belongs to."""

from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient


class AutoScalingInstanceGroups:
    """Implements the ``InstanceGroups`` port."""

    def __init__(self, client: "AutoScalingClient") -> None:
        self._client = client

    def group_of(self, instance_id: str) -> str | None:
        """Return the group's name, None for an instance in no group."""
        with translated():
            answer = self._client.describe_auto_scaling_instances(InstanceIds=[instance_id])
        instances = answer["AutoScalingInstances"]
        return instances[0]["AutoScalingGroupName"] if instances else None
