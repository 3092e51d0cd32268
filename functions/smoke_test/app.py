"""Proof that a target answers, by one small request over the gateway's own way, or that the way itself is open."""

import asyncio
import time
from typing import Any

from spillway.bootstrap.upstreams import open_fleet_door, open_upstreams
from spillway.gateway.load_test.smoke_test import smoke_test
from spillway.services.events.load_test import DoorTest, SmokeTest, read_smoke_test
from spillway.settings import Settings


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take ``{"deployment": name, "target": {…}, "resources": {…}}``; return ``{"ok": true, "seconds": …}``.

    The seconds are to the first token. ``resources`` are what the path's driver made; without them no tool is tried.

    The schedule's ``{"door": "fleets"}`` is answered with ``{"ok": true}``. Raises SmokeTestFailed or AccessPending
    with what came back.
    """
    asked = read_smoke_test(event)
    if isinstance(asked, DoorTest):
        asyncio.run(_test_door())
        return {"ok": True}
    request_id = str(getattr(context, "aws_request_id", "") or "smoke-test")
    return {"ok": True, "seconds": round(asyncio.run(_test(asked, request_id)), 3)}


async def _test(asked: SmokeTest, request_id: str) -> float:
    async with open_upstreams(Settings()) as upstreams:
        parser = asked.resources.get("tool_call_parser")
        return await smoke_test(
            upstreams, asked.target, asked.deployment, request_id, time.monotonic, asked.role, parser
        )


async def _test_door() -> None:
    async with open_fleet_door(Settings()) as door:
        await door.ensure_open()
