"""The gateway's composition root, apart from the control plane's so that neither loads the other's libraries."""

import asyncio
import gc
import random
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from spillway import clock
from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.aws.log_group import LogGroup
from spillway.adapters.dynamodb.gateway_keys import GatewayKeys
from spillway.adapters.dynamodb.gateway_tables import (
    DynamoTrafficCounters,
    DynamoUsageCounters,
    DynamoWakeDesk,
    GatewayPrices,
    GatewayRoutes,
)
from spillway.adapters.dynamodb.limits_table import LimitsTable
from spillway.bootstrap.upstreams import build_upstreams
from spillway.gateway.app import Gateway
from spillway.gateway.completions import Completions
from spillway.gateway.concurrency.cache import Cached, RouteCache
from spillway.gateway.dispatch import Dispatch
from spillway.gateway.failover.first_byte_gate import FirstByteGate
from spillway.gateway.failover.learned_cards import LearnedCards
from spillway.gateway.failover.target_health import TargetHealth
from spillway.gateway.failover.wait_for_primary import WaitForPrimary
from spillway.gateway.failover.wake import Wakes
from spillway.gateway.limits.budget import Budget
from spillway.gateway.limits.budget_write_behind import WriteBehindBudget
from spillway.gateway.limits.limiter import KeyBudget, Limiter
from spillway.gateway.limits.prices import TokenPrices
from spillway.gateway.metering.log import print_line
from spillway.gateway.metering.meter import Meter
from spillway.gateway.metering.text_log import TextLog
from spillway.gateway.metering.write_behind import WriteBehindCounters
from spillway.gateway.relay import Relay, stream_head
from spillway.gateway.request.caller import BEHIND_API_GATEWAY, Authenticator
from spillway.gateway.request.cors import Cors
from spillway.gateway.request.key_check import KeyCheck
from spillway.gateway.request_record import TrafficCounters, UsageCounters
from spillway.gateway.timeouts import LATE_SECONDS
from spillway.settings import Settings

# How long a long-lived server adds up usage and costs before it writes them.
_WRITE_EVERY_SECONDS = 1.0
# Objects that may be made before the youngest are looked through for cycles; Python's own 700 are five requests' worth.
_YOUNG_OBJECTS = 20_000
# The system's, not a generator of ours: environments restored from one snapshot would all draw alike.
_draw = random.SystemRandom().random


class _Writer(Protocol):
    """What writes later, and has to once more before the end."""

    async def close(self) -> None: ...


PRICES = Path(__file__).parents[1] / "data" / "prices.json"


async def build_gateway() -> Gateway:
    """Return the gateway of a process behind API Gateway; needs a running event loop."""
    settings = Settings()
    aws = AwsHttp(Connections(), settings, clock.utc_now)
    if settings.starts_from_snapshot:
        aws.prepare()
    return _gateway(settings, aws, BEHIND_API_GATEWAY)


async def build_server() -> Gateway:
    """Return the gateway of a server that clients reach by themselves, so that it looks at their keys."""
    settings = Settings()
    aws = AwsHttp(Connections(), settings, clock.utc_now)
    keys = GatewayKeys(aws, settings.keys_table)
    return _gateway(settings, aws, KeyCheck(keys.find, clock.utc_now, time.monotonic, settings.key_cache_seconds))


def _gateway(settings: Settings, aws: AwsHttp, authenticator: Authenticator) -> Gateway:
    routes = GatewayRoutes(aws, settings.routes_table)
    desk = DynamoWakeDesk(aws, settings.routes_table, settings.event_bus)
    counters: UsageCounters = DynamoUsageCounters(aws, settings.usage_table)
    traffic: TrafficCounters = DynamoTrafficCounters(aws, settings.loads_table)
    limiter = build_limiter(aws, settings)
    writers: list[_Writer] = [limiter]
    if not settings.on_lambda:
        counters = usage_later = WriteBehindCounters(counters, _WRITE_EVERY_SECONDS, print_line)
        traffic = traffic_later = WriteBehindCounters(traffic, _WRITE_EVERY_SECONDS, print_line)
        writers += [usage_later, traffic_later]
    texts = build_text_log(aws, settings) if settings.has("TEXT_LOG_GROUP") else None
    if texts is not None:
        writers.append(texts)
    cache = RouteCache(routes.get, time.monotonic)
    completions = Completions(
        dispatch=Dispatch(
            gate=FirstByteGate(
                build_upstreams(aws, settings), TargetHealth(time.monotonic, _draw), LearnedCards(time.monotonic)
            ),
            wait_for_primary=WaitForPrimary(cache.get),
            wakes=Wakes(desk, clock.utc_now, print_line),
            monotonic=time.monotonic,
            draw=_draw,
            head=stream_head,
        ),
        relay=Relay(time.monotonic, settings.gateway_idle_seconds),
        meter=Meter(counters, traffic, clock.utc_now, time.monotonic, print_line, settings.lambda_megabytes),
        monotonic=time.monotonic,
        texts=texts,
        freezes=settings.on_lambda,
    )
    # What is imported stays as long as the process does: no collection need walk through it again.
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    return Gateway(
        routes=cache,
        all_routes=Cached(routes.scan, time.monotonic),
        completions=completions,
        limiter=limiter,
        new_id=lambda: uuid.uuid4().hex,
        log=print_line,
        close=partial(_close, completions.late, writers, aws),
        authenticator=authenticator,
        cors=Cors(settings.cors_origins),
    )


def build_limiter(aws: AwsHttp, settings: Settings) -> Limiter:
    """Return what holds keys to their limits."""
    table = LimitsTable(aws, settings.limits_table)

    def budget_of(key_id: str) -> KeyBudget:
        if settings.on_lambda:
            return Budget(key_id, table, clock.utc_now, time.monotonic)
        return WriteBehindBudget(key_id, table, clock.utc_now, time.monotonic, _WRITE_EVERY_SECONDS, print_line)

    return Limiter(
        counters=table,
        budget_of=budget_of,
        prices=TokenPrices(
            PRICES.read_bytes,
            GatewayPrices(aws, settings.prices_table).read,
            settings.region,
            time.monotonic,
            print_line,
        ),
        now=clock.utc_now,
        log=print_line,
    )


def build_text_log(aws: AwsHttp, settings: Settings) -> TextLog:
    """Return what prompts and answers are logged by, where a deployment has it switched on."""
    group = LogGroup(aws, settings.text_log_group, lambda: f"{clock.utc_now():%Y/%m/%d}/{uuid.uuid4().hex}")
    return TextLog(group, clock.utc_now, print_line, None if settings.on_lambda else _WRITE_EVERY_SECONDS)


async def _close(late: set[asyncio.Task[None]], writers: Sequence[_Writer], aws: AwsHttp) -> None:
    """Let what was used be written, then let go of the connections."""
    if late:
        await asyncio.wait(late, timeout=LATE_SECONDS)
    for writer in writers:
        await writer.close()
    await aws.connections.close()
