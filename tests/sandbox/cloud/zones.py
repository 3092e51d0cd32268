"""The account's zones: what its names stand for, and which of them carry no VPC link."""

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone

from tests.sandbox.cloud.patches import Patches

REGION = "us-east-1"

# A name is another zone in another account: in this one the first is the zone that lacks things, as in a sixth of all.
ZONE_IDS = {
    "us-east-1a": "use1-az3",
    "us-east-1b": "use1-az1",
    "us-east-1c": "use1-az2",
    "us-east-1d": "use1-az4",
    "us-east-1e": "use1-az5",
    "us-east-1f": "use1-az6",
}
# API Gateway Developer Guide, "Set up VPC links V2", "Availability by Region".
WITHOUT_LINKS = frozenset({"use1-az3"})


def install(patches: Patches) -> None:
    """Give moto's account these zones until ``patches`` are undone."""
    zones = [Zone(region_name=REGION, name=name, zone_id=zone_id) for name, zone_id in ZONE_IDS.items()]
    patches.set(RegionsAndZonesBackend, "zones", {**RegionsAndZonesBackend.zones, REGION: zones})
