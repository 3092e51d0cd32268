"""Completions through the gateway from each of JumpStart's containers, as the sandbox plays them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.sagemaker.collect import collected
from spillway.adapters.upstreams.sagemaker.stream import openai_events
from spillway.domain.capabilities.deployment_cards import cards_of
from spillway.domain.paths.containers import container_in
from spillway.domain.paths.targets import SageMakerTarget
from spillway.settings import Settings
from tests.builders import NOW, a_route, a_spec
from tests.sandbox.container_wire import container_of
from tests.sandbox.engine import Engine, EngineConfig
from tests.sandbox.sagemaker_runtime import Hosted, SageMakerRuntime
from tests.unit.gateway.doubles import Answer, World, a_world, call
from tests.unit.gateway.servers import ENVIRONMENT, a_request, all_upstreams

REGISTRY = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
VLLM = f"{REGISTRY}/vllm:0.18.0-gpu-py312-cu129-ubuntu22.04-sagemaker"
LMI = f"{REGISTRY}/djl-inference:0.36.0-lmi20.0.0-cu128"
ROLLING_LMI = f"{REGISTRY}/djl-inference:0.34.0-lmi16.0.0-cu128"
OLD_LMI = f"{REGISTRY}/djl-inference:0.29.0-lmi11.0.0-cu124"
TGI = f"{REGISTRY}/huggingface-pytorch-tgi-inference:2.6.0-tgi3.3.7-gpu-py311-cu124-ubuntu22.04"
OLD_TGI = f"{REGISTRY}/huggingface-pytorch-tgi-inference:2.1.1-tgi2.0.0-gpu-py310-cu121-ubuntu22.04"
IMAGES = [VLLM, LMI, ROLLING_LMI, OLD_LMI, TGI, OLD_TGI]
IDS = ["vLLM", "LMI", "rolling LMI", "old LMI", "TGI", "old TGI"]
with_each_container = pytest.mark.parametrize("image", IMAGES, ids=IDS)

CHAT: dict[str, Any] = {"model": "support-llama", "messages": [{"role": "user", "content": "hello there"}]}
TEXT: dict[str, Any] = {"model": "support-llama", "prompt": "hello there"}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]


@asynccontextmanager
async def behind(image: str, *, parser: str | None = None) -> AsyncIterator[tuple[World, Engine]]:
    """A gateway before an endpoint with a container, its route as the control plane would write it."""
    engine = Engine(
        EngineConfig(
            ("m",),
            tokens_per_second=20_000,
            max_model_len=4096,
            model="meta-llama/Llama-3.1-8B",
            tool_call_parser=parser,
        )
    )
    hosted = Hosted(await engine.start(), image)
    framework, version = container_in(image) or ("", None)
    resources = {"framework": framework, "framework_version": version or "", "tool_call_parser": parser or ""}
    spec = a_spec(path="jumpstart", capacity={"instance_types": ["g5.2xlarge"]})
    card = cards_of(spec, {}, {name: value for name, value in resources.items() if value}).primary
    app = web.Application()
    async with aiohttp.ClientSession() as http, Connections() as connections:
        app.add_routes(SageMakerRuntime(lambda _endpoint, _component: hosted, http, Random(7)).routes())
        async with TestServer(app) as server:
            url = str(server.make_url("")).rstrip("/")
            aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": url}), lambda: NOW)
            target = SageMakerTarget("chat", "chat-1", framework, version)
            route = a_route(primary=target, spill=None, primary_card=card)
            yield a_world(route, real=all_upstreams(aws, None), idle_seconds=5), engine
    await engine.kill()


async def asked(world: World, body: dict[str, Any]) -> Answer:
    return await call(world, body, path="/v1/chat/completions" if "messages" in body else "/v1/completions")


def chunks_of(answer: Answer) -> list[dict[str, Any]]:
    *events, end = answer.body.decode().removesuffix("\n\n").split("\n\n")
    assert end == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


@with_each_container
async def test_a_whole_answer(image: str) -> None:
    async with behind(image) as (world, _):
        answer = await asked(world, CHAT | {"max_tokens": 20})
    [choice] = answer.json["choices"]
    assert (answer.status, answer.json["object"], answer.json["model"]) == (200, "chat.completion", "support-llama")
    assert choice["message"]["role"] == "assistant"
    assert len(choice["message"]["content"].split()) == 20
    assert choice["finish_reason"] == "length"
    assert answer.json["id"]
    assert answer.json["usage"]["completion_tokens"] == 20
    assert answer.json["usage"]["prompt_tokens"] > 0
    assert world.lines[0]["completion_tokens"] == 20


@with_each_container
async def test_a_stream(image: str) -> None:
    async with behind(image) as (world, _):
        whole = await asked(world, CHAT)
        answer = await asked(world, CHAT | {"stream": True, "stream_options": {"include_usage": True}})
    *chunks, last = chunks_of(answer)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    said = "".join(delta.get("content") or "" for delta in deltas)
    assert said == whole.json["choices"][0]["message"]["content"]
    assert len(said.split()) == 128, "nothing is cut that the client did not limit"
    assert [delta["role"] for delta in deltas if "role" in delta] == ["assistant"]
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", "support-llama")}
    assert len({chunk["id"] for chunk in chunks} - {""}) == 1
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 128)


@with_each_container
@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_completion(image: str, stream: bool) -> None:
    async with behind(image) as (world, _):
        answer = await asked(world, TEXT | {"max_tokens": 9, "stream": stream})
    choices = [chunk["choices"][0] for chunk in (chunks_of(answer) if stream else [answer.json])]
    assert len("".join(choice["text"] for choice in choices).split()) == 9
    assert choices[-1]["finish_reason"] == "length"


@with_each_container
@pytest.mark.parametrize(
    "fields",
    [
        {"stop": "nowhere"},
        {"temperature": 0},
        {"top_p": 1},
        {"max_completion_tokens": 5},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "text", "text": "you"}]}
            ]
        },
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_values_that_openai_takes_are_taken(image: str, fields: dict[str, Any]) -> None:
    async with behind(image) as (world, _):
        answer = await asked(world, CHAT | fields)
    assert answer.status == 200
    expected = fields.get("max_completion_tokens", 128)
    assert len(answer.json["choices"][0]["message"]["content"].split()) == expected


@with_each_container
async def test_several_choices_are_several(image: str) -> None:
    async with behind(image) as (world, _):
        answer = await asked(world, CHAT | {"n": 2, "max_tokens": 5})
    assert [choice["index"] for choice in answer.json["choices"]] == [0, 1]
    assert answer.json["usage"]["completion_tokens"] == 10


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["auto", {"type": "function", "function": {"name": "weather"}}])
@pytest.mark.parametrize("image", [VLLM, LMI, ROLLING_LMI], ids=["vLLM", "LMI", "rolling LMI"])
async def test_a_call_of_a_tool(image: str, choice: Any, stream: bool) -> None:
    async with behind(image, parser="llama3_json") as (world, _):
        answer = await asked(world, CHAT | {"tools": TOOLS, "tool_choice": choice, "stream": stream})
    if stream:
        pieces = [each for chunk in chunks_of(answer) for each in chunk["choices"][0]["delta"].get("tool_calls") or ()]
        assert all(each.get("id") is None and "name" not in each["function"] for each in pieces[1:])
        calls = [pieces[0] | {"function": {"name": pieces[0]["function"]["name"], "arguments": _joined(pieces)}}]
    else:
        calls = answer.json["choices"][0]["message"]["tool_calls"]
        assert answer.json["choices"][0]["message"]["content"] is None
    [called] = calls
    assert (called["type"], called["function"]["name"]) == ("function", "weather")
    assert json.loads(called["function"]["arguments"]) == {"city": "there"}
    assert called["id"]


def _joined(pieces: list[dict[str, Any]]) -> str:
    return "".join(each["function"].get("arguments") or "" for each in pieces)


@pytest.mark.parametrize("image", [OLD_LMI, TGI, OLD_TGI], ids=["old LMI", "TGI", "old TGI"])
async def test_a_container_without_tools_is_not_asked_for_a_call(image: str) -> None:
    async with behind(image) as (world, engine):
        answer = await asked(world, CHAT | {"tools": TOOLS})
    assert (answer.status, answer.json["error"]["param"]) == (400, "tools")
    assert engine.totals.completed == 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("image", [VLLM, LMI, ROLLING_LMI], ids=["vLLM", "LMI", "rolling LMI"])
async def test_a_prompt_that_is_too_long_is_the_clients_to_shorten(image: str, stream: bool) -> None:
    async with behind(image) as (world, _):
        long = [{"role": "user", "content": "word " * 9000}]
        answer = await asked(world, CHAT | {"messages": long, "max_tokens": 10, "stream": stream})
    assert (answer.status, answer.json["error"]["code"]) == (400, "context_length_exceeded")


async def test_a_choice_that_a_container_has_no_form_for_is_told_by_its_field() -> None:
    async with behind(ROLLING_LMI, parser="llama3_json") as (world, _):
        answer = await asked(world, CHAT | {"tools": TOOLS, "tool_choice": "required"})
    assert (answer.status, answer.json["error"]["param"]) == (400, "tool_choice")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("image", [TGI, OLD_TGI], ids=["TGI", "old TGI"])
async def test_a_mistake_that_is_told_inside_a_stream_is_the_clients(image: str, stream: bool) -> None:
    async with behind(image) as (world, _):
        answer = await asked(world, CHAT | {"top_p": 0, "stream": stream})
    assert answer.status == 422
    assert "`top_p` must be" in answer.json["error"]["message"]


@with_each_container
async def test_an_engine_that_dies_is_no_end(image: str) -> None:
    async with behind(image) as (world, engine):
        engine.freeze()
        await engine.kill()
        assert (await asked(world, CHAT)).status == 503


@with_each_container
async def test_a_stream_is_read_the_same_whichever_byte_it_is_cut_at(image: str) -> None:
    wire = await _wire(image, {"model": "m", "messages": CHAT["messages"], "max_tokens": 4, "stream": True})
    request, passes = a_request(stream=True), image == VLLM

    async def read(*parts: bytes) -> bytes:
        async def cut() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        [body] = [body async for body in collected(openai_events(cut(), request, passes=passes))]
        return body

    whole = await read(wire)
    assert wire.startswith(b"{") == ("djl" in image)
    assert len(json.loads(whole)["choices"][0]["message"]["content"].split()) == 4
    for at in range(len(wire)):
        assert await read(wire[:at], wire[at:]) == whole
    assert await read(*(wire[at : at + 1] for at in range(len(wire)))) == whole


async def _wire(image: str, body: dict[str, Any]) -> bytes:
    """Return a stream as its container writes it."""
    engine, container = Engine(EngineConfig(("m",))), container_of(image)
    url = await engine.start()
    asked, headers = container.request(json.dumps(body).encode()), {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http, http.post(f"{url}/invocations", data=asked, headers=headers) as answer:
        wire = b"".join([part async for part in container.stream(answer.content.iter_any())])
    await engine.kill()
    return wire
