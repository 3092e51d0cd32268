"""Which instance an Auto Scaling group launches, or why it cannot."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from moto.ec2.models import ec2_backends

from tests.sandbox.cloud.activities import insufficient_capacity, not_supported, quota_exceeded
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION


class Refused(Exception):
    """No instance can be had; the text is what AWS says."""


@dataclass(frozen=True)
class Plan:
    """One instance to launch."""

    group: Any
    instance_type: str
    zone: str
    subnet: str | None
    spot: bool
    user_data: str | None

    def run(self, ec2: Any, tags: dict[str, str]) -> Any:
        """Make the instance in moto's EC2 and return it."""
        group = self.group
        template = group.ec2_launch_template
        reservation = ec2.run_instances(
            group.image_id,
            1,
            group.user_data,
            group.security_groups,
            instance_type=self.instance_type,
            tags={"instance": tags},
            placement=self.zone,
            launch_template={"LaunchTemplateId": template.id, "Version": str(group.launch_template_version)},
            is_instance_type_default=False,
            subnet_id=self.subnet,
            instance_market_options={"MarketType": "spot"} if self.spot else None,
        )
        return reservation.instances[0]


def choose(group: Any, zone: str, faults: Faults, running: Counter[str]) -> Plan:
    """Return the first type, in the order of the group's overrides, that can be had; raises ``Refused``."""
    policy = (group.mixed_instances_policy or {}).get("LaunchTemplate", {})
    overrides = [found["InstanceType"] for found in policy.get("Overrides", []) if found.get("InstanceType")]
    types = overrides or [group.instance_type]
    refusals = []
    for instance_type in types:
        zones = zones_with(instance_type)
        limit = faults.resource_limit.get(instance_type)
        if zone not in zones:
            refusals.append(not_supported(instance_type, zone, zones))
        elif limit is not None and running[instance_type] >= limit:
            refusals.append(quota_exceeded(limit))
        elif instance_type in faults.insufficient_capacity:
            refusals.append(insufficient_capacity(instance_type, zone, bool(overrides)))
        else:
            return Plan(group, instance_type, zone, _subnet(group, zone), _is_spot(group), group.user_data)
    raise Refused(refusals[-1])


def zones_with(instance_type: str) -> frozenset[str]:
    """Return the zones that have a type, by moto's copy of what AWS offers."""
    offered = ec2_backends[ACCOUNT][REGION].describe_instance_type_offerings(
        "availability-zone", {"instance-type": [instance_type]}
    )
    return frozenset(one["Location"] for one in offered)


def _subnet(group: Any, zone: str) -> str | None:
    if not group.vpc_zone_identifier:
        return None
    ids = group.vpc_zone_identifier.split(",")
    subnets = group.autoscaling_backend.ec2_backend.describe_subnets(subnet_ids=ids)
    return next((str(found.id) for found in subnets if found.availability_zone == zone), ids[0])


def _is_spot(group: Any) -> bool:
    """Return whether the next instance is a spot instance: by the distribution, or by the template's own market."""
    distribution = (group.mixed_instances_policy or {}).get("InstancesDistribution")
    if distribution:
        on_demand = int(distribution.get("OnDemandBaseCapacity", 0))
        share = int(distribution.get("OnDemandPercentageAboveBaseCapacity", 100))
        return len(group.instance_states) >= on_demand and share == 0
    data = group.ec2_launch_template.get_version(group.launch_template_version).data
    return bool(data.get("InstanceMarketOptions", {}).get("MarketType") == "spot")
