"""Embeddings from the gateway to the sandbox's Bedrock, in the form of each family of models."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.domain.paths.targets import BedrockTarget
from spillway.settings import Settings
from tests.builders import NOW, a_route
from tests.sandbox.bedrock import BedrockRuntime, Pace, default_catalog
from tests.sandbox.wording import count_tokens
from tests.unit.gateway.doubles import Answer, FakeClock, World, a_world, call
from tests.unit.gateway.servers import ENVIRONMENT, Played, all_upstreams, upstreams_to

TITAN = "amazon.titan-embed-text-v2:0"
TITAN_1 = "amazon.titan-embed-text-v1"
COHERE_3 = "cohere.embed-english-v3"
COHERE_4 = "us.cohere.embed-v4:0"
MODELS = [TITAN, TITAN_1, COHERE_3, COHERE_4]
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"


@asynccontextmanager
async def on(model_id: str, spill: str | None = None) -> AsyncIterator[tuple[World, BedrockRuntime]]:
    runtime = BedrockRuntime(default_catalog(), FakeClock().now, pace=Pace(0.0, 5000.0))
    app = web.Application()
    app.add_routes(runtime.routes())
    async with TestServer(app) as server, Connections() as connections:
        url = str(server.make_url("")).rstrip("/")
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": url}), lambda: NOW)
        route = a_route(primary=BedrockTarget(model_id, None), spill=BedrockTarget(spill, None) if spill else None)
        yield a_world(route, real=all_upstreams(aws, None)), runtime


async def embed(world: World, given: Any, **fields: Any) -> Answer:
    return await call(world, {"model": "support-llama", "input": given, **fields}, path="/v1/embeddings")


def vectors(answer: Answer) -> list[list[float]]:
    return [item["embedding"] for item in answer.json["data"]]


@pytest.mark.parametrize("model_id", MODELS)
async def test_texts_have_their_vectors_in_their_order_and_their_tokens_are_counted(model_id: str) -> None:
    async with on(model_id) as (world, _):
        both = await embed(world, ["one two three", "four"])
        single = await embed(world, "four")
    assert (both.status, both.json["object"], both.json["model"]) == (200, "list", "support-llama")
    assert [item["index"] for item in both.json["data"]] == [0, 1]
    assert vectors(both)[1:] == vectors(single) != vectors(both)[:1]
    tokens = count_tokens("one two three") + count_tokens("four")
    assert both.json["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (world.lines[0]["prompt_tokens"], world.lines[0]["completion_tokens"]) == (tokens, 0)


@pytest.mark.parametrize("model_id", MODELS)
async def test_base64_is_the_same_vector_in_32_bit_floats(model_id: str) -> None:
    async with on(model_id) as (world, _):
        floats = vectors(await embed(world, "one", encoding_format="float"))[0]
        encoded: Any = vectors(await embed(world, "one", encoding_format="base64"))[0]
    assert list(struct.unpack(f"<{len(floats)}f", base64.b64decode(encoded))) == pytest.approx(floats)


@pytest.mark.parametrize(
    ("model_id", "size", "allowed"),
    [
        (TITAN, 256, ["1024", "512", "256"]),
        (TITAN_1, 1536, ["1536"]),
        (COHERE_3, 1024, ["1024"]),
        (COHERE_4, 512, ["1536", "1024", "512", "256"]),
    ],
)
async def test_vectors_have_the_length_that_the_model_can_have(model_id: str, size: int, allowed: list[str]) -> None:
    async with on(model_id) as (world, _):
        assert len(vectors(await embed(world, "one", dimensions=size))[0]) == size
        refused = await embed(world, "one", dimensions=300)
    assert (refused.status, refused.error["param"], refused.error["allowed"]) == (400, "dimensions", allowed)


@pytest.mark.parametrize(("model_id", "count", "calls"), [(TITAN, 20, 20), (COHERE_3, 96, 1), (COHERE_4, 200, 3)])
async def test_a_batch_takes_as_many_calls_as_the_family_needs(model_id: str, count: int, calls: int) -> None:
    async with on(model_id) as (world, runtime):
        answer = await embed(world, [f"text {number}" for number in range(count)])
        last = await embed(world, f"text {count - 1}")
    assert (len(vectors(answer)), vectors(answer)[-1:]) == (count, vectors(last))
    assert runtime.use[model_id].requests == calls + 1
    assert answer.json["usage"]["prompt_tokens"] == sum(count_tokens(f"text {number}") for number in range(count))


async def test_one_request_has_eight_calls_at_once_at_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    inflight = 0

    async def hold(*_: Any) -> None:
        nonlocal inflight
        inflight += 1
        seen.append(inflight)
        await asyncio.sleep(0)
        inflight -= 1

    async with on(TITAN) as (world, runtime):
        original = runtime._answer_whole

        async def held(*given: Any) -> web.StreamResponse:
            await hold()
            return await original(*given)

        monkeypatch.setattr(runtime, "_answer_whole", held)
        assert (await embed(world, ["x"] * 40)).status == 200
    assert len(seen) == 40
    assert max(seen) <= 8


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ([1, 2, 3], "input"),
        ([[1], [2]], "input"),
        (["one", ""], "input.1"),
        (["one", {"text": "two"}], "input.1"),
        (["x"] * 2049, "input"),
    ],
    ids=["tokens", "lists of tokens", "empty", "object", "too many"],
)
async def test_what_is_no_text_is_refused_by_its_field(given: Any, param: str) -> None:
    async with on(TITAN) as (world, runtime):
        refused = await embed(world, given)
    assert (refused.status, refused.error["param"]) == (400, param)
    assert runtime.use[TITAN].requests == 0


async def test_what_a_text_is_for_is_passed_to_cohere_and_named_where_it_is_dropped() -> None:
    async with on(COHERE_3) as (world, _):
        document = await embed(world, "one")
        same = await embed(world, "one", input_type="search_document", user="me")
        query = await embed(world, "one", input_type="search_query")
        refused = await embed(world, "one", input_type="query")
    assert vectors(document) == vectors(same) != vectors(query)
    assert same.headers["x-spillway-dropped"] == "user"
    assert (refused.status, refused.error["param"]) == (400, "input_type")
    async with on(TITAN) as (world, _):
        dropped = await embed(world, "one", input_type="search_query", encoding_format=None)
    assert dropped.headers["x-spillway-dropped"] == "input_type"


@pytest.mark.parametrize("encoding", ["hex", 5, ["float"]])
async def test_an_encoding_that_is_none_is_refused(encoding: Any) -> None:
    async with on(TITAN) as (world, _):
        refused = await embed(world, "one", encoding_format=encoding)
    assert (refused.status, refused.error["param"]) == (400, "encoding_format")
    assert refused.error["allowed"] == ["float", "base64"]


async def test_a_text_that_is_too_long_is_refused_and_not_cut() -> None:
    long = "word " * 9000
    async with on(TITAN) as (world, _):
        refused = await embed(world, long)
    assert (refused.status, refused.error["code"]) == (400, "context_length_exceeded")
    async with on(COHERE_3) as (world, _):
        assert (await embed(world, long)).status == 400


async def test_one_call_that_fails_is_the_requests_failure_and_the_same_model_is_asked_by_its_other_id() -> None:
    async with on("cohere.embed-v4:0", spill=COHERE_4) as (world, runtime):
        runtime.fail_next("cohere.embed-v4:0", "ThrottlingException")
        answer = await embed(world, ["one"] * 100)
        again = await embed(world, ["one"] * 100)
    assert (answer.status, vectors(answer)) == (200, vectors(again))
    async with on(TITAN) as (world, runtime):
        runtime.fail_next(TITAN, "ThrottlingException")
        failed = await embed(world, ["one"] * 20)
    assert (failed.status, "data" in failed.json) == (503, False)


async def test_an_application_profile_is_known_by_its_model() -> None:
    body = b'{"embedding": [0.5], "inputTextTokenCount": 3}'
    async with upstreams_to(Played([body], headers={"x-amzn-bedrock-input-token-count": "3"})) as (upstreams, fake):
        world = a_world(a_route(primary=BedrockTarget(PROFILE, None, TITAN), spill=None), real=upstreams)
        answer = await embed(world, "one")
    assert (vectors(answer), fake.seen[0].body) == ([[0.5]], {"inputText": "one"})
    assert "application-inference-profile" in fake.seen[0].path


@pytest.mark.parametrize(
    "body", [b'{"embedding": []}', b'{"embeddings": {"float": []}}', b"[]", b'{"embedding": [0.5]'], ids=range(4)
)
async def test_an_answer_without_a_vector_for_each_text_is_a_failure(body: bytes) -> None:
    async with upstreams_to(Played([body])) as (upstreams, _):
        world = a_world(a_route(primary=BedrockTarget(TITAN, None), spill=None), real=upstreams)
        assert (await embed(world, "one")).status == 503


async def test_tokens_that_nobody_told_are_estimated() -> None:
    async with upstreams_to(Played([b'{"embeddings": {"float": [[0.5]]}}'])) as (upstreams, _):
        world = a_world(a_route(primary=BedrockTarget(COHERE_3, None), spill=None), real=upstreams)
        answer = await embed(world, "one")
    assert "usage" not in answer.json
    assert (world.lines[0]["tokens_estimated"], world.lines[0]["prompt_tokens"] > 0) == (True, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/completions", {"prompt": "hi"}),
        ("/v1/responses", {"input": "hi"}),
        ("/v1/rerank", {"query": "hi", "documents": ["a"]}),
    ],
)
async def test_an_embedding_model_has_embeddings_alone(path: str, body: dict[str, Any]) -> None:
    async with on(TITAN) as (world, runtime):
        refused = await call(world, {"model": "support-llama", **body}, path=path)
    assert (refused.status, refused.error["param"]) == (400, "model")
    assert refused.error["allowed"] == ["/v1/embeddings"]
    assert runtime.use[TITAN].requests == 0
