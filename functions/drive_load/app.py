"""One load worker of a benchmark's step."""

import asyncio
import random
import time
from functools import partial
from typing import Any

from spillway import clock
from spillway.adapters.aws.http import AwsHttp, open_session
from spillway.adapters.dynamodb.benchmark_cancellation import BenchmarkCancellation
from spillway.bootstrap.gateway import build_upstreams
from spillway.domain.benchmarks.counts import Tally, tally_to_json
from spillway.domain.benchmarks.worker_orders import WorkerOrder, order_from_json
from spillway.gateway.load_test.worker import Worker
from spillway.settings import Settings


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Take a worker's order, drive its load, return its tally."""
    return tally_to_json(asyncio.run(_drive(order_from_json(event))))


async def _drive(order: WorkerOrder) -> Tally:
    settings = Settings()
    # Moments that all workers share, on a clock that nobody sets back while a step is measured.
    offset = time.time() - time.monotonic()
    async with open_session() as session:
        aws = AwsHttp(session, settings, clock.utc_now)
        worker = Worker(
            upstreams=build_upstreams(aws, settings),
            order=order,
            random=random.Random(order.seed),  # noqa: S311 - words of prompts, not secrets
            moment=lambda: time.monotonic() + offset,
            is_wanted=partial(
                BenchmarkCancellation(aws, settings.benchmarks_table).is_wanted, order.deployment, order.benchmark
            ),
        )
        return await worker.run()
