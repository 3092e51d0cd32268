"""A workflow's proof that a target answers: one small completion over the gateway's own way."""

import asyncio
import time
from typing import Any

from spillway.bootstrap.upstreams import open_upstreams
from spillway.gateway.load_test.smoke_test import smoke_test
from spillway.services.events.load_test import SmokeTest, read_smoke_test
from spillway.settings import Settings


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take ``{"deployment": name, "target": {…}}``; return ``{"ok": true, "seconds": to the first token}``.

    Raises SmokeTestFailed with what came back.
    """
    request_id = str(getattr(context, "aws_request_id", "") or "smoke-test")
    return {"ok": True, "seconds": round(asyncio.run(_test(read_smoke_test(event), request_id)), 3)}


async def _test(asked: SmokeTest, request_id: str) -> float:
    async with open_upstreams(Settings()) as upstreams:
        return await smoke_test(upstreams, asked.target, asked.deployment, request_id, time.monotonic)
