"""20,000 requests through a gateway process while its routes change and its fleets die: none fails, memory stays flat.

Fleets, Bedrock and DynamoDB are one fake server in this process; every deployment may spill. Every two seconds each
route takes its next state, and a fleet its next way to be: well, full, silent at the first byte, or gone in mid-answer.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from spillway.domain.paths.targets import BedrockTarget, FleetTarget
from spillway.domain.routing.route import RouteState, route_to_json
from tests.bench.gateway import answers, machine
from tests.builders import a_route
from tests.sandbox.runtime.web_function import free_port
from tests.unit.gateway.doubles import CONTEXT

REQUESTS = int(os.environ.get("REQUESTS", "20000"))
AT_ONCE, TURN_SECONDS, LONGEST_SECONDS = 24, 2.0, 600
_REPOSITORY = Path(__file__).resolve().parents[2]
_NAMES = [f"model-{letter}" for letter in "abcdefgh"]
_STATES = (RouteState.READY, RouteState.COLD, RouteState.READY, RouteState.SATURATED)
# No more trouble than the gateway's retry budget has room for: past it, a failed first choice is the client's.
_WAYS = ("well", "well", "full", "well", "well", "well", "cut", "well", "well", "mute", "well", "well")
_HEADERS = {"x-amzn-request-context": json.dumps(CONTEXT), "content-type": "application/json"}
_BEGIN = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"


@dataclass
class _FakeAws:
    """Everything that the gateway talks to; ``turn`` moves routes and fleets on."""

    turn: int = 0
    metered: Counter[str] = field(default_factory=Counter)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation:
            return _json(self._dynamo(operation, json.loads(body)))
        if "/fleets/" in request.path:
            return await self._fleet(request, body)
        if request.path.endswith("/converse-stream"):
            return await _stream(request, answers.converse_parts())
        return _json(answers.converse())

    def _dynamo(self, operation: str, call: dict[str, Any]) -> bytes:
        if operation == "GetItem" and call["Key"].get("name", {}).get("S") in _NAMES:
            name = call["Key"]["name"]["S"]
            return json.dumps({"Item": {"name": {"S": name}, "body": {"S": json.dumps(self._route(name))}}}).encode()
        if operation == "UpdateItem" and "bucket" in call["Key"]:
            names = call["ExpressionAttributeNames"].items()
            values = call["ExpressionAttributeValues"]
            self.metered.update({name: int(values[f":{key[1:]}"]["N"]) for key, name in names})
        return b"{}"

    def _route(self, name: str) -> Any:
        state = _STATES[(self.turn + _NAMES.index(name)) % len(_STATES)]
        spill = BedrockTarget("meta.llama3-1-8b-instruct-v1:0", "converse")
        return route_to_json(a_route(name, state=state, primary=FleetTarget(name), spill=spill, first_byte_seconds=0.1))

    async def _fleet(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        name = request.path.split("/fleets/")[1].split("/")[0]
        way = _WAYS[(self.turn + 2 * _NAMES.index(name)) % len(_WAYS)]
        wants_stream = b'"stream":true' in body
        if way == "full":
            return web.Response(status=503, body=b'{"error":{"message":"full"}}')
        if way == "mute" and wants_stream:
            await asyncio.sleep(0.2)
        if way == "cut" and request.transport is not None:
            # Never in a stream that has begun: what a client has seen can't be had from somebody else.
            if not wants_stream:
                request.transport.write(_BEGIN)
            request.transport.close()
            return web.Response()
        if wants_stream:
            return await _stream(request, answers.stream_parts())
        return _json(answers.completion())


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def _stream(request: web.BaseRequest, parts: tuple[bytes, bytes, bytes]) -> web.StreamResponse:
    response = web.StreamResponse()
    # The gateway hangs up on whom it gives up.
    with suppress(ConnectionResetError):
        await response.prepare(request)
        for part in (parts[0], parts[1], parts[1], parts[2]):
            await response.write(part)
    return response


@dataclass
class _Load:
    url: str
    count: "itertools.count[int]" = field(default_factory=itertools.count)
    done: int = 0
    problems: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    async def work(self, session: aiohttp.ClientSession) -> None:
        """Send requests until all are sent."""
        while (number := next(self.count)) < REQUESTS:
            await self._one(session, number)
            self.done += 1

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        stream = number % 3 == 0
        body = {
            "model": _NAMES[number % len(_NAMES)],
            "messages": [{"role": "user", "content": "x" * (number % 700 + 1)}],
        }
        raw = json.dumps(body | {"stream": True} if stream else body)
        begun = time.perf_counter()
        try:
            async with session.post(self.url, data=raw, headers=_HEADERS) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as err:
            self.problems.append(repr(err))
            return
        self.slowest = max(self.slowest, time.perf_counter() - begun)
        headers = answer.headers
        self.seen[f"{headers.get('x-spillway-target')}, {headers.get('x-spillway-reason')}"] += 1
        if answer.status != 200 or not (_is_whole_stream(text) if stream else _is_whole(text)):
            self.problems.append(f"{answer.status} {text[:200]!r}")


def _is_whole(text: bytes) -> bool:
    try:
        return bool(json.loads(text)["choices"][0]["message"]["content"])
    except (ValueError, KeyError):
        return False


def _is_whole_stream(text: bytes) -> bool:
    return text.endswith(b"data: [DONE]\n\n") and text.count(b"[DONE]") == 1 and text.count(b'" token"') >= 2


def run() -> list[tuple[str, ...]]:
    """Return a header and the run's figures."""
    return asyncio.run(_run())


async def _run() -> list[tuple[str, ...]]:
    fake = _FakeAws()
    runner = web.ServerRunner(web.Server(fake.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = free_port()
    gateway = _start(port, runner.addresses[0][1])
    try:
        return await _soak(fake, gateway, f"http://127.0.0.1:{port}/v1/chat/completions")
    finally:
        gateway.terminate()
        gateway.wait()
        await runner.cleanup()


def _start(port: int, upstream: int) -> "subprocess.Popen[bytes]":
    url = f"http://127.0.0.1:{upstream}"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{_REPOSITORY}/layers/spillway/src:{_REPOSITORY}/functions/serve_openai",
        **{
            name: name.lower()
            for name in (
                "ROUTES_TABLE",
                "USAGE_TABLE",
                "LOADS_TABLE",
                "KEYS_TABLE",
                "LIMITS_TABLE",
                "PRICES_TABLE",
                "EVENT_BUS",
            )
        },
        "SPILLWAY_STACK": "soak",
        "FLEETS_URL": f"{url}/fleets",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIASOAK",
        "AWS_SECRET_ACCESS_KEY": "soak",
    }
    command = [sys.executable, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(port)]
    quiet = ["--http", "h11", "--loop", "asyncio", "--no-access-log", "--log-level", "warning"]
    return subprocess.Popen([*command, *quiet], env=environment, stdout=subprocess.DEVNULL)


async def _soak(fake: _FakeAws, gateway: "subprocess.Popen[bytes]", url: str) -> list[tuple[str, ...]]:
    load, memory = _Load(url), {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        await _until_up(session, url.replace("/v1/chat/completions", "/healthz"))
        begun = time.perf_counter()
        workers = [asyncio.create_task(load.work(session)) for _ in range(AT_ONCE)]
        marks = {"start (after 5%)": REQUESTS // 20, "middle": REQUESTS // 2, "end": REQUESTS}
        async with asyncio.timeout(LONGEST_SECONDS):
            for name, mark in marks.items():
                await _turn_until(fake, load, mark)
                memory[name] = machine.resident_mb(gateway.pid)
            await asyncio.gather(*workers)
        seconds = time.perf_counter() - begun
    # What a long-lived server counts together it writes once a second.
    await asyncio.sleep(1.5)
    return _rows(load, memory, seconds, fake.metered)


async def _until_up(session: aiohttp.ClientSession, url: str) -> None:
    for _ in range(200):
        try:
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)
    raise SystemExit("the gateway did not start")


async def _turn_until(fake: _FakeAws, load: _Load, mark: int) -> None:
    while load.done < mark:
        await asyncio.sleep(0.1)
        fake.turn = int(time.perf_counter() / TURN_SECONDS)


def _rows(load: _Load, memory: dict[str, float], seconds: float, metered: Counter[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "figure")]
    rows += [("requests", f"{load.done:,}"), ("failed", f"{len(load.problems)}"), ("seconds", f"{seconds:.0f}")]
    rows += [("metered requests", f"{metered['requests']:,}"), ("metered as failed", f"{metered['failed']:,}")]
    rows += [(f"resident memory, {name}", f"{size:.1f} MB") for name, size in memory.items()]
    rows += [("slowest answer", f"{load.slowest * 1e3:.0f} ms")]
    rows += [(f"answered by {who}", f"{count:,}") for who, count in load.seen.most_common()]
    return rows + [("such as", problem) for problem in load.problems[:3]]
