"""What a Lambda SnapStart snapshot of the gateway holds: nothing that a restored process must not have."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.bootstrap import gateway as bootstrap
from spillway.gateway.app import Gateway
from spillway.settings import Settings
from tests.builders import NOW

SNAPSTART = {
    "AWS_REGION": "eu-west-1",
    **{f"{name}_TABLE": name.lower() for name in ("ROUTES", "USAGE", "LOADS", "LIMITS", "PRICES")},
    "EVENT_BUS": "bus",
    "AWS_LAMBDA_FUNCTION_NAME": "serve",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
}


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[int]]]:
    """A place for all of AWS that counts connections."""
    connections: list[int] = []

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections


async def ready(gateway: Gateway) -> int:
    """Ask what Lambda Web Adapter asks before the snapshot is taken."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway({"type": "http", "method": "GET", "path": "/healthz", "headers": []}, receive, send)
    status: int = sent[0]["status"]
    return status


async def test_until_the_first_request_nothing_is_asked_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection, credential, route or lease can be stale that there is none of."""
    async with listening() as (url, connections):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
        settings = Settings({**SNAPSTART, "AWS_ENDPOINT_URL": url})
        monkeypatch.setattr(bootstrap, "Settings", lambda: settings)
        gateway = await bootstrap.build_gateway()
        try:
            assert await ready(gateway) == 200
            assert connections == []
        finally:
            await gateway.close()


async def test_restored_processes_do_not_draw_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "Settings", lambda: Settings(SNAPSTART))
    gateway = await bootstrap.build_gateway()
    draws = []
    for _ in range(2):  # what the two have of the snapshot's generator
        random.seed(4)
        draws.append(gateway.completions.dispatch.draw())
    await gateway.close()
    assert draws[0] != draws[1]


async def test_credentials_are_found_after_the_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Lambda gives them under SnapStart: by an address, not in the environment."""
    answer = b'{"AccessKeyId":"AKIB","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}'

    async def credentials(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(answer) + answer)
        writer.close()

    server = await asyncio.start_server(credentials, "127.0.0.1", 0)
    async with server, Connections() as connections:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/credentials"
        aws = AwsHttp(connections, Settings(SNAPSTART), lambda: NOW)
        aws.prepare()
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
        found = await aws._credentials()
    assert found.access_key == "AKIB"
