"""One load worker of a benchmark's step."""

import asyncio
from typing import Any

from spillway.bootstrap.load_worker import open_load_worker
from spillway.domain.benchmarks.counts import Tally, tally_to_json
from spillway.domain.benchmarks.worker_orders import WorkerOrder
from spillway.services.events.load_test import read_worker_order
from spillway.settings import Settings


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Take a worker's order, drive its load, return its tally."""
    return tally_to_json(asyncio.run(_drive(read_worker_order(event))))


async def _drive(order: WorkerOrder) -> Tally:
    async with open_load_worker(Settings(), order) as worker:
        return await worker.run()
