"""The composition root of a benchmark's load workers."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from spillway import clock
from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.dynamodb.benchmark_cancellation import BenchmarkCancellation
from spillway.bootstrap.upstreams import build_upstreams
from spillway.domain.benchmarks.worker_orders import WorkerOrder
from spillway.gateway.load_test.worker import Worker
from spillway.settings import Settings


@asynccontextmanager
async def open_load_worker(settings: Settings, order: WorkerOrder) -> AsyncIterator[Worker]:
    """Build the worker of ``drive_load``; its connections end with the block."""
    # Moments that all workers share, on a clock that nobody sets back while a step is measured.
    offset = time.time() - time.monotonic()
    async with Connections() as connections:
        aws = AwsHttp(connections, settings, clock.utc_now)
        cancellation = BenchmarkCancellation(aws, settings.benchmarks_table)
        yield Worker(
            upstreams=build_upstreams(aws, settings),
            order=order,
            random=random.Random(order.seed),  # noqa: S311 - words of prompts, not secrets
            moment=lambda: time.monotonic() + offset,
            is_wanted=partial(cancellation.is_wanted, order.deployment, order.benchmark),
        )
