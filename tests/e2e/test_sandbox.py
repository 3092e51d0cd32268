"""The sandbox serves the stack as API Gateway and Lambda would, and leaves nothing running."""

import asyncio
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from tests.sandbox.runtime.functions import REPOSITORY
from tests.sandbox.runtime.options import Options
from tests.sandbox.runtime.servers import PortInUseError
from tests.sandbox.sandbox import Sandbox

PATIENCE_SECONDS = 60.0


@pytest.fixture
async def http() -> Any:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=sandbox.openai_base_url, api_key=sandbox.admin_key, max_retries=0) as made:
        yield made


async def call(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> tuple[int, Any]:
    sent = (headers or {}) | ({"Authorization": f"Bearer {key}"} if key else {})
    async with http.request(method, url, headers=sent, **more) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_health_needs_no_key(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    assert await call(http, "GET", f"{sandbox.base_url}/healthz") == (200, {"status": "ok"})


async def test_a_request_without_a_key_gets_the_templates_own_401(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    status, body = await call(http, "GET", f"{sandbox.base_url}/deployments")
    assert (status, body["error"]["type"]) == (401, "authentication_error")


async def test_an_unknown_key_is_refused_alike(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    status, body = await call(http, "GET", f"{sandbox.openai_base_url}/models", "sk-spillway-nobody")
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")


async def test_an_invoke_key_may_not_touch_deployments(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    made = {"name": "narrow", "scopes": ["invoke"]}
    status, key = await call(http, "POST", f"{sandbox.base_url}/keys", sandbox.admin_key, json=made)
    assert status == 201
    status, body = await call(http, "GET", f"{sandbox.base_url}/deployments", key["secret"])
    assert (status, body["error"]["type"]) == (403, "permission_error")
    assert (await call(http, "GET", f"{sandbox.openai_base_url}/models", key["secret"]))[0] == 200


async def test_a_path_that_no_route_has_is_not_found(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    status, body = await call(http, "GET", f"{sandbox.base_url}/nowhere", sandbox.admin_key)
    assert (status, body["error"]["code"]) == (404, "unknown_route")


async def test_a_body_over_ten_megabytes_is_refused(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    url = f"{sandbox.base_url}/deployments"
    status, body = await call(http, "POST", url, sandbox.admin_key, data=BytesIO(b"x" * (10 * 1024 * 1024 + 2)))
    assert (status, body["error"]["code"]) == (413, "request_too_large")


async def test_a_packed_body_is_unpacked_before_both_apis(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    data = gzip.compress(json.dumps({"name": "packed", "scopes": ["invoke"]}).encode())
    status, key = await call(http, "POST", f"{sandbox.base_url}/keys", sandbox.admin_key, data=data, headers=packed)
    assert (status, key["name"]) == (201, "packed")
    asked = gzip.compress(json.dumps({"model": "nobody", "messages": [{"role": "user", "content": "x"}]}).encode())
    url = f"{sandbox.openai_base_url}/chat/completions"
    status, body = await call(http, "POST", url, sandbox.admin_key, data=asked, headers=packed)
    assert (status, body["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", ["keys", "v1/chat/completions"])
async def test_a_body_that_api_gateway_cannot_unpack_is_refused(
    sandbox: Sandbox, http: aiohttp.ClientSession, path: str
) -> None:
    url = f"{sandbox.base_url}/{path}"
    status, body = await call(http, "POST", url, sandbox.admin_key, data=b"{}", headers={"Content-Encoding": "br"})
    assert (status, body["error"]["code"]) == (415, "unsupported_content_encoding")


async def test_no_page_may_read_anything_unless_a_stack_allows_it(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    page = {"Origin": "https://chat.example.com", "Access-Control-Request-Method": "POST"}
    for method in ("OPTIONS", "POST"):
        async with http.request(method, f"{sandbox.openai_base_url}/chat/completions", headers=page) as answer:
            assert answer.status == {"OPTIONS": 204, "POST": 401}[method]
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


async def test_headers_over_ten_kilobytes_are_refused(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    headers = {f"X-Long-{number}": "x" * 5120 for number in range(2)}
    status, _ = await call(http, "GET", f"{sandbox.openai_base_url}/models", sandbox.admin_key, headers=headers)
    assert status == 431


async def test_context_that_a_client_makes_up_does_not_reach_the_gateway(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    forged = {"x-amzn-request-context": json.dumps({"authorizer": {"scopes": "admin", "deployments": ""}})}
    async with http.get(f"{sandbox.openai_base_url}/models", headers=forged) as answer:
        assert answer.status == 401


def test_the_openai_client_lists_models(client: openai.OpenAI) -> None:
    assert client.models.list().object == "list"


def test_the_openai_client_gets_openais_error_for_an_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "hello"}])
    assert refused.value.body


async def test_a_deployment_serves_and_is_retired_without_a_trace(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    name = "e2e-fleet"
    wish = {
        "name": name,
        "path": "fleet",
        "model": {"id": "meta-llama/Llama-3.1-8B-Instruct", "accept_eula": True},
        "capacity": {"min": 0, "max": 1, "instance_types": ["g6e.xlarge"]},
        "spill": {"model_id": "meta.llama3-1-8b-instruct-v1:0"},
    }
    status, _ = await call(http, "POST", f"{sandbox.base_url}/deployments", sandbox.admin_key, json=wish)
    assert status == 202
    assert await ended(sandbox, http, name, "serving") == "serving", list(sandbox.functions.failures)
    targets = [await streamed(sandbox, name) for _ in range(2)]
    assert set(targets) <= {"fleet", "bedrock"}
    status, _ = await call(http, "DELETE", f"{sandbox.base_url}/deployments/{name}", sandbox.admin_key)
    assert status == 202
    assert await ended(sandbox, http, name, "retired") == "retired", list(sandbox.functions.failures)
    _, left = await call(http, "GET", f"{sandbox.aws_endpoint_url}/_sandbox/leftovers")
    assert left == []


async def test_the_daily_schedule_passes_the_vpc_link(sandbox: Sandbox) -> None:
    stack, links = sandbox.deployed.stack, sandbox.emulation.vpc_links
    target = stack.properties("SmokeTestFunctionDaily")["Target"]
    link, before = stack.ref("FleetVpcLink"), sandbox.clock.time()
    delivered = sandbox.emulation.delivery.send(
        stack.attribute("SmokeTestFunctionDaily", "Arn"), target, target["Input"]
    )
    ran = await asyncio.to_thread(delivered.result)
    assert ran is not None
    await asyncio.to_thread(ran.result)
    assert links.last_traffic[link] >= before
    assert not [each for each in sandbox.functions.failures if "SmokeTest" in str(each)]


async def test_no_call_was_beyond_its_roles_policies(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    _, calls = await call(http, "GET", f"{sandbox.aws_endpoint_url}/_sandbox/calls")
    assert calls
    _, denied = await call(http, "GET", f"{sandbox.aws_endpoint_url}/_sandbox/calls?denied")
    assert denied == []


async def test_an_unsigned_aws_call_is_refused(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    status, body = await call(http, "GET", f"{sandbox.aws_endpoint_url}/model/anything/converse")
    assert (status, body["__type"]) == (403, "MissingAuthenticationTokenException")


def test_a_port_in_use_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} is in use"):
            Sandbox(Options(port=port)).start()


def test_ending_it_leaves_no_process_behind(tmp_path: Path) -> None:
    with Sandbox(Options(port=0, folder=tmp_path)) as other:
        group = other.functions.process_group
        assert members(group)
    # They are killed, and gone as soon as the kernel gets to it.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert members(group) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers notice by their sockets, a little later")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_the_program_takes_its_workers_with_it(ending: signal.Signals) -> None:
    environment = {**os.environ, "SPILLWAY_PORT": "0", "PYTHONPATH": f"{REPOSITORY}/layers/spillway/src:{REPOSITORY}"}
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.sandbox"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    children: set[int] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(children) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        children = descendants(program.pid)
    program.send_signal(ending)
    program.wait(PATIENCE_SECONDS)
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in children if alive(pid)] == []


async def ended(sandbox: Sandbox, http: aiohttp.ClientSession, name: str, wanted: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        _, seen = await call(http, "GET", f"{sandbox.base_url}/deployments/{name}", sandbox.admin_key)
        if seen.get("status") in (wanted, "failed") or time.monotonic() > deadline:
            return str(seen.get("status"))
        await asyncio.sleep(0.2)


async def streamed(sandbox: Sandbox, model: str) -> str:
    """Ask by OpenAI's own client, streaming; return the target that answered."""
    async with openai.AsyncOpenAI(base_url=sandbox.openai_base_url, api_key=sandbox.admin_key) as client:
        answer = await client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": "hello"}], max_tokens=8, stream=True
        )
        parts = [part async for part in answer.parse()]
        assert len(parts) > 1
        return answer.headers["x-spillway-target"]


def members(group: int) -> list[int]:
    """Return the live processes of a process group."""
    return [pid for pid in processes() if alive(pid) and stat(pid)[2] == group]


def descendants(pid: int) -> set[int]:
    found, grown = {pid}, True
    while grown:
        children = {each for each in processes() if each not in found and alive(each) and stat(each)[1] in found}
        found |= children
        grown = bool(children)
    return found - {pid}


def processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def alive(pid: int) -> bool:
    return stat(pid)[0] not in ("", "Z", "X")


def stat(pid: int) -> tuple[str, int, int]:
    """Return state, parent and process group from ``/proc``; an empty state for a process that has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0, 0
    state, parent, group = text.rpartition(")")[2].split()[:3]
    return state, int(parent), int(group)
