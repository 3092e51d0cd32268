"""An emulated engine under load, with a key, in front of a real vLLM, and dying."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from tests.sandbox.engine import Engine, EngineConfig
from tests.waiting import until

HELLO = {"messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture
async def slow() -> AsyncIterator[Engine]:
    """Two places in the batch, four in all, twenty tokens a second."""
    config = EngineConfig(("m",), tokens_per_second=20, max_num_seqs=2, max_num_queued_reqs=4)
    engine = Engine(config)
    yield engine
    await engine.kill()


async def post(http: aiohttp.ClientSession, url: str, **asked: Any) -> tuple[int, Any]:
    async with http.post(f"{url}/v1/chat/completions", json={**HELLO, **asked}) as answer:
        return answer.status, await answer.json()


async def full(http: aiohttp.ClientSession, url: str, engine: Engine) -> list[asyncio.Task[tuple[int, Any]]]:
    tasks = [asyncio.create_task(post(http, url)) for _ in range(4)]
    await until(lambda: engine.running + engine.waiting == 4)
    return tasks


async def cancel(tasks: list[asyncio.Task[tuple[int, Any]]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_official_client_reads_it(http: aiohttp.ClientSession) -> None:
    engine = Engine(EngineConfig(("m",), tokens_per_second=10_000, api_key="secret"))
    url = await engine.start()
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="secret", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "hello there"}],
            max_tokens=20,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        with pytest.raises(openai.NotFoundError, match="Valid aliases: m"):
            await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "hello"}])
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 20
    await engine.kill()


async def test_a_key_guards_only_what_vllm_guards(http: aiohttp.ClientSession) -> None:
    engine = Engine(EngineConfig(("m",), tokens_per_second=10_000, api_key="secret"))
    url = await engine.start()
    assert await post(http, url) == (401, {"error": "Unauthorized"})
    async with http.post(f"{url}/invocations", json=HELLO) as answer:
        assert answer.status == 200
    await engine.kill()


async def test_a_full_engine_refuses_with_503_and_no_retry_after(http: aiohttp.ClientSession, slow: Engine) -> None:
    url = await slow.start()
    tasks = await full(http, url, slow)
    assert (slow.running, slow.waiting) == (2, 2)
    async with http.post(f"{url}/v1/chat/completions", json=HELLO) as answer:
        assert answer.status == 503
        assert "Retry-After" not in answer.headers
        assert (await answer.json())["error"]["code"] == 503
    await cancel(tasks)


async def test_a_full_engine_refuses_a_stream_in_its_first_event(http: aiohttp.ClientSession, slow: Engine) -> None:
    url = await slow.start()
    tasks = await full(http, url, slow)
    async with http.post(f"{url}/v1/chat/completions", json={**HELLO, "stream": True}) as answer:
        assert answer.status == 200
        first, done = (await answer.text()).removesuffix("\n\n").split("\n\n")
    assert json.loads(first.removeprefix("data: "))["error"]["code"] == 503
    assert done == "data: [DONE]"
    assert slow.totals.refused == 1
    await cancel(tasks)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_stops_the_work(http: aiohttp.ClientSession, slow: Engine, stream: bool) -> None:
    url = await slow.start()
    task = asyncio.create_task(post(http, url, stream=stream))
    await until(lambda: slow.running == 1)
    task.cancel()
    await until(lambda: slow.running == 0, seconds=0.3)
    assert slow.totals.finished == {"abort": 1}
    await asyncio.gather(task, return_exceptions=True)


async def test_two_hundred_streams_share_one_engine(http: aiohttp.ClientSession) -> None:
    engine = Engine(EngineConfig(("m",), tokens_per_second=20_000, max_num_seqs=256))
    url = await engine.start()

    async def read() -> int:
        async with http.post(f"{url}/v1/chat/completions", json={**HELLO, "stream": True, "max_tokens": 40}) as answer:
            return (await answer.text()).count("data: ")

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        events = await asyncio.gather(*(read() for _ in range(200)))
    assert engine.totals.generation_tokens == 200 * 40
    # A token an event would be more than 42 events a stream.
    assert max(events) < 30
    await engine.kill()


async def test_a_killed_engine_resets_streams_and_refuses_connections(
    http: aiohttp.ClientSession, slow: Engine
) -> None:
    url = await slow.start()
    port = int(url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({**HELLO, "stream": True})
    head = f"POST /invocations HTTP/1.1\r\nHost: e\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(f"{head}\r\n\r\n{body}".encode())
    await reader.readuntil(b"data: ")
    await slow.kill()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        await http.get(f"{url}/health")


async def test_a_stopped_engine_finishes_what_it_has(http: aiohttp.ClientSession) -> None:
    engine = Engine(EngineConfig(("m",), tokens_per_second=400))
    url = await engine.start()
    task = asyncio.create_task(post(http, url, max_tokens=40))
    await until(lambda: engine.running == 1)
    await engine.stop()
    status, body = await task
    assert (status, body["usage"]["completion_tokens"]) == (200, 40)
    with pytest.raises(aiohttp.ClientConnectorError):
        await http.get(f"{url}/health")


async def test_an_impatient_stop_cuts_off_what_is_left(http: aiohttp.ClientSession, slow: Engine) -> None:
    url = await slow.start()
    task = asyncio.create_task(post(http, url))
    await until(lambda: slow.running == 1)
    await slow.stop(grace_seconds=0.02)
    with pytest.raises(aiohttp.ClientError):
        await task


async def test_a_crash_is_told_to_streams(http: aiohttp.ClientSession, slow: Engine) -> None:
    url = await slow.start()
    async with http.post(f"{url}/v1/chat/completions", json={**HELLO, "stream": True}) as answer:
        await answer.content.readany()
        await slow.crash()
        rest = (await answer.text()).removesuffix("\n\n").split("\n\n")
    assert json.loads(rest[-2].removeprefix("data: "))["error"]["code"] == 500
    assert rest[-1] == "data: [DONE]"


async def test_a_frozen_engine_keeps_the_connection_and_says_nothing(http: aiohttp.ClientSession, slow: Engine) -> None:
    url = await slow.start()
    async with http.post(f"{url}/v1/chat/completions", json={**HELLO, "stream": True}) as answer:
        await answer.content.readany()
        slow.freeze()
        made = slow.totals.generation_tokens
        # What was on its way may still come; then nothing does, and nothing ends.
        while await _comes(answer):
            pass
    assert slow.totals.generation_tokens == made < 128


async def _comes(answer: aiohttp.ClientResponse) -> bool:
    """Whether anything comes in a while; the end of an answer that must not end is an error."""
    try:
        part = await asyncio.wait_for(answer.content.readany(), 0.08)
    except TimeoutError:
        return False
    assert part, "the answer has ended"
    return True


async def test_with_an_upstream_a_real_vllm_answers_under_its_own_name(http: aiohttp.ClientSession) -> None:
    real = Engine(EngineConfig(("real-llama",), tokens_per_second=10_000))
    proxy = Engine(EngineConfig(("m",), upstream_url=await real.start()))
    url = await proxy.start()
    status, body = await post(http, url, model="m", max_tokens=3)
    assert (status, body["model"], body["usage"]["completion_tokens"]) == (200, "real-llama", 3)
    async with http.post(f"{url}/invocations", json={**HELLO, "stream": True, "max_tokens": 3}) as answer:
        assert (await answer.text()).endswith("data: [DONE]\n\n")
    assert proxy.running == 0
    await real.kill()
    async with http.get(f"{url}/health") as answer:
        assert answer.status == 502
    await proxy.stop()
