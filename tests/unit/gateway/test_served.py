"""The official client against the gateway on a real server and a real connection to the upstream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
import uvicorn

from tests.unit.gateway.doubles import CONTEXT, World, a_world, chunk, completion, sse, usage_chunk
from tests.unit.gateway.servers import FakeUpstream, Played, upstreams_to
from tests.waiting import until

MESSAGES: Any = [{"role": "user", "content": "hi"}]
STREAM = Played([sse(chunk("hel")), sse(chunk("lo")), sse(usage_chunk(), "[DONE]")])


@asynccontextmanager
async def served(*scripts: Played) -> AsyncIterator[tuple[openai.AsyncOpenAI, World, FakeUpstream]]:
    async with upstreams_to(*scripts) as (upstreams, fake):
        world = a_world(real=upstreams, idle_seconds=60)
        config = uvicorn.Config(world.gateway, port=0, lifespan="off", log_level="error", loop="asyncio", http="h11")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        headers = {"x-amzn-request-context": json.dumps(CONTEXT)}
        url = f"http://127.0.0.1:{port}/v1"
        try:
            async with openai.AsyncOpenAI(base_url=url, api_key="k", default_headers=headers, max_retries=0) as client:
                yield client, world, fake
        finally:
            server.should_exit = True
            await serving


async def test_a_whole_answer() -> None:
    async with served(Played([completion()])) as (client, world, _):
        raw = await client.chat.completions.with_raw_response.create(model="support-llama", messages=MESSAGES)
    assert raw.parse().choices[0].message.content == "hello"
    assert raw.headers["x-spillway-target"] == "fleet"
    assert world.lines[0]["completion_tokens"] == 3


async def test_a_stream_and_its_usage() -> None:
    async with served(STREAM) as (client, _, fake):
        for _ in range(2):
            stream = await client.chat.completions.create(
                model="support-llama", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
            parts = [part async for part in stream]
            assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "hello"
            assert parts[-1].usage is not None
            assert parts[-1].usage.total_tokens == 10
        assert len(fake.seen) == 2


async def test_errors_are_the_clients_own_classes() -> None:
    refusal = Played([b'{"error":{"message":"too long","param":"input_tokens","code":400}}'], status=400)
    async with served(refusal) as (client, _, _):
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await client.chat.completions.create(model="nobody", messages=MESSAGES)
        with pytest.raises(openai.BadRequestError, match="too long"):
            await client.chat.completions.create(model="support-llama", messages=MESSAGES)
        with pytest.raises(openai.NotFoundError, match="unknown request URL"):
            await client.moderations.create(model="support-llama", input="x")


async def test_a_stream_that_breaks_is_an_error_to_the_client() -> None:
    async with served(Played([sse(chunk("hel"))], ending="cut")) as (client, world, _):
        stream = await client.chat.completions.create(model="support-llama", messages=MESSAGES, stream=True)
        assert (await anext(aiter(stream))).choices[0].delta.content == "hel"
        with pytest.raises(openai.APIError, match="stopped answering"):
            await anext(aiter(stream))
    assert world.lines[0]["broken"] is True


async def test_a_client_that_hangs_up_closes_the_upstream() -> None:
    async with served(Played([sse(chunk("hel"))], ending="silence")) as (client, world, fake):
        stream = await client.chat.completions.create(model="support-llama", messages=MESSAGES, stream=True)
        await anext(aiter(stream))
        await stream.close()
        await fake.hung_up.wait()
        await until(lambda: world.counters.added)
    assert (world.lines[0]["status"], world.lines[0]["tokens_estimated"]) == (499, True)


async def test_the_list_of_models() -> None:
    async with served(STREAM) as (client, _, _):
        models = await client.models.list()
    assert [(model.id, model.owned_by) for model in models.data] == [("support-llama", "spillway")]
