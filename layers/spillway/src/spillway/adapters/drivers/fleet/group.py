"""The Auto Scaling group of a fleet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import code_of, is_gone, there_already_is_fine, translated
from spillway.adapters.aws.tags import expect_owned, is_owned, tag_list, tags_of
from spillway.adapters.drivers.fleet.config import HOOK_NAME, HOOK_SECONDS, FleetConfig
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.spec import DeploymentSpec

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import ActivityTypeDef, AutoScalingGroupTypeDef

# The newest scaling activity before the last change of the desired number: what failed since then failed this time.
MARK_TAG = "spillway:scaled-after"
_ACTIVITIES = 20


@dataclass(frozen=True)
class Group:
    """One group for each fleet, under the fleet's name. Spillway alone decides its size: it has no scaling policy."""

    config: FleetConfig
    autoscaling: "AutoScalingClient"

    def describe(self, names: Names) -> "AutoScalingGroupTypeDef | None":
        """Return the group as AWS describes it, None when there is none; Conflict for another owner's."""
        group = self._named(names)
        if group:
            expect_owned(names, f"Auto Scaling group {names.base}", tags_of(group.get("Tags")))
        return group

    def find(self, names: Names) -> "AutoScalingGroupTypeDef | None":
        """Return the group as AWS describes it, None when the deployment has none."""
        group = self._named(names)
        return group if group and is_owned(names, tags_of(group.get("Tags"))) else None

    def create(
        self, spec: DeploymentSpec, names: Names, target_group_arn: str, desired: int, subnet_ids: Sequence[str]
    ) -> None:
        """Make the group; one that another call has just made stays as it is."""
        with translated(), there_already_is_fine():
            self.autoscaling.create_auto_scaling_group(
                AutoScalingGroupName=names.base,
                MinSize=0,
                MaxSize=max(spec.capacity.max, desired),
                DesiredCapacity=desired,
                MixedInstancesPolicy=mixed_instances(spec, names),
                VPCZoneIdentifier=",".join(subnet_ids),
                TargetGroupARNs=[target_group_arn],
                HealthCheckType="ELB",
                # The hook has waited for the engine already; this is for the balancer's own first checks.
                HealthCheckGracePeriod=90,
                DefaultInstanceWarmup=60,
                CapacityRebalance=_is_spot(spec),
                LifecycleHookSpecificationList=[
                    {
                        "LifecycleHookName": HOOK_NAME,
                        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                        "HeartbeatTimeout": HOOK_SECONDS,
                        "DefaultResult": "ABANDON",
                    }
                ],
                Tags=[{"Key": tag["Key"], "Value": tag["Value"], "PropagateAtLaunch": True} for tag in tag_list(names)],
            )

    def resize(self, spec: DeploymentSpec, names: Names, desired: int, subnet_ids: Sequence[str]) -> None:
        """Ask an existing group for what the spec says by now, and mark where its activities stood before."""
        newest = self.activities(names, limit=1)
        with translated():
            if newest:
                self.autoscaling.create_or_update_tags(
                    Tags=[
                        {
                            "ResourceId": names.base,
                            "ResourceType": "auto-scaling-group",
                            "Key": MARK_TAG,
                            "Value": newest[0]["ActivityId"],
                            "PropagateAtLaunch": False,
                        }
                    ]
                )
            self.autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=names.base,
                MaxSize=max(spec.capacity.max, desired),
                DesiredCapacity=desired,
                MixedInstancesPolicy=mixed_instances(spec, names),
                VPCZoneIdentifier=",".join(subnet_ids),
                CapacityRebalance=_is_spot(spec),
            )

    def activities(self, names: Names, limit: int = _ACTIVITIES) -> "list[ActivityTypeDef]":
        """Return the group's last scaling activities, newest first."""
        with translated():
            found = self.autoscaling.describe_scaling_activities(AutoScalingGroupName=names.base, MaxRecords=limit)
        return found["Activities"]

    def delete(self, names: Names) -> None:
        """Delete the group with its instances; one that is gone or going is fine."""
        with translated():
            try:
                self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=names.base, ForceDelete=True)
            except ClientError as err:
                if not is_gone(err) and code_of(err) != "ScalingActivityInProgress":
                    raise

    def _named(self, names: Names) -> "AutoScalingGroupTypeDef | None":
        with translated():
            found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[names.base])
        groups = found["AutoScalingGroups"]
        return groups[0] if groups else None


def mixed_instances(spec: DeploymentSpec, names: Names) -> Any:
    """Return the types to try, in the user's order on demand, and wherever capacity is deepest and cheapest on spot."""
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": names.base, "Version": "$Latest"},
            "Overrides": [{"InstanceType": name} for name in spec.wanted_instance_types],
        },
        "InstancesDistribution": {
            "OnDemandBaseCapacity": 0,
            "OnDemandPercentageAboveBaseCapacity": _on_demand_share(spec),
            "OnDemandAllocationStrategy": "prioritized",
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }


def is_fitting(group: "AutoScalingGroupTypeDef", spec: DeploymentSpec, desired: int, subnet_ids: Sequence[str]) -> bool:
    """Whether a group wants so many instances, of the types, there, and from the market that the spec asks for."""
    policy = group.get("MixedInstancesPolicy", {})
    types = [one.get("InstanceType") for one in policy.get("LaunchTemplate", {}).get("Overrides", [])]
    share = policy.get("InstancesDistribution", {}).get("OnDemandPercentageAboveBaseCapacity")
    subnets = {*group.get("VPCZoneIdentifier", "").split(",")}
    return (group["DesiredCapacity"], group["MaxSize"], types, share, subnets) == (
        desired,
        max(spec.capacity.max, desired),
        list(spec.wanted_instance_types),
        _on_demand_share(spec),
        {*subnet_ids},
    )


def _is_spot(spec: DeploymentSpec) -> bool:
    return spec.capacity.market == "spot"


def _on_demand_share(spec: DeploymentSpec) -> int:
    return 0 if _is_spot(spec) else 100


def mark_of(group: "AutoScalingGroupTypeDef") -> str | None:
    """Return the id of the activity that was the newest when the group was last resized."""
    return next((tag.get("Value") for tag in group.get("Tags", []) if tag["Key"] == MARK_TAG), None)
