"""An upstream that dies at a chosen byte of its answer, beside one that answers well."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.gateway.upstream import UpstreamRequest, Upstreams, UpstreamStream
from spillway.settings import Settings
from tests.builders import NOW, a_route
from tests.sandbox import eventstream
from tests.sandbox.bedrock_wire import payload_part
from tests.unit.gateway.doubles import (
    USAGE,
    Answer,
    FakeUpstreams,
    World,
    a_world,
    call,
    chunk,
    completion,
    sse,
    streaming,
    usage_chunk,
)
from tests.unit.gateway.servers import ENVIRONMENT, all_upstreams
from tests.waiting import advance

Ending: TypeAlias = Literal["close", "reset", "stall"]
FIRST, SECOND = "alpha", "beta"
# Limits that only an upstream that stands still runs into, however busy the machine is; its silence outlasts them.
LIMIT_SECONDS = 100.0
STALL_SECONDS = 200.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class DyingServer:
    """Sends ``answer`` up to a byte, and then ends in one of three ways."""

    answer: bytes = b""
    ending: Ending = "close"
    before_seconds: float = 0.0
    piece_bytes: int = 1_000_000
    url: str = ""
    requests: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            self.requests += 1
            await asyncio.sleep(self.before_seconds)
            for at in range(0, len(self.answer), self.piece_bytes):
                writer.write(self.answer[at : at + self.piece_bytes])
                await asyncio.sleep(0)
            if self.ending == "stall":
                # What was sent is read in a moment; then more time passes than anybody waits.
                await asyncio.sleep(0.005)
                advance(STALL_SECONDS)
                await reader.read()
                self.hung_up.set()
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return
        finally:
            if self.ending == "reset":
                peer: socket.socket = writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.close()


@dataclass(frozen=True)
class _Both:
    first: Target
    dying: Upstreams
    good: Upstreams

    async def open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        upstreams = self.dying if target == self.first else self.good
        return await upstreams.open(target, request, connect_seconds)


@dataclass(frozen=True)
class Death:
    """What a client saw of a death, and what was counted."""

    answer: Answer
    world: World

    @property
    def counts(self) -> dict[str, int]:
        [(_, counts, _)] = self.world.counters.added
        return counts

    @property
    def line(self) -> dict[str, Any]:
        [line] = self.world.lines
        return line


@dataclass
class Scene:
    """One kind of target, whose upstream is the dying server."""

    server: DyingServer
    upstreams: Upstreams
    target: Target

    async def play(self, stream: bool, *, spill: bool = True, **body: Any) -> Death:
        """Send one request to a gateway that knows nothing of what was before."""
        good = [sse(chunk(SECOND)), sse(usage_chunk(), "[DONE]")] if stream else [completion(SECOND)]
        both = _Both(self.target, self.upstreams, FakeUpstreams({"bedrock": good}))
        other = BedrockTarget("meta.other-v1:0", "converse") if spill else None
        route = a_route(primary=self.target, spill=other, first_byte_seconds=LIMIT_SECONDS)
        world = a_world(route, real=both, idle_seconds=LIMIT_SECONDS)
        return Death(await call(world, streaming(stream=stream, **body)), world)


@asynccontextmanager
async def dying(target: Target) -> AsyncIterator[Scene]:
    """A scene for as long as the ``with`` lasts."""
    server = DyingServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        async with Connections() as connections:
            aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}), lambda: NOW)
            yield Scene(server, all_upstreams(aws, server.url), target)
    finally:
        listener.close()
        await listener.wait_closed()


def _sized(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _chunked(*parts: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def _until_closed(*parts: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\n\r\n" + b"".join(parts)


FLEET = FleetTarget("support-llama")
SAGEMAKER = SageMakerTarget("spillway-ep", "spillway-ic")
CONVERSE = BedrockTarget("meta.llama3-1-8b-instruct-v1:0", "converse")
IMPORTED = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl")
_EVENTS = (sse(chunk("al")), sse(chunk("pha")), sse(usage_chunk()), sse("[DONE]"))
_TOKENS = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
_CONVERSE_EVENTS = (
    eventstream.event("messageStart", b'{"role":"assistant"}'),
    eventstream.event("contentBlockDelta", b'{"delta":{"text":"al"}}'),
    eventstream.event("contentBlockDelta", b'{"delta":{"text":"pha"}}'),
    eventstream.event("messageStop", b'{"stopReason":"end_turn"}'),
    eventstream.event("metadata", json.dumps({"usage": _TOKENS}).encode()),
)
_SAGEMAKER_EVENTS = tuple(eventstream.event("PayloadPart", part) for part in _EVENTS)
_IMPORTED_EVENTS = tuple(
    payload_part(part)
    for part in (
        chunk("al"),
        chunk("pha"),
        {
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
            "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 3},
        },
    )
)
_CONVERSE_WHOLE = json.dumps(
    {"output": {"message": {"role": "assistant", "content": [{"text": FIRST}]}}, "usage": _TOKENS}
).encode()
# What answers, whether it streams, and every byte of it as it goes over the wire.
ANSWERS: dict[str, tuple[Target, bool, bytes]] = {
    "a fleet's answer": (FLEET, False, _sized(completion(FIRST))),
    "a fleet's answer of unknown length": (FLEET, False, _until_closed(completion(FIRST))),
    "a fleet's stream": (FLEET, True, _chunked(*_EVENTS)),
    "a fleet's stream of unknown length": (FLEET, True, _until_closed(*_EVENTS)),
    "SageMaker's answer": (SAGEMAKER, False, _chunked(*_SAGEMAKER_EVENTS)),
    "SageMaker's stream": (SAGEMAKER, True, _chunked(*_SAGEMAKER_EVENTS)),
    "Converse's answer": (CONVERSE, False, _sized(_CONVERSE_WHOLE)),
    "Converse's stream": (CONVERSE, True, _chunked(*_CONVERSE_EVENTS)),
    "an imported model's answer": (IMPORTED, False, _sized(completion(FIRST))),
    "an imported model's stream": (IMPORTED, True, _chunked(*_IMPORTED_EVENTS)),
}
WHOLE_USAGE = (USAGE["prompt_tokens"], USAGE["completion_tokens"])
