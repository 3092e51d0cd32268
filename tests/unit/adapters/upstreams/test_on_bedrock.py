"""Completions and responses from the upstreams to the sandbox's Bedrock, by each of its ways to ask a model."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.domain.capabilities.card import UNKNOWN, Card
from spillway.domain.paths.targets import BedrockApi, BedrockTarget, ImportedTarget, Target
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.upstream import speaks
from spillway.settings import Settings
from tests.builders import NOW, a_route
from tests.sandbox.bedrock import BedrockRuntime, Pace, default_catalog
from tests.sandbox.bedrock_catalog import FoundationModel, ImportedModel
from tests.unit.gateway.doubles import FakeClock, World, a_world, call, completion, streaming
from tests.unit.gateway.servers import ENVIRONMENT, Played, a_request, all_upstreams, read, upstreams_to

ARN = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
IMPORTED = ImportedTarget(ARN)
SPILL = BedrockTarget("us.meta.llama3-1-8b-instruct-v1:0", "converse")
TARGETS = [
    BedrockTarget("us.meta.llama3-1-8b-instruct-v1:0", "converse"),
    BedrockTarget("qwen.qwen3-32b-v1:0", "openai"),
    IMPORTED,
]
APIS: list[BedrockApi | None] = ["openai", "converse", None]
IDS = ["converse", "openai", "imported"]
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}], "max_tokens": 20}
ASKED: dict[str, dict[str, Any]] = {
    "/v1/responses": {"model": "support-llama", "input": "hello there", "max_output_tokens": 20},
    "/v1/completions": {"model": "support-llama", "prompt": "hello there", "max_tokens": 20},
}


@asynccontextmanager
async def on(
    target: Target,
    *,
    spill: Target | None = None,
    clock: FakeClock | None = None,
    copy_seconds: float = 0.0,
    default_max_tokens: int | None = None,
    model: FoundationModel | None = None,
    primary_card: Card = UNKNOWN,
) -> AsyncIterator[tuple[World, BedrockRuntime]]:
    catalog = default_catalog()
    catalog.imported[ARN] = ImportedModel(ARN, "mine", "job", "job-arn", "s3://b/m", NOW)
    if model is not None:
        catalog.models[model.id] = model
    now = (clock or FakeClock()).now
    runtime = BedrockRuntime(catalog, now, pace=Pace(0.0, 5000.0), copy_seconds=copy_seconds)
    app = web.Application()
    app.add_routes(runtime.routes())
    async with TestServer(app) as server, Connections() as connections:
        url = str(server.make_url("")).rstrip("/")
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": url}), lambda: NOW)
        route = a_route(
            primary=target,
            spill=spill,
            retry_after_seconds=90,
            default_max_tokens=default_max_tokens,
            primary_card=primary_card,
        )
        yield a_world(route, real=all_upstreams(aws, None), idle_seconds=5), runtime


def words(path: str, body: Any) -> list[str]:
    text: str = body["output"][0]["content"][0]["text"] if path == "/v1/responses" else body["choices"][0]["text"]
    return text.split()


@pytest.mark.parametrize("target", TARGETS, ids=IDS)
@pytest.mark.parametrize("path", ASKED)
async def test_a_whole_answer(target: Target, path: str) -> None:
    async with on(target) as (world, _):
        answer = await call(world, ASKED[path], path=path)
    assert (answer.status, answer.json["model"], len(words(path, answer.json))) == (200, "support-llama", 20)
    assert (world.lines[0]["prompt_tokens"], world.lines[0]["completion_tokens"]) == (7, 20)


@pytest.mark.parametrize("target", TARGETS, ids=IDS)
@pytest.mark.parametrize("path", ASKED)
async def test_a_streamed_answer(target: Target, path: str) -> None:
    async with on(target) as (world, _):
        whole = await call(world, ASKED[path], path=path)
        answer = await call(world, ASKED[path] | {"stream": True}, path=path)
    events = [json.loads(line[6:]) for line in answer.body.decode().split("\n") if line.startswith("data: {")]
    if path == "/v1/responses":
        assert events[-1]["type"] == "response.incomplete"
        assert words(path, events[-1]["response"]) == words(path, whole.json)
        assert {event["response"]["model"] for event in events if "response" in event} == {"support-llama"}
        assert "[DONE]" not in answer.body.decode()
    else:
        assert "".join(event["choices"][0]["text"] for event in events).split() == words(path, whole.json)
        assert answer.body.endswith(b"data: [DONE]\n\n")
    assert [line["completion_tokens"] for line in world.lines] == [20, 20]


@pytest.mark.parametrize("api", APIS)
async def test_what_gpt_oss_thinks_stands_in_no_answer(api: BedrockApi | None) -> None:
    async with on(BedrockTarget("openai.gpt-oss-20b-1:0", api)) as (world, _):
        whole = (await call(world, {**CHAT, "model": "support-llama"})).json["choices"][0]["message"]
        answer = await call(world, {**CHAT, "model": "support-llama", "stream": True})
    events = [json.loads(line[6:]) for line in answer.body.decode().split("\n") if line.startswith("data: {")]
    deltas = [event["choices"][0]["delta"] for event in events]
    for name in ("reasoning", "content"):
        assert "".join(delta.get(name, "") for delta in deltas) == whole.get(name, "")
    assert "<" not in whole["content"]
    # By Converse the sandbox's models think nothing.
    assert bool(whole.get("reasoning")) is (api != "converse")


@pytest.mark.parametrize("target", TARGETS, ids=IDS)
async def test_a_response_whose_model_fails_on_the_way_ends_with_an_error(target: Target) -> None:
    async with on(target) as (world, runtime):
        model_id = target.model_id if isinstance(target, BedrockTarget) else ARN
        runtime.fail_next(model_id, "ServiceUnavailableException", after_tokens=10)
        answer = await call(world, ASKED["/v1/responses"] | {"stream": True}, path="/v1/responses")
    last = answer.body.decode().strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")
    assert '"code":"stream_interrupted"' in last
    assert world.lines[0]["broken"] is True


async def test_a_cold_copy_is_started_by_a_request_that_the_spill_target_answers() -> None:
    clock = FakeClock()
    async with on(IMPORTED, spill=SPILL, clock=clock, copy_seconds=60) as (world, _):
        cold = await call(world, streaming(max_tokens=3))
        clock.moment += 60
        warm = await call(world, streaming(max_tokens=3))
        # Five minutes without a request, and the copy is gone.
        clock.moment += 299
        still = await call(world, streaming(max_tokens=3))
        clock.moment += 300
        evicted = await call(world, streaming(max_tokens=3))
    answers = (cold, warm, still, evicted)
    assert [answer.status for answer in answers] == [200] * 4
    assert [answer.headers["x-spillway-target"] for answer in answers] == ["bedrock", "import", "import", "bedrock"]
    assert [answer.headers["x-spillway-reason"] for answer in answers] == ["starting", "ready", "ready", "starting"]
    assert [(added.bucket.role, added.bucket.path) for added in world.counters.added] == [
        ("spill", "bedrock"),
        ("primary", "import"),
        ("primary", "import"),
        ("spill", "bedrock"),
    ]
    # Bedrock bills the spill target by the token, the imported model by the minute.
    assert ["bedrock_completion_tokens" in counts for counts in world.traffic.counts] == [True, False, False, True]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cold_copy_without_a_spill_target_is_a_503_until_it_is_up(stream: bool) -> None:
    clock = FakeClock()
    async with on(IMPORTED, clock=clock, copy_seconds=60) as (world, _):
        cold = await call(world, streaming(stream=stream, max_tokens=3))
        clock.moment += 60
        warm = await call(world, streaming(stream=stream, max_tokens=3))
    assert (cold.status, cold.error["code"], cold.headers["x-spillway-ready-in"]) == (503, "starting", "90")
    assert (warm.status, warm.headers["x-spillway-target"]) == (200, "import")


async def test_a_client_of_an_imported_model_sees_openais_stream_with_bedrocks_own_counts_as_its_usage() -> None:
    async with on(IMPORTED) as (world, _):
        whole = await call(world, {"model": "support-llama", **CHAT})
        asked = await call(world, streaming(**CHAT, stream_options={"include_usage": True}))
        unasked = await call(world, streaming(**CHAT))
    assert asked.text == unasked.text == whole.json["choices"][0]["message"]["content"]
    assert asked.events[-1] == unasked.events[-1] == "[DONE]"
    # "hello there" has 11 characters: 3 tokens, and 4 for the message.
    usage = asked.events[-2].pop("usage")
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 20, 27)
    assert asked.events[-2]["choices"] == []
    assert unasked.events[-2]["choices"][0]["finish_reason"] == "length"
    assert b"amazon-bedrock" not in asked.body + unasked.body
    assert {event["model"] for event in asked.events[:-1]} == {"support-llama"}
    assert [(line["prompt_tokens"], line["completion_tokens"]) for line in world.lines] == [(7, 20)] * 3


UNHEARD_OF = BedrockTarget("mistral.nobody-knows-it-yet", None)


@pytest.mark.parametrize("endpoints", [("chat/completions",), ()], ids=["openai", "converse"])
async def test_a_model_that_nobody_knows_answers_everything_by_whichever_api_it_has(endpoints: tuple[str, ...]) -> None:
    model = FoundationModel(UNHEARD_OF.model_id, endpoints=endpoints)
    async with on(UNHEARD_OF, model=model) as (world, _):
        for path, body in {**ASKED, "/v1/chat/completions": {"model": "support-llama", **CHAT}}.items():
            for stream in (True, False):
                assert (await call(world, body | {"stream": stream}, path=path)).status == 200


@pytest.mark.parametrize("model_id", ["openai.gpt-oss-20b-1:0", "qwen.qwen3-32b-v1:0", "google.gemma-3-4b-it"])
def test_responses_are_asked_only_of_models_that_have_them(model_id: str) -> None:
    has_them = "gpt-oss" in model_id
    assert [speaks(BedrockTarget(model_id, api), "responses") for api in APIS] == [has_them, False, False]


REFUSED = Played([b'{"error": {"message": "The model is not supported on this endpoint.", "code": 400}}'], status=400)
BUSY = Played([b'{"message": "Too many tokens, please wait before trying again."}'], status=429)
CONVERSED = Played([b'{"output": {"message": {"content": [{"text": "hey"}]}}, "stopReason": "end_turn"}'])
OPENAI_PATH, CONVERSE_PATH = "/openai/v1/chat/completions", f"/model/{UNHEARD_OF.model_id}/converse"


async def test_the_first_api_that_answers_is_remembered() -> None:
    async with upstreams_to(REFUSED, CONVERSED) as (upstreams, fake):
        for _ in range(2):
            await read(upstreams, UNHEARD_OF, a_request(max_tokens=9))
    assert [seen.path for seen in fake.seen] == [OPENAI_PATH, CONVERSE_PATH, CONVERSE_PATH]


async def test_a_moments_trouble_tells_nothing_of_an_api() -> None:
    async with upstreams_to(BUSY, Played([completion()])) as (upstreams, fake):
        with pytest.raises(UpstreamUnavailable) as failed:
            await read(upstreams, UNHEARD_OF, a_request(max_tokens=9))
        await read(upstreams, UNHEARD_OF, a_request(max_tokens=9))
    assert failed.value.code == "engine_saturated"
    assert [seen.path for seen in fake.seen] == [OPENAI_PATH] * 2


async def test_a_request_that_both_refuse_is_tried_on_both_again() -> None:
    async with upstreams_to(REFUSED) as (upstreams, fake):
        for _ in range(2):
            with pytest.raises(UpstreamRejected):
                await read(upstreams, UNHEARD_OF, a_request(max_tokens=9))
    assert [seen.path for seen in fake.seen] == [OPENAI_PATH, CONVERSE_PATH] * 2
