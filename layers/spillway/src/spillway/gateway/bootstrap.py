"""The gateway's composition root, apart from the control plane's so that neither loads the other's libraries."""

import random
import time
import uuid
from functools import partial
from pathlib import Path

from spillway import clock
from spillway.adapters.aws_http import AwsHttp, open_session
from spillway.adapters.gateway_tables import DynamoUsageCounters, DynamoWakeDesk, GatewayPrices, GatewayRoutes
from spillway.adapters.limits_table import LimitsTable
from spillway.adapters.upstreams.bedrock_openai import BedrockOpenAiUpstream
from spillway.adapters.upstreams.by_target import UpstreamsByTarget
from spillway.adapters.upstreams.converse import ConverseUpstream
from spillway.adapters.upstreams.fleet import FleetUpstream
from spillway.adapters.upstreams.sagemaker import SageMakerUpstream
from spillway.gateway.app import Gateway
from spillway.gateway.completions import Completions
from spillway.gateway.fresh import Fresh, RouteCache
from spillway.gateway.gate import Gate
from spillway.gateway.health import Health
from spillway.gateway.later import LaterCounters
from spillway.gateway.limits import Limiter
from spillway.gateway.limits_prices import TokenPrices
from spillway.gateway.log import print_line
from spillway.gateway.metering import Meter, UsageCounters
from spillway.gateway.opening import Opening
from spillway.gateway.patience import Patience
from spillway.gateway.relay import Relay, stream_head
from spillway.gateway.wake import Wakes
from spillway.settings import Settings

# What a crash of a long-lived server may cost of the usage table.
_COUNT_EVERY_SECONDS = 1.0
# The system's, not a generator of ours: environments restored from one snapshot would all draw alike.
_draw = random.SystemRandom().random
PRICES = Path(__file__).parents[1] / "data" / "prices.json"


async def build_gateway() -> Gateway:
    """Return the gateway of this process; needs a running event loop."""
    settings = Settings()
    aws = AwsHttp(open_session(), settings, clock.utc_now)
    if settings.starts_from_snapshot:
        aws.prepare()
    routes = GatewayRoutes(aws, settings.routes_table)
    desk = DynamoWakeDesk(aws, settings.routes_table, settings.event_bus)
    counters: UsageCounters = DynamoUsageCounters(aws, settings.usage_table)
    closing = aws.session.close
    if not settings.on_lambda:
        later = LaterCounters(counters, _COUNT_EVERY_SECONDS, print_line)
        counters, closing = later, partial(_close, later, aws)
    cache = RouteCache(routes.get, time.monotonic)
    return Gateway(
        routes=cache,
        all_routes=Fresh(routes.scan, time.monotonic),
        completions=Completions(
            opening=Opening(
                gate=Gate(build_upstreams(aws, settings), Health(time.monotonic, _draw)),
                patience=Patience(cache.get),
                wakes=Wakes(desk, clock.utc_now, print_line),
                monotonic=time.monotonic,
                draw=_draw,
                head=stream_head,
            ),
            relay=Relay(time.monotonic, settings.gateway_idle_seconds),
            meter=Meter(counters, clock.utc_now, time.monotonic, print_line),
            monotonic=time.monotonic,
        ),
        limiter=build_limiter(aws, settings),
        new_id=lambda: uuid.uuid4().hex,
        log=print_line,
        close=closing,
    )


def build_limiter(aws: AwsHttp, settings: Settings) -> Limiter:
    """Return what holds keys to their limits."""
    return Limiter(
        counters=LimitsTable(aws, settings.limits_table),
        prices=TokenPrices(
            PRICES.read_bytes,
            GatewayPrices(aws, settings.prices_table).read,
            settings.region,
            time.monotonic,
            print_line,
        ),
        now=clock.utc_now,
        monotonic=time.monotonic,
        log=print_line,
    )


async def _close(later: LaterCounters, aws: AwsHttp) -> None:
    await later.close()
    await aws.session.close()


def build_upstreams(aws: AwsHttp, settings: Settings) -> UpstreamsByTarget:
    """Return the upstreams for every kind of target."""
    fleets_url = settings.fleets_url.rstrip("/") if settings.has("FLEETS_URL") else None
    return UpstreamsByTarget(
        fleet=FleetUpstream(aws, fleets_url),
        sagemaker=SageMakerUpstream(aws),
        bedrock_openai=BedrockOpenAiUpstream(aws),
        converse=ConverseUpstream(aws, clock.utc_now),
    )
