"""An upstream on a loopback port that plays scripts and remembers what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.bedrock_embeddings.upstream import BedrockEmbeddingsUpstream
from spillway.adapters.upstreams.bedrock_openai import BedrockOpenAiUpstream
from spillway.adapters.upstreams.converse.upstream import ConverseUpstream
from spillway.adapters.upstreams.fleet import FleetUpstream
from spillway.adapters.upstreams.imported import ImportedUpstream
from spillway.adapters.upstreams.registry import UpstreamsByTarget
from spillway.adapters.upstreams.sagemaker.upstream import SageMakerUpstream
from spillway.domain.paths.targets import Target
from spillway.gateway.upstream import UpstreamRequest
from spillway.settings import Settings
from tests.builders import NOW

ENVIRONMENT = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}


@dataclass
class Played:
    """What to answer: ``parts`` one by one; then the end, a cut connection, or silence;
    ``mute`` is silence before the headers."""

    parts: Sequence[bytes] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: str = "end"


@dataclass
class Seen:
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class FakeUpstream:
    """Plays one script a request, the last one again and again."""

    scripts: list[Played]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(Seen(request.raw_path, request.headers, json.loads(await request.read())))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if script.ending == "drop":
            return _cut(request)
        response = web.StreamResponse(status=script.status, headers=dict(script.headers))
        if script.ending == "mute":
            await self._say_nothing()
        await response.prepare(request)
        for part in script.parts:
            await response.write(part)
            await asyncio.sleep(0)
        if script.ending == "cut":
            return _cut(request, response)
        if script.ending == "silence":
            await self._say_nothing()
        return response

    async def _say_nothing(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.hung_up.set()


def _cut(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return response or web.StreamResponse()


@asynccontextmanager
async def upstreams_to(*scripts: Played) -> AsyncIterator[tuple[UpstreamsByTarget, FakeUpstream]]:
    """All upstreams, pointed at one fake."""
    fake = FakeUpstream(list(scripts))
    app = web.Application(client_max_size=20_000_000)
    app.router.add_post("/{path:.*}", fake.answer)
    async with TestServer(app) as server, Connections() as connections:
        fake.url = str(server.make_url("")).rstrip("/")
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": fake.url}), lambda: NOW)
        yield all_upstreams(aws, f"{fake.url}/stage/fleets"), fake


def all_upstreams(aws: AwsHttp, fleets_url: str | None) -> UpstreamsByTarget:
    return UpstreamsByTarget(
        FleetUpstream(aws, fleets_url),
        SageMakerUpstream(aws),
        BedrockOpenAiUpstream(aws),
        ConverseUpstream(aws, lambda: NOW),
        ImportedUpstream(aws),
        BedrockEmbeddingsUpstream(aws),
    )


def a_request(**changes: Any) -> UpstreamRequest:
    body = {"model": "support-llama", "messages": [{"role": "user", "content": "hi"}], **changes}
    return UpstreamRequest(
        "support-llama", "chat/completions", body, bool(body.get("stream")), False, "req-1", len(json.dumps(body))
    )


async def read(upstreams: UpstreamsByTarget, target: Target, request: UpstreamRequest) -> list[bytes]:
    """Open and read to the end."""
    stream = await upstreams.open(target, request, 5.0)
    try:
        return [block async for block in stream.blocks]
    finally:
        await stream.close()
