"""A workflow's proof that a target answers: one small completion over the gateway's own way."""

import asyncio
import time
from typing import Any

from spillway import clock
from spillway.adapters.aws.http import AwsHttp, open_session
from spillway.bootstrap.gateway import build_upstreams
from spillway.domain.paths.targets import Target, target_from_json
from spillway.gateway.load_test.smoke_test import smoke_test
from spillway.settings import Settings


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take ``{"deployment": name, "target": {…}}``; return ``{"ok": true, "seconds": to the first token}``.

    Raises SmokeTestFailed with what came back.
    """
    target = target_from_json(event["target"])
    request_id = str(getattr(context, "aws_request_id", "") or "smoke-test")
    return {"ok": True, "seconds": round(asyncio.run(_test(event["deployment"], target, request_id)), 3)}


async def _test(deployment: str, target: Target, request_id: str) -> float:
    settings = Settings()
    async with open_session() as session:
        upstreams = build_upstreams(AwsHttp(session, settings, clock.utc_now), settings)
        return await smoke_test(upstreams, target, deployment, request_id, time.monotonic)
