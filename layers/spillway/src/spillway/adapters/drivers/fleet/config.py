"""What a fleet needs to know about the stack it lives in."""

from dataclasses import dataclass

from spillway.settings import Settings

# How long an instance may take from its first boot until the engine answers, and how long the group waits for it:
# the instance should be the first to give up, since it can say why.
READY_WITHIN_SECONDS = 2400
HOOK_SECONDS = READY_WITHIN_SECONDS + 300
# Requests in flight when an instance goes may finish; the load balancer stops sending new ones at once.
DRAIN_SECONDS = 120
# Where the load balancer comes to an instance: to its proxy, or to a lone engine.
INSTANCE_PORT = 8000
HOOK_NAME = "engine-ready"


@dataclass(frozen=True)
class FleetConfig:
    """Where fleets of this stack are put."""

    stack: str
    region: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_id: str
    listener_arn: str
    instance_profile_arn: str
    loads_table: str
    public_ip: bool
    hugging_face_secret_arn: str | None


def fleet_config(settings: Settings) -> FleetConfig:
    """Read the fleet's part of the settings."""
    return FleetConfig(
        stack=settings.stack,
        region=settings.region,
        vpc_id=settings.fleet_vpc_id,
        subnet_ids=tuple(settings.fleet_subnet_ids.split(",")),
        security_group_id=settings.fleet_security_group_id,
        listener_arn=settings.fleet_listener_arn,
        instance_profile_arn=settings.fleet_instance_profile_arn,
        loads_table=settings.loads_table,
        public_ip=settings.fleet_public_ip == "true",
        hugging_face_secret_arn=settings.hugging_face_secret_arn if settings.has("HUGGING_FACE_SECRET_ARN") else None,
    )
