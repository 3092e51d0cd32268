"""The fleets' own REST API: IAM-authorised, through the internal load balancer to an engine, streaming."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from tests.sandbox.cloud.load_balancer import LoadBalancer, Refusal
from tests.sandbox.cloud.vpc_links import VpcLinks
from tests.sandbox.runtime.raw_calls import RawCall
from tests.sandbox.runtime.streaming import HOP_BY_HOP, relay, without


@dataclass(frozen=True)
class FleetsApi:
    """What the door needs to know of the API in the template.

    ``policy`` holds the API's own statements; ``link_id`` is the VPC link that the stage's deployment leads to, empty
    where it names none.
    """

    api_id: str
    stage: str
    link_id: str
    listener_arn: str | None
    policy: Sequence[Mapping[str, Any]]


class FleetDoor:
    """Handles requests signed for execute-api."""

    def __init__(self, balancer: LoadBalancer, links: VpcLinks, session: aiohttp.ClientSession) -> None:
        self._balancer = balancer
        self._links = links
        self._session = session
        self.api: FleetsApi | None = None

    def call(self, method: str, path: str) -> RawCall:
        """Return the call that IAM is asked about."""
        stage, _, rest = path.lstrip("/").partition("/")
        api_id = self.api.api_id if self.api else ""
        return RawCall("execute-api", "Invoke", {"apiId": api_id, "stage": stage, "method": method, "path": f"/{rest}"})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Send a request on to the engine that the load balancer chooses."""
        api = self.api
        if api is None or not request.raw_path.startswith(f"/{api.stage}/fleets/"):
            return _answer(403, '{"message":"Missing Authentication Token"}')
        if not self._links.carry(api.link_id):
            return _answer(500, '{"message":"Internal server error"}')
        # The balancer asks the engines for their load, on their loop: not a thing to wait for on this one.
        found = await asyncio.to_thread(self._balancer.resolve, request.raw_path, request.headers, api.listener_arn)
        if isinstance(found, Refusal):
            return _answer(found.status, found.message)
        signed = {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "host"}
        headers = without(HOP_BY_HOP | signed, request.headers.items())
        try:
            return await relay(
                request, self._session, f"{found.engine_url}{found.path}", headers, await request.read(), {}
            )
        except aiohttp.ClientError:
            return _answer(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")


def _answer(status: int, text: str) -> web.Response:
    kind = "application/json" if text.startswith("{") else "text/html"
    return web.Response(status=status, text=text or " ", content_type=kind)
