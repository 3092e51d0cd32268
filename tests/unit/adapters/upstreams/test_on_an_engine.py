"""Every endpoint through the gateway, with the official client, on an engine that speaks vLLM."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
import uvicorn
from aiohttp import web

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.domain.paths.targets import FleetTarget
from spillway.domain.task import Task
from spillway.settings import Settings
from tests.builders import NOW, a_route
from tests.sandbox.engine import Engine, EngineConfig
from tests.unit.gateway.doubles import CONTEXT, World, a_world
from tests.unit.gateway.servers import ENVIRONMENT, all_upstreams
from tests.waiting import until

MODEL = "support-llama"
TASKS = {"generate": Task.CHAT, "embed": Task.EMBED, "score": Task.RERANK}


class _BehindTheDoor(Engine):
    """An engine under the path by which the gateway reaches a fleet."""

    def _app(self) -> web.Application:
        app = web.Application()
        app.add_subapp(f"/fleets/{MODEL}", super()._app())
        return app


@asynccontextmanager
async def served(**config: Any) -> AsyncIterator[tuple[openai.AsyncOpenAI, World, Engine]]:
    engine = _BehindTheDoor(EngineConfig((MODEL,), **{"tokens_per_second": 5000, **config}))
    url = await engine.start()
    async with Connections() as connections:
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": url}), lambda: NOW)
        primary = FleetTarget(MODEL, TASKS[config.get("task", "generate")])
        world = a_world(a_route(primary=primary, spill=None), real=all_upstreams(aws, f"{url}/fleets"), idle_seconds=60)
        options: Any = {"port": 0, "lifespan": "off", "log_level": "error", "loop": "asyncio", "http": "h11"}
        server = uvicorn.Server(uvicorn.Config(world.gateway, **options))
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
        headers = {"x-amzn-request-context": json.dumps(CONTEXT)}
        try:
            async with openai.AsyncOpenAI(base_url=base, api_key="k", default_headers=headers, max_retries=0) as client:
                yield client, world, engine
        finally:
            server.should_exit = True
            await serving
            await engine.kill()


async def test_a_response_and_its_usage() -> None:
    async with served() as (client, world, _):
        response = await client.responses.create(model=MODEL, input="hello there", max_output_tokens=4)
    assert (response.status, response.model, len(response.output_text.split())) == ("incomplete", MODEL, 4)
    assert (world.lines[0]["prompt_tokens"], world.lines[0]["completion_tokens"]) == (7, 4)


async def test_a_streamed_response() -> None:
    async with served() as (client, world, _), client.responses.stream(model=MODEL, input="hello there") as stream:
        kinds = [event.type async for event in stream]
        response = await stream.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert len(response.output_text.split()) == 128
    assert (world.lines[0]["completion_tokens"], world.lines[0]["tokens_estimated"]) == (128, False)


async def test_a_response_that_breaks_is_an_error_to_the_client() -> None:
    async with served(tokens_per_second=50) as (client, world, engine):
        stream = await client.responses.create(model=MODEL, input="hello there", stream=True)
        while (await anext(aiter(stream))).type != "response.output_text.delta":
            continue
        await engine.kill()
        with pytest.raises(openai.APIError, match="stopped answering"):
            await _to_the_end(stream)
    assert (world.lines[0]["broken"], world.lines[0]["tokens_estimated"]) == (True, True)
    assert world.lines[0]["completion_tokens"] >= 1


async def test_a_full_engine_is_a_503_for_responses_too() -> None:
    async with served(max_num_queued_reqs=1, tokens_per_second=20) as (client, _, engine):
        busy = asyncio.create_task(client.responses.create(model=MODEL, input="hi"))
        await until(lambda: engine.running)
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as refused:
                await client.responses.create(model=MODEL, input="hi", stream=stream)
            assert (refused.value.status_code, refused.value.code) == (503, "engine_saturated")
            assert refused.value.response.headers["retry-after"] in ("1", "2", "3")
        busy.cancel()


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("store", True),
        ("background", True),
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("prompt", {"id": "p"}),
    ],
)
async def test_what_needs_a_memory_is_refused_by_name(param: str, value: Any) -> None:
    async with served() as (client, world, _):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.create(model=MODEL, input="hi", **{param: value})
        await client.responses.create(model=MODEL, input="hi", store=False, background=False)
    assert (refused.value.param, refused.value.code) == (param, "unsupported_parameter")
    assert len(world.lines) == 1


async def test_embeddings() -> None:
    async with served(task="embed") as (client, world, _):
        answer = await client.embeddings.create(model=MODEL, input=["one", "two"], dimensions=3)
        floats = await client.embeddings.create(model=MODEL, input="one", dimensions=3, encoding_format="float")
    assert [len(item.embedding) for item in answer.data] == [3, 3]
    assert answer.data[0].embedding == pytest.approx(floats.data[0].embedding)
    assert (world.lines[0]["prompt_tokens"], world.lines[0]["completion_tokens"]) == (2, 0)


async def test_a_ranking_and_its_tokens() -> None:
    body = {"model": MODEL, "query": "red car", "documents": ["a blue house", "a red car", "red"], "top_n": 2}
    async with served(task="score") as (client, world, _):
        answer: Any = await client.post("/rerank", cast_to=object, body=body)
        with pytest.raises(openai.BadRequestError, match="query must be") as refused:
            await client.post("/rerank", cast_to=object, body={**body, "query": ""})
    assert [result["index"] for result in answer["results"]] == [1, 2]
    assert (answer["model"], refused.value.param) == (MODEL, "query")
    line, tokens = world.lines[0], answer["usage"]["total_tokens"]
    assert (line["prompt_tokens"], line["completion_tokens"]) == (tokens, 0)


async def test_embeddings_of_a_chat_model_are_the_clients_mistake_and_no_trouble_of_the_fleets() -> None:
    async with served() as (client, world, _):
        for _ in range(4):
            with pytest.raises(openai.BadRequestError, match="has no /v1/embeddings"):
                await client.embeddings.create(model=MODEL, input="x")
    assert [line["status"] for line in world.lines] == [400] * 4


async def test_a_text_completion_whole_and_streamed() -> None:
    async with served() as (client, world, _):
        answer = await client.completions.create(model=MODEL, prompt="once upon a time")
        stream = await client.completions.create(model=MODEL, prompt="once upon a time", stream=True)
        pieces = [chunk.choices[0].text async for chunk in stream]
    assert "".join(pieces) == answer.choices[0].text
    assert [line["completion_tokens"] for line in world.lines] == [16, 16]


async def _to_the_end(stream: Any) -> None:
    async for _ in stream:
        continue
