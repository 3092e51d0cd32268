"""What EC2 offers of the wanted types in the zones that fleets may run in: regions differ in it, and so do zones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.registry import engine_of
from spillway.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


@dataclass(frozen=True)
class Offer:
    """The wanted types that can be had, most wanted first, and the subnets whose zone has at least one of them."""

    instance_types: tuple[str, ...]
    subnet_ids: tuple[str, ...]

    def within(self, spec: DeploymentSpec) -> DeploymentSpec:
        """Return the spec with these types alone."""
        return spec.model_copy(
            update={"capacity": spec.capacity.model_copy(update={"instance_types": self.instance_types})}
        )


@dataclass(frozen=True)
class Offerings:
    """Asks EC2, each time: what a zone has may change from one day to the next."""

    config: FleetConfig
    ec2: "EC2Client"

    def of(self, spec: DeploymentSpec) -> Offer:
        """Return what can be had; InvalidRequest, with what can, when it is none of the wanted types."""
        zones, wanted = self._zones(), spec.wanted_instance_types
        found = self._zones_by_type(zones.values(), {"Name": "instance-type", "Values": list(wanted)})
        if not found:
            raise self._none_of(wanted, spec, sorted({*zones.values()}))
        having = {zone for of_type in found.values() for zone in of_type}
        return Offer(
            instance_types=tuple(name for name in wanted if name in found),
            subnet_ids=tuple(subnet for subnet, zone in zones.items() if zone in having),
        )

    def _zones(self) -> Mapping[str, str]:
        """Return the zone of each subnet, in the order of the configuration."""
        with translated():
            found = self.ec2.describe_subnets(SubnetIds=list(self.config.subnet_ids))["Subnets"]
        zones = {one["SubnetId"]: one["AvailabilityZone"] for one in found}
        return {subnet: zones[subnet] for subnet in self.config.subnet_ids}

    def _zones_by_type(self, zones: Any, *filters: Any) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        pages = self.ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone",
            Filters=[{"Name": "location", "Values": sorted({*zones})}, *filters],
        )
        with translated():
            for page in pages:
                for one in page["InstanceTypeOfferings"]:
                    found[one["InstanceType"]].add(one["Location"])
        return found

    def _none_of(self, wanted: Sequence[str], spec: DeploymentSpec, zones: Sequence[str]) -> InvalidRequest:
        families = engine_of(spec.engine.name).instance_families
        usable = sorted(name for name in self._zones_by_type(zones) if name.startswith(families))
        there = f"of {spec.engine.name}'s families it has {', '.join(usable)}" if usable else "it has none there"
        return InvalidRequest(
            f"capacity.instance_types: EC2 offers no {' and no '.join(wanted)} in {self.config.region}, in the zones "
            f"of the fleet's subnets ({', '.join(zones)}); {there}",
            param="capacity.instance_types",
            allowed=usable,
        )
