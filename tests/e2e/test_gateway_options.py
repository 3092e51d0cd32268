"""What is optional about the gateway, on a stack that is deployed with it."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.builders import SPILL_MODEL, SPILL_PROFILE, spec_body
from tests.e2e.operator import Answer, Operator, ask_at_once
from tests.sandbox.runtime.functions import SOURCES, access_key_id, secret_access_key
from tests.sandbox.runtime.options import Options
from tests.sandbox.sandbox import Sandbox

NAME = "optional"
PAGE = "https://chat.example.com"
PROMPT = "Where is my order?"
BODY = {"model": NAME, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 10}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with Sandbox(
        Options(
            port=0,
            folder=folder,
            parameters={"KeyCacheSeconds": "0", "GatewayServer": "ecs", "CorsOrigins": f"{PAGE},http://localhost:3000"},
        )
    ) as running:
        wish = {"path": "bedrock", "model": {"id": SPILL_MODEL}, "capacity": None, "spill": None}
        ask_at_once(running, spec_body(name=NAME, **wish))
        yield running


async def a_key(operator: Operator, **limits: Any) -> dict[str, Any]:
    await operator.until(NAME, "serving")
    made: dict[str, Any] = (await operator.call("POST", "/keys", {"name": "optional", **limits})).body
    return made


async def ask(operator: Operator, key: dict[str, Any]) -> Answer:
    return await operator.call("POST", "/v1/chat/completions", BODY, key=key["secret"])


async def test_a_users_own_price_is_what_budgets_are_held_to(operator: Operator) -> None:
    dear = {"table": "bedrock", "name": SPILL_PROFILE, "usd": [9000.0, 9000.0]}
    answer = await operator.call("PUT", "/prices/overrides", {"overrides": [dear]})
    assert answer.status == 200, answer.body
    key = await a_key(operator, usd_per_month=1.0)
    refused = await ask(operator, key)
    assert (refused.status, refused.error["code"]) == (429, "budget_exceeded")


async def test_without_a_cache_time_a_deleted_key_opens_nothing_any_more(operator: Operator) -> None:
    key = await a_key(operator)
    assert (await ask(operator, key)).status == 200
    assert (await operator.call("DELETE", f"/keys/{key['id']}")).status == 204
    assert (await ask(operator, key)).status == 401


@asynccontextmanager
async def a_server(sandbox: Sandbox, http: aiohttp.ClientSession) -> AsyncIterator[str]:
    """Start the gateway as a server, with what the stack's outputs say and the credentials of their role."""
    outputs = sandbox.deployed.stack.outputs()
    key_id = access_key_id(outputs["GatewayServerRole"])
    environment = {
        **dict(line.split("=", 1) for line in outputs["GatewayServerEnvironment"].split("\n")),
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret_access_key(key_id),
        "AWS_SESSION_TOKEN": "sandbox",
        "AWS_ENDPOINT_URL": sandbox.aws_endpoint_url,
        "PYTHONPATH": str(SOURCES),
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "spillway.gateway", "--port", str(port))
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60):
            while not await is_healthy(http, url):
                await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def is_healthy(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectorError:
        return False


async def test_a_server_needs_no_more_than_the_stack_gives_it(
    operator: Operator, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    key, rotated = await a_key(operator, requests_per_minute=100), await a_key(operator)
    second = (await operator.call("POST", f"/keys/{rotated['id']}/rotate", {"overlap_seconds": 0})).body["secret"]
    secrets = (key["secret"], second, rotated["secret"])
    async with a_server(sandbox, http) as url:

        async def status(secret: str) -> int:
            headers = {"Authorization": f"Bearer {secret}"}
            async with http.post(f"{url}/v1/chat/completions", json=BODY, headers=headers) as answer:
                return answer.status

        assert [await status(secret) for secret in secrets] == [200, 200, 401]
        await operator.call("DELETE", f"/keys/{key['id']}")
        assert await status(key["secret"]) == 401
        # A key's limits hold whichever way it comes.
        poor = await a_key(operator, usd_per_month=0.000001)
        assert await status(poor["secret"]) == 429


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


async def preflight(http: aiohttp.ClientSession, url: str, origin: str = PAGE) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and what a browser looks at; a preflight has no key."""
    async with http.options(url, headers={"Origin": origin, **PREFLIGHT}) as answer:
        return answer.status, await answer.read(), cors_of(answer)


def cors_of(answer: aiohttp.ClientResponse) -> dict[str, str]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in headers.items() if name.startswith("access-control-") or name == "vary"}


async def test_a_page_of_a_named_origin_may_use_the_gateway(
    operator: Operator, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    key = await a_key(operator)
    url = f"{sandbox.openai_base_url}/chat/completions"
    status, body, headers = await preflight(http, url)
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["access-control-allow-headers"].split(", ") == ["authorization", "*"]
    status, _, headers = await preflight(http, url, "https://other.example.com")
    assert (status, headers.get("access-control-allow-origin"), headers["vary"]) == (204, None, "Origin")

    allowed = {"access-control-allow-origin": PAGE, "access-control-expose-headers": "*", "vary": "Origin"}
    own = {"Origin": PAGE, "Authorization": f"Bearer {key['secret']}"}
    asked: list[tuple[int, dict[str, Any], dict[str, str], dict[str, str]]] = [
        (200, BODY, own, allowed),
        (200, {**BODY, "stream": True}, own, allowed),
        (404, {**BODY, "model": "nobody"}, own, allowed),
        # API Gateway's own answers, which nobody behind it sees.
        (401, BODY, {"Origin": PAGE}, {"access-control-allow-origin": "*"}),
        (415, BODY, {**own, "Content-Encoding": "br"}, {"access-control-allow-origin": "*"}),
    ]
    for expected, sent, headers, found in asked:
        async with http.post(url, data=json.dumps(sent), headers=headers) as answer:
            assert (answer.status, cors_of(answer)) == (expected, found)


async def test_a_key_may_come_as_x_api_key_where_it_is_looked_for(
    operator: Operator, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    key = {"x-api-key": (await a_key(operator))["secret"]}

    async def status(url: str, headers: dict[str, str]) -> int:
        async with http.post(f"{url}/v1/chat/completions", json=BODY, headers=headers) as answer:
            return answer.status

    there = f"{sandbox.base_url}/x-api-key"
    assert await status(there, key) == 200
    assert (await preflight(http, f"{there}/v1/chat/completions"))[0] == 204
    bearer = {"Authorization": f"Bearer {key['x-api-key']}"}
    assert [await status(there, bearer), await status(sandbox.base_url, key)] == [401, 401]
    async with http.get(f"{sandbox.base_url}/deployments", headers=key) as answer:
        assert answer.status == 401
    async with a_server(sandbox, http) as url:
        assert [await status(url, key), await status(url, bearer)] == [200, 200]


async def test_a_server_answers_preflights_as_the_stack_does(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    async with a_server(sandbox, http) as url:
        behind = await preflight(http, f"{sandbox.openai_base_url}/chat/completions")
        assert await preflight(http, f"{url}/v1/chat/completions") == behind


async def test_texts_are_logged_apart_once_they_are_asked_for(operator: Operator, sandbox: Sandbox) -> None:
    key, stack = await a_key(operator), sandbox.deployed.stack
    patched = await operator.call("PATCH", f"/deployments/{NAME}", {"request_log": {"text": True}})
    assert (patched.status, patched.body["spec"]["request_log"]) == (202, {"text": True})

    def texts() -> list[str]:
        group = stack.ref("TextLogGroup")
        return [event["message"] for event in stack.client("logs").filter_log_events(logGroupName=group)["events"]]

    found: list[str] = []
    while not found:  # a route may be 2 s old
        assert (await ask(operator, key)).status == 200
        found = texts()
    assert PROMPT in found[0]
    assert key["secret"] not in found[0]
