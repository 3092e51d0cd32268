"""The composition root of what requests go out by, for the gateway and for what calls targets like it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from spillway import clock
from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.bedrock_embeddings.upstream import BedrockEmbeddingsUpstream
from spillway.adapters.upstreams.bedrock_openai import BedrockOpenAiUpstream
from spillway.adapters.upstreams.converse.upstream import ConverseUpstream
from spillway.adapters.upstreams.fleet import FleetUpstream
from spillway.adapters.upstreams.fleet_door import FleetDoor
from spillway.adapters.upstreams.imported import ImportedUpstream
from spillway.adapters.upstreams.registry import UpstreamsByTarget
from spillway.adapters.upstreams.sagemaker.upstream import SageMakerUpstream
from spillway.settings import Settings


@asynccontextmanager
async def open_upstreams(settings: Settings) -> AsyncIterator[UpstreamsByTarget]:
    """Build what ``smoke_test`` calls targets by; its connections end with the block."""
    async with Connections() as connections:
        yield build_upstreams(AwsHttp(connections, settings, clock.utc_now), settings)


@asynccontextmanager
async def open_fleet_door(settings: Settings) -> AsyncIterator[FleetDoor]:
    """Build what proves that fleets can be reached, in a stack that has them."""
    async with Connections() as connections:
        yield FleetDoor(AwsHttp(connections, settings, clock.utc_now), settings.fleets_url.rstrip("/"))


def build_upstreams(aws: AwsHttp, settings: Settings) -> UpstreamsByTarget:
    """Return the upstreams for every kind of target."""
    fleets_url = settings.fleets_url.rstrip("/") if settings.has("FLEETS_URL") else None
    return UpstreamsByTarget(
        fleet=FleetUpstream(aws, fleets_url),
        sagemaker=SageMakerUpstream(aws),
        bedrock_openai=BedrockOpenAiUpstream(aws),
        converse=ConverseUpstream(aws, clock.utc_now),
        imported=ImportedUpstream(aws),
        embeddings=BedrockEmbeddingsUpstream(aws),
    )
