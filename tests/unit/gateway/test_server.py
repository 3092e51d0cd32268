"""The gateway as a plain server: real HTTP, real tables (moto's), keys of its own."""

import asyncio
import gzip
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import uvicorn

from spillway.adapters.dynamodb.key_items import item_of, pointer
from spillway.bootstrap import gateway as bootstrap
from spillway.domain.access.keys import OldSecret, Scope, digest_of, id_of
from spillway.domain.access.limits import KeyLimits
from spillway.domain.routing.route import route_to_json
from spillway.gateway.__main__ import config, main
from spillway.gateway.timeouts import HEAD_SECONDS, UNREAD_SECONDS
from spillway.settings import BadSetting, MissingSetting, Settings
from tests.builders import NOW, a_key, a_route
from tests.unit.gateway.doubles import BODY, CONTEXT, chunk, completion, sse, usage_chunk
from tests.unit.gateway.servers import ENVIRONMENT, FakeUpstream, Played, upstreams_to
from tests.waiting import GIVE_UP_SECONDS, advance, until

SECRET = "sk-spillway-test"
ORIGIN = {"origin": "https://chat.example.com"}
KEY = {"authorization": f"Bearer {SECRET}"}
POST = (
    f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {SECRET}\r\n".encode()
)
SPOOFED = {"x-amzn-request-context": json.dumps(CONTEXT)}
ANSWER = Played([completion()])
STREAM = Played([sse(chunk("hel")), sse(chunk("lo")), sse(usage_chunk(), "[DONE]")])


@dataclass
class Served:
    url: str
    port: int
    fake: FakeUpstream
    server: uvicorn.Server
    http: aiohttp.ClientSession
    stopped: Callable[[], Any]

    async def ask(self, headers: dict[str, str] | None = None, **more: Any) -> tuple[int, Any, Any]:
        sent = KEY if headers is None else headers
        async with self.http.post(f"{self.url}/v1/chat/completions", json={**BODY, **more}, headers=sent) as answer:
            return answer.status, await answer.json(), answer.headers


def environment(endpoint: str, **more: str) -> dict[str, str]:
    tables = {f"{name}_TABLE": name.lower() for name in ("ROUTES", "USAGE", "LOADS", "KEYS", "LIMITS", "PRICES")}
    return {**ENVIRONMENT, **tables, "EVENT_BUS": "default", "AWS_ENDPOINT_URL": endpoint, **more}


@pytest.fixture
def tables(dynamo: Any) -> Any:
    body = json.dumps(route_to_json(a_route()))
    dynamo.put_item(TableName="routes", Item={"name": {"S": "support-llama"}, "body": {"S": body}})
    put(dynamo)
    return dynamo


def put(dynamo: Any, secret: str = SECRET, **changes: Any) -> None:
    dynamo.put_item(TableName="keys", Item=item_of(a_key(secret, **changes)))


@asynccontextmanager
async def served(
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
    *scripts: Played,
    **more: str,
) -> AsyncIterator[Served]:
    async with upstreams_to(*(scripts or (ANSWER,))) as (_, fake), aiohttp.ClientSession() as session:
        settings = Settings(environment(endpoint, FLEETS_URL=f"{fake.url}/fleets", **more))
        monkeypatch.setattr(bootstrap, "Settings", lambda: settings)
        how = config(["--port", "0"], settings)
        server = uvicorn.Server(how)
        monkeypatch.setattr(server, "install_signal_handlers", lambda: None, raising=False)
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]

        async def stopped() -> None:
            server.should_exit = True
            await serving

        try:
            yield Served(f"http://127.0.0.1:{port}", port, fake, server, session, stopped)
        finally:
            await stopped()


async def test_a_key_is_all_that_a_client_needs(endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(endpoint, monkeypatch) as server:
        status, body, headers = await server.ask()
        assert (status, body["choices"][0]["message"]["content"]) == (200, "hello")
        assert headers["x-spillway-target"] == "fleet"
        async with server.http.get(f"{server.url}/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with server.http.get(f"{server.url}/v1/models", headers=KEY) as answer:
            assert [model["id"] for model in (await answer.json())["data"]] == ["support-llama"]


async def test_a_request_context_that_a_client_sends_opens_nothing(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tables, deployments=("another",), limits=KeyLimits(requests_per_minute=1))
    async with served(endpoint, monkeypatch) as server:
        status, body, headers = await server.ask(SPOOFED)
        assert (status, body["error"]["code"], headers["www-authenticate"]) == (401, "invalid_api_key", "Bearer")
        assert body["error"]["type"] == "authentication_error"
        status, body, _ = await server.ask(KEY | SPOOFED)
        assert (status, body["error"]["code"]) == (403, "model_not_allowed")
        assert server.fake.seen == []


async def test_a_packed_body_is_unpacked_and_one_that_cannot_be_is_refused(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, plain = gzip.compress(json.dumps(BODY).encode()), json.dumps(BODY).encode()
    async with served(endpoint, monkeypatch) as server:

        async def post(coding: str, body: bytes, headers: dict[str, str] = KEY) -> tuple[int, Any]:
            sent = {**headers, "content-encoding": coding}
            async with server.http.post(f"{server.url}/v1/chat/completions", data=body, headers=sent) as answer:
                return answer.status, (await answer.json()).get("error", {}).get("code")

        assert await post("gzip", packed) == (200, None)
        assert server.fake.seen[0].body["messages"] == BODY["messages"]
        assert await post("gzip", plain) == (400, "invalid_request")
        assert await post("br", plain) == (415, "unsupported_content_encoding")
        assert await post("br", plain, {}) == (401, "invalid_api_key")


async def test_a_preflight_needs_no_key_and_a_full_server_still_speaks_to_pages(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"CORS_ORIGINS": ORIGIN["origin"], "GATEWAY_MOST_REQUESTS": "1", "GATEWAY_DRAIN_SECONDS": "1"}
    silent = Played([sse(chunk("hel"))], ending="silence")
    async with served(endpoint, monkeypatch, silent, **options) as server:
        url = f"{server.url}/v1/chat/completions"
        async with server.http.post(url, json={**BODY, "stream": True}, headers=KEY | ORIGIN) as stream:
            await stream.content.readany()
            assert stream.headers["access-control-allow-origin"] == ORIGIN["origin"]
            status, refused, headers = await server.ask(KEY | ORIGIN)
            assert (status, refused["error"]["code"]) == (503, "busy")
            assert headers["access-control-allow-origin"] == ORIGIN["origin"]
            asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
            async with server.http.options(url, headers=ORIGIN | asked) as preflight:
                assert (preflight.status, await preflight.read()) == (204, b"")
                assert preflight.headers["access-control-allow-origin"] == ORIGIN["origin"]
                assert preflight.headers["access-control-max-age"] == "7200"


async def test_scopes_and_limits_hold_as_behind_api_gateway(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tables, "sk-no-scope", scopes=frozenset())
    put(tables, "sk-admin", scopes=frozenset({Scope.ADMIN}))
    put(tables, "sk-limited", limits=KeyLimits(tokens_per_minute=1))
    async with served(endpoint, monkeypatch) as server:
        found = {}
        for name in ("sk-no-scope", "sk-admin", "sk-limited"):
            status, body, _ = await server.ask({"authorization": f"Bearer {name}"})
            found[name] = (status, body.get("error", {}).get("code"))
    assert found == {
        "sk-no-scope": (403, "insufficient_scope"),
        "sk-admin": (200, None),
        "sk-limited": (429, "rate_limit_exceeded"),
    }


async def test_both_secrets_of_a_rotated_key_open_and_a_deleted_one_does_not(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = "sk-spillway-new"
    later = NOW.replace(year=2099)
    put(tables, digest=digest_of(new), old_secrets=(OldSecret(digest_of(SECRET), later),))
    tables.put_item(TableName="keys", Item=pointer(id_of(new), id_of(SECRET)))
    async with served(endpoint, monkeypatch, KEY_CACHE_SECONDS="0") as server:
        secrets = [{"authorization": f"Bearer {secret}"} for secret in (SECRET, new)]
        assert [(await server.ask(headers))[0] for headers in secrets] == [200, 200]
        tables.delete_item(TableName="keys", Key={"id": {"S": id_of(SECRET)}})
        assert [(await server.ask(headers))[0] for headers in secrets] == [401, 401]


async def test_a_server_that_is_told_to_stop_ends_its_streams_and_writes_what_they_used(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tables, limits=KeyLimits(tokens_per_minute=100_000))
    goes_on = asyncio.Event()
    original = FakeUpstream.answer

    async def slow(self: FakeUpstream, request: Any) -> Any:
        await goes_on.wait()
        return await original(self, request)

    monkeypatch.setattr(FakeUpstream, "answer", slow)
    async with served(endpoint, monkeypatch, STREAM) as server:
        asking = asyncio.create_task(
            server.http.post(f"{server.url}/v1/chat/completions", json={**BODY, "stream": True}, headers=KEY)
        )
        await until(lambda: server.server.server_state.tasks)
        stopping = asyncio.create_task(server.stopped())
        await until(lambda: not server.server.servers[0].is_serving())
        goes_on.set()
        async with await asking as answer:
            text = await answer.text()
        await stopping
    assert text.endswith("data: [DONE]\n\n")
    (usage,) = tables.scan(TableName="usage")["Items"]
    assert (usage["requests"], usage["completion_tokens"]) == ({"N": "1"}, {"N": "3"})
    (limits,) = tables.scan(TableName="limits")["Items"]
    assert int(limits["tokens"]["N"]) == 10


async def test_what_outlasts_the_time_to_drain_is_cut_and_still_counted(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Played([sse(chunk("hel"))], ending="silence")
    async with served(endpoint, monkeypatch, silent, GATEWAY_DRAIN_SECONDS="1") as server:
        body = {**BODY, "stream": True}
        async with server.http.post(f"{server.url}/v1/chat/completions", json=body, headers=KEY) as answer:
            await answer.content.readany()
            await server.stopped()
    (usage,) = tables.scan(TableName="usage")["Items"]
    assert (usage["requests"], usage["completion_tokens"]) == ({"N": "1"}, {"N": "1"})


@asynccontextmanager
async def connected(server: Served) -> AsyncIterator[tuple[asyncio.Task[bytes], asyncio.StreamWriter]]:
    """A connection that the server has taken, and the task that reads all that it says until it ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await until(lambda: server.server.server_state.connections)
    try:
        yield asyncio.create_task(reader.read()), writer
    finally:
        writer.close()


async def answered(server: Served, raw: bytes) -> bytes:
    """Return what the server says to this until it ends the connection."""
    async with connected(server) as (reading, writer):
        writer.write(raw)
        return await reading


# A request's head so far, what goes on coming of it, and the beginning of what the server says.
HEADS = {
    "nothing": (b"", b"", b""),
    "a head that goes on": (b"GET / HTTP/1.1\r\n", b"x: y\r\n", b""),
    "a second head": (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"G", b"HTTP/1.1 200"),
}


@pytest.mark.parametrize("head", HEADS)
async def test_a_head_that_never_ends_ends_the_connection(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    begun, more, said = HEADS[head]
    async with served(endpoint, monkeypatch) as server:
        async with connected(server) as (reading, writer):
            writer.write(begun)
            for _ in range(20):
                await asyncio.sleep(0.01)
                if reading.done():
                    break
                writer.write(more)
                advance(HEAD_SECONDS / 2)
            assert reading.done()
            assert (await reading).startswith(said)
        assert (await server.ask())[0] == 200


async def test_a_request_that_takes_longer_than_its_head_may_is_not_cut(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = json.dumps(BODY).encode()
    async with served(endpoint, monkeypatch) as server:
        assert (await server.ask())[0] == 200  # so that the key is known: no time may pass while a table is asked
        async with connected(server) as (reading, writer):
            writer.write(POST + b"content-length: %d\r\n\r\n" % len(raw))
            await until(lambda: server.server.server_state.tasks)
            advance(HEAD_SECONDS + 1)
            await asyncio.sleep(0.01)  # which is when it would be cut
            writer.write(raw)
            assert (await reading).startswith(b"HTTP/1.1 200")


async def test_a_client_that_never_reads_is_let_go_and_its_upstream_with_it(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = Played([sse(chunk("x" * 60_000))] * 400, ending="silence")
    raw = json.dumps({**BODY, "stream": True}).encode()
    async with served(endpoint, monkeypatch, long) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with client:
            client.sendall(POST + b"content-length: %d\r\n\r\n" % len(raw) + raw)
            (connection,) = await until(lambda: server.server.server_state.connections)

            def is_let_go() -> bool:
                if connection.flow.write_paused:
                    advance(UNREAD_SECONDS)
                return not server.server.server_state.tasks

            await until(lambda: server.fake.seen)
            await until(is_let_go)
    (usage,) = tables.scan(TableName="usage")["Items"]
    assert usage["requests"] == {"N": "1"}


async def test_what_is_no_http_gets_the_one_error_shape(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(endpoint, monkeypatch) as server:
        said = await answered(server, b"\x16\x03\x01 no HTTP\r\n\r\n")
        large = await answered(server, b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000)
    for answer in (said, large):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400")
        assert json.loads(body)["error"]["type"] == "invalid_request_error"


async def test_a_full_server_says_so_and_stays_healthy(
    endpoint: str, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Played([sse(chunk("hel"))], ending="silence")
    async with served(endpoint, monkeypatch, silent, GATEWAY_MOST_REQUESTS="1", GATEWAY_DRAIN_SECONDS="1") as server:
        body = {**BODY, "stream": True}
        async with server.http.post(f"{server.url}/v1/chat/completions", json=body, headers=KEY) as answer:
            await answer.content.readany()
            status, refused, headers = await server.ask()
            assert (status, refused["error"]["code"], headers["retry-after"]) == (503, "busy", "1")
            async with server.http.get(f"{server.url}/healthz") as health:
                assert health.status == 200


def test_a_missing_setting_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    incomplete = {name: value for name, value in environment("http://x").items() if name != "KEYS_TABLE"}
    with pytest.raises(MissingSetting, match="KEYS_TABLE"):
        config([], Settings(incomplete))
    monkeypatch.delenv("KEYS_TABLE", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert main([]) == 2
    assert "is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_CACHE_SECONDS", "-1"),
        ("KEY_CACHE_SECONDS", "a minute"),
        ("KEY_CACHE_SECONDS", "nan"),
        ("GATEWAY_MOST_REQUESTS", "0"),
        ("GATEWAY_DRAIN_SECONDS", "inf"),
        ("GATEWAY_IDLE_SECONDS", "0"),
    ],
)
def test_a_setting_that_is_none_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"{name} must be a number .*'{value}'"):
        config([], Settings(environment("http://x", **{name: value})))


async def test_one_command_starts_it_and_a_signal_ends_it(endpoint: str, tables: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "spillway.gateway", "--port", str(port)),
        env={**environment(endpoint), "PYTHONPATH": "layers/spillway/src", "PATH": os.environ["PATH"]},
    )
    try:
        async with aiohttp.ClientSession() as http, asyncio.timeout(GIVE_UP_SECONDS):
            while True:
                try:
                    async with http.get(f"http://127.0.0.1:{port}/v1/models", headers=KEY) as answer:
                        assert answer.status == 200
                        break
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(GIVE_UP_SECONDS):
            assert await process.wait() in (0, -signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
