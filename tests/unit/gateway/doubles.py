"""A gateway on doubles, and a client that speaks ASGI to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from spillway.bootstrap.gateway import PRICES
from spillway.domain.paths.targets import Target
from spillway.domain.pricing.price_layers import StoredPrices
from spillway.domain.routing.route import Route
from spillway.gateway.app import Gateway
from spillway.gateway.completions import Completions
from spillway.gateway.concurrency.cache import Cached, RouteCache
from spillway.gateway.dispatch import Dispatch
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.failover.first_byte_gate import FirstByteGate
from spillway.gateway.failover.learned_cards import LearnedCards
from spillway.gateway.failover.target_health import TargetHealth
from spillway.gateway.failover.wait_for_primary import WaitForPrimary
from spillway.gateway.failover.wake import Wakes
from spillway.gateway.limits.budget import Budget
from spillway.gateway.limits.budget_write_behind import WriteBehindBudget
from spillway.gateway.limits.limiter import KeyBudget, Limiter
from spillway.gateway.limits.month import Patience
from spillway.gateway.limits.prices import TokenPrices
from spillway.gateway.metering.meter import Meter
from spillway.gateway.metering.text_log import Event, TextLog
from spillway.gateway.relay import Relay, stream_head
from spillway.gateway.request.cors import CORS_OFF, Cors
from spillway.gateway.request_record import TrafficMinute, UsageBucket
from spillway.gateway.upstream import UpstreamRequest, Upstreams, UpstreamStream
from tests.builders import NOW, a_route
from tests.unit.gateway.limits.doubles import AT_ONCE, SharedTable

SILENCE = object()
Step: TypeAlias = bytes | Exception | object
CONTEXT = {"requestId": "req-1", "authorizer": {"key_id": "key_1", "scopes": "invoke", "deployments": ""}}
BODY = {"model": "support-llama", "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 2}}


def sse(*chunks: Mapping[str, Any] | str) -> bytes:
    return b"".join(
        b"data: " + (c if isinstance(c, str) else json.dumps(c, separators=(",", ":"))).encode() + b"\n\n"
        for c in chunks
    )


def chunk(text: str, model: str = "support-llama", **more: Any) -> dict[str, Any]:
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c1", "object": "chat.completion.chunk", "model": model, "choices": [delta], **more}


def usage_chunk(model: str = "support-llama") -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "model": model, "choices": [], "usage": USAGE}


def completion(text: str = "hello", model: str = "support-llama") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "model": model, "choices": [choice], "usage": USAGE}).encode()


GOOD_STREAM: Sequence[Step] = (sse(chunk("hel")), sse(chunk("lo")), sse(usage_chunk()), sse("[DONE]"))


@dataclass
class FakeUpstreams:
    """Plays a script by path: steps are blocks to yield, errors to raise, or SILENCE.

    An Exception alone, in the script's place, is raised by ``open``.
    """

    scripts: dict[str, Sequence[Step] | Exception]
    requests: list[tuple[str, UpstreamRequest, float]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    async def open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        path = target.path
        self.requests.append((path, request, connect_seconds))
        script = self.scripts[path]
        if isinstance(script, Exception):
            raise script

        async def close() -> None:
            self.closed.append(path)

        return UpstreamStream(_played(script), close)


async def _played(script: Sequence[Step]) -> AsyncIterator[bytes]:
    for step in script:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, bytes):
            yield step
        else:
            await asyncio.Event().wait()


@dataclass
class FakeRoutes:
    routes: dict[str, Route]
    down: bool = False
    reads: int = 0

    async def get(self, name: str) -> Route | None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.down:
            raise StoreUnavailable("down")
        return self.routes.get(name)

    async def scan(self) -> Sequence[Route]:
        await self.get("")
        return list(self.routes.values())


@dataclass
class FakeDesk:
    claims: list[datetime] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)
    down: bool = False

    async def claim(self, deployment: str, now: datetime, every: timedelta) -> bool:
        if self.down:
            raise StoreUnavailable("down")
        held = bool(self.claims) and now - self.claims[-1] < every
        if not held:
            self.claims.append(now)
        return not held

    async def announce(self, deployment: str) -> None:
        self.announced.append(deployment)


class Added(NamedTuple):
    bucket: UsageBucket
    counts: dict[str, int]
    moment: int


@dataclass
class FakeCounters:
    added: list[Added] = field(default_factory=list)
    down: bool = False

    async def add(self, bucket: UsageBucket, counts: Mapping[str, int], moment: int) -> None:
        if self.down:
            raise StoreUnavailable("down")
        self.added.append(Added(bucket, dict(counts), moment))


@dataclass
class FakeTraffic:
    """What the check is told, minute by minute."""

    added: list[tuple[TrafficMinute, dict[str, int]]] = field(default_factory=list)
    down: bool = False

    async def add(self, bucket: TrafficMinute, counts: Mapping[str, int], moment: int) -> None:
        if self.down:
            raise StoreUnavailable("down")
        assert moment // 60 == bucket.minute
        self.added.append((bucket, dict(counts)))

    @property
    def counts(self) -> list[dict[str, int]]:
        return [counts for _, counts in self.added]


@dataclass
class FakeStoredPrices:
    stored: StoredPrices = field(default_factory=StoredPrices)
    down: bool = False
    reads: int = 0

    async def read(self) -> StoredPrices:
        self.reads += 1
        if self.down:
            raise StoreUnavailable("down")
        return self.stored


@dataclass
class FakeSink:
    """A log of texts; ``down`` loses all, ``stuck`` never answers."""

    put_together: list[list[dict[str, Any]]] = field(default_factory=list)
    down: bool = False
    stuck: bool = False

    async def put(self, events: Sequence[Event], seconds: float) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        if self.down:
            raise StoreUnavailable("down")
        self.put_together.append([json.loads(event.line) for event in events])

    @property
    def texts(self) -> list[dict[str, Any]]:
        return [text for batch in self.put_together for text in batch]


@dataclass
class FakeClock:
    moment: float = 1000.0

    def monotonic(self) -> float:
        return self.moment

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.moment - 1000.0)


@dataclass
class World:
    """Everything around one gateway."""

    upstreams: FakeUpstreams
    routes: FakeRoutes
    gateway: Gateway
    desk: FakeDesk
    counters: FakeCounters
    traffic: FakeTraffic
    clock: FakeClock
    lines: list[dict[str, Any]]
    limits: SharedTable
    prices: FakeStoredPrices
    sink: FakeSink


def a_world(
    *routes: Route,
    draw: float = 0.5,
    idle_seconds: float = 0.02,
    comment_seconds: float = 15.0,
    real: Upstreams | None = None,
    limits: SharedTable | None = None,
    is_server: bool = False,
    patience: Patience = AT_ONCE,
    cors: Cors = CORS_OFF,
    **scripts: Sequence[Step] | Exception,
) -> World:
    """Scripts are named by path (fleet, jumpstart, bedrock); ``real`` upstreams take their place.

    Gateways on the same ``limits`` share their keys' limits; those of a server write costs together.
    """
    fakes = FakeRoutes({route.name: route for route in routes or (a_route(),)})
    desk, clock, table = FakeDesk(), FakeClock(), limits or SharedTable()
    counters, traffic = FakeCounters(), FakeTraffic()
    upstreams = FakeUpstreams(scripts)
    lines: list[dict[str, Any]] = []
    prices, sink = FakeStoredPrices(), FakeSink()

    def log(fields: Mapping[str, Any]) -> None:
        lines.append(json.loads(json.dumps(fields)))

    async def close() -> None:
        return None

    def budget_of(key_id: str) -> KeyBudget:
        if is_server:
            return WriteBehindBudget(key_id, table, clock.now, clock.monotonic, 3600.0, log, patience)
        return Budget(key_id, table, clock.now, clock.monotonic, patience)

    cache = RouteCache(fakes.get, clock.monotonic)
    gateway = Gateway(
        routes=cache,
        all_routes=Cached(fakes.scan, clock.monotonic),
        completions=Completions(
            dispatch=Dispatch(
                gate=FirstByteGate(
                    real or upstreams, TargetHealth(clock.monotonic, lambda: 0.5), LearnedCards(clock.monotonic)
                ),
                wait_for_primary=WaitForPrimary(cache.get, look_every_seconds=0.005),
                wakes=Wakes(desk, clock.now, log),
                monotonic=clock.monotonic,
                draw=lambda: draw,
                head=stream_head,
            ),
            relay=Relay(clock.monotonic, idle_seconds),
            meter=Meter(counters, traffic, clock.now, clock.monotonic, log),
            monotonic=clock.monotonic,
            comment_every_seconds=comment_seconds,
            texts=TextLog(sink, clock.now, log),
            freezes=not is_server,
        ),
        limiter=Limiter(
            table,
            budget_of,
            TokenPrices(PRICES.read_bytes, prices.read, "us-east-1", clock.monotonic, log),
            clock.now,
            log,
        ),
        new_id=lambda: "made-id",
        log=log,
        close=close,
        cors=cors,
    )
    return World(upstreams, fakes, gateway, desk, counters, traffic, clock, lines, table, prices, sink)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    messages: list[dict[str, Any]]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        data = [event.removeprefix("data: ") for event in self.body.decode().split("\n\n") if event]
        return [item if item == "[DONE]" else json.loads(item) for item in data]

    @property
    def text(self) -> str:
        return "".join(
            event["choices"][0]["delta"].get("content", "")
            for event in self.events
            if isinstance(event, dict) and event.get("choices")
        )


async def call(
    world: World,
    body: Any = None,
    *,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    context: Any = CONTEXT,
    headers: Sequence[tuple[bytes, bytes]] = (),
    parts: Sequence[bytes] | None = None,
    on_send: Callable[[dict[str, Any], asyncio.Event], None] | None = None,
) -> Answer:
    """Send one request; ``on_send`` sees what is sent and may set the event that means: the client has gone."""
    gone = asyncio.Event()
    raw = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    waiting = list(parts if parts is not None else [raw])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting)}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if on_send:
            on_send(message, gone)

    carried = list(headers)
    if context is not None:
        carried.append((b"x-amzn-request-context", json.dumps(context).encode()))
    scope = {"type": "http", "method": method, "path": path, "headers": carried}
    await world.gateway(scope, receive, send)
    start: dict[str, Any] = sent[0] if sent else {"status": 0, "headers": []}
    return Answer(
        start["status"],
        {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in sent[1:]),
        sent,
    )


async def hang_up(
    world: World, body: dict[str, Any], after: int = 0, context: Mapping[str, Any] = CONTEXT
) -> list[dict[str, Any]]:
    """Send a request and go away after that many messages; zero: at once."""
    messages: list[dict[str, Any]] = []
    gone = asyncio.Event()
    waiting = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

    async def receive() -> Any:
        if waiting:
            return waiting.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)
        if len(messages) >= after:
            gone.set()

    if after == 0:
        gone.set()
    headers = [(b"x-amzn-request-context", json.dumps(context).encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    await world.gateway(scope, receive, send)
    return messages


def streaming(**more: Any) -> dict[str, Any]:
    return {**BODY, "stream": True, **more}
