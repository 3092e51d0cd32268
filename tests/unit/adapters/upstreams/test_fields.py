"""Every field of OpenAI's newest types, sent through the gateway to every upstream: what the tables say comes true."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from openai.types.responses import response_create_params

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.domain.paths.targets import Target
from spillway.gateway.upstream import Endpoint
from spillway.settings import Settings
from tests.builders import NOW, a_route
from tests.openai_fields import (
    ENDPOINTS,
    MAPPED,
    TARGETS,
    all_fields_of,
    field_on,
    fields_of,
    literals_in,
    targets_of,
    types_in,
)
from tests.sandbox import eventstream
from tests.sandbox.bedrock_wire import payload_part
from tests.unit.adapters.upstreams.converse.test_converse_fields import ASKS as CHAT_ASKS
from tests.unit.gateway.doubles import USAGE, Answer, World, a_world, call, chunk, sse, usage_chunk
from tests.unit.gateway.servers import ENVIRONMENT, all_upstreams

FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object"}}
USER = {"role": "user", "content": "hi"}
BASES: dict[Endpoint, dict[str, Any]] = {
    "chat/completions": {"messages": [USER]},
    "completions": {"prompt": "hi"},
    "responses": {"input": "hi"},
    "embeddings": {"input": "hi"},
}
# A value of each field that asks for something. More than eight choices are not made up.
ASKS: dict[Endpoint, dict[str, Any]] = {
    "chat/completions": CHAT_ASKS | {"n": 9, "stream": True, "stream_options": {"include_usage": True}},
    "completions": {
        "best_of": 2,
        "echo": True,
        "frequency_penalty": 0.5,
        "logit_bias": {"50256": -100},
        "logprobs": 0,
        "max_tokens": 7,
        "n": 9,
        "presence_penalty": 0.5,
        "prompt": "another",
        "seed": 7,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "suffix": "the end",
        "temperature": 0.5,
        "top_p": 0.5,
        "user": "u",
    },
    "responses": {
        "access_programs": {"cyber": "standard"},
        "background": True,
        "background_options": {"completion_window": "2h"},
        "context_management": [{"type": "compaction"}],
        "conversation": "conv_1",
        "image": {"context_compression": "enabled"},
        "input": "another",
        "instructions": "Be kind.",
        "max_output_tokens": 7,
        "max_tool_calls": 3,
        "metadata": {"run": "7"},
        "moderation": {"model": "omni-moderation-latest"},
        "parallel_tool_calls": False,
        "previous_response_id": "resp_1",
        "prompt": {"id": "pmpt_1"},
        "prompt_cache_key": "k",
        "prompt_cache_options": {"ttl": "30m"},
        "prompt_cache_retention": "24h",
        "reasoning.context": {"context": "all_turns"},
        "reasoning.effort": {"effort": "high"},
        "reasoning.generate_summary": {"generate_summary": "auto"},
        "reasoning.mode": {"mode": "pro"},
        "reasoning.summary": {"summary": "auto"},
        "safety_identifier": "u",
        "service_tier": "flex",
        "store": True,
        "stream": True,
        "stream_options.include_obfuscation": {"include_obfuscation": True},
        "temperature": 0.5,
        "text.format": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "text.verbosity": {"verbosity": "low"},
        "tool_choice": {"type": "function", "name": "add"},
        "tools": [FUNCTION],
        "tools.allowed_callers": [FUNCTION | {"allowed_callers": ["direct"]}],
        "tools.async": [FUNCTION | {"async": True}],
        "tools.defer_loading": [FUNCTION | {"defer_loading": True}],
        "tools.description": [FUNCTION | {"description": "Adds."}],
        "tools.name": [FUNCTION | {"name": "subtract"}],
        "tools.output_schema": [FUNCTION | {"output_schema": {"type": "object"}}],
        "tools.parameters": [FUNCTION | {"parameters": {"type": "object", "properties": {"a": {}}}}],
        "tools.strict": [FUNCTION | {"strict": True}],
        "top_logprobs": 3,
        "top_p": 0.5,
        "truncation": "auto",
        "user": "u",
    }
    | {name: [name.removeprefix("include.")] for name in fields_of("responses") if name.startswith("include.")},
    "embeddings": {
        "dimensions": 512,
        "encoding_format": "base64",
        "input": "another",
        "input_type": "search_query",
        "user": "u",
    },
}
# What has to stand beside a field so that it means something.
BESIDE: dict[str, dict[str, Any]] = {
    "function_call": {"functions": [{"name": "add"}]},
    "stream_options": {"stream": True},
}
# The address names the model; these have a sample of each field inside of them.
WITHOUT_SAMPLE = {"model", "include", "reasoning", "stream_options", "text"}


def beside(endpoint: Endpoint, name: str) -> dict[str, Any]:
    head = name.partition(".")[0]
    if head in ("tool_choice", "parallel_tool_calls") or ("." in name and head == "tools"):
        return {"tools": ASKS[endpoint]["tools"]}
    return BESIDE.get(head, {})


@dataclass
class Upstream:
    """Answers in the wire that is asked for, with two calls where tools are offered; remembers what it was sent."""

    seen: list[tuple[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        path, body = request.path, json.loads(await request.read())
        self.seen.append((path, body))
        if "/converse" in path:
            return web.Response(body=_converse_stream() if path.endswith("stream") else _converse(body))
        if "inputText" in body or "texts" in body:
            tokens = {"x-amzn-bedrock-input-token-count": "7"}
            return web.json_response({"embedding": [0.5], "embeddings": {"float": [[0.5]]}}, headers=tokens)
        if path.endswith("/embeddings") or ("input" in body and path.endswith("/invocations")):
            data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
            return web.json_response({"object": "list", "data": data, "usage": USAGE})
        if path.endswith("/v1/responses"):
            return web.Response(body=_response(is_stream=bool(body.get("stream"))))
        if not body.get("stream"):
            return web.json_response(_completion(body))
        chunks = (chunk("x", choices=[_ended("delta", body)]), usage_chunk())
        if path.endswith("invoke-with-response-stream"):
            return web.Response(body=b"".join(map(payload_part, chunks)))
        events = sse(*chunks, "[DONE]")
        return web.Response(body=eventstream.event("PayloadPart", events) if "/invocations" in path else events)


def _ended(part: str, body: Any) -> dict[str, Any]:
    return {"index": 0, "text": "x", part: {"role": "assistant", "content": "x"}, "finish_reason": "stop"}


def _completion(body: Any) -> dict[str, Any]:
    return {"id": "c1", "created": 7, "model": "x", "choices": [_ended("message", body)], "usage": USAGE}


def _response(*, is_stream: bool) -> bytes:
    item = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
    usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    whole = {"id": "r", "object": "response", "status": "completed", "model": "x", "output": [item], "usage": usage}
    if not is_stream:
        return json.dumps(whole).encode()
    return sse({"type": "response.output_text.delta", "delta": "x"}, {"type": "response.completed", "response": whole})


def _converse(body: Any) -> bytes:
    content: list[dict[str, Any]] = [{"text": "x"}]
    if "toolConfig" in body:
        content = [{"toolUse": {"toolUseId": each, "name": "add", "input": {}}} for each in ("one", "two")]
    message = {"role": "assistant", "content": content}
    reason = "tool_use" if "toolConfig" in body else "end_turn"
    usage = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
    return json.dumps({"output": {"message": message}, "stopReason": reason, "usage": usage}).encode()


def _converse_stream() -> bytes:
    events = {
        "messageStart": {"role": "assistant"},
        "contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "x"}},
        "contentBlockStop": {"contentBlockIndex": 0},
        "messageStop": {"stopReason": "end_turn"},
        "metadata": {"usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}},
    }
    return b"".join(eventstream.event(name, json.dumps(payload).encode()) for name, payload in events.items())


@asynccontextmanager
async def gateway_to(target: Target) -> AsyncIterator[tuple[World, Upstream]]:
    upstream, app = Upstream(), web.Application()
    app.router.add_post("/{path:.*}", upstream.answer)
    async with TestServer(app) as server, Connections() as connections:
        url = str(server.make_url("")).rstrip("/")
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": url}), lambda: NOW)
        route = a_route(primary=target, spill=None)
        yield a_world(route, real=all_upstreams(aws, f"{url}/stage/fleets"), idle_seconds=5), upstream


async def sent(
    world: World, upstream: Upstream, endpoint: Endpoint, asked: dict[str, Any]
) -> tuple[Answer, tuple[str, Any]]:
    """Return the answer and what reached the upstream for it, nothing where nothing did."""
    upstream.seen.clear()
    body = {"model": "support-llama", **BASES[endpoint], **asked}
    answer = await call(world, body, path=f"/v1/{endpoint}")
    return answer, upstream.seen[-1] if upstream.seen else ("", None)


async def outcome(world: World, upstream: Upstream, endpoint: Endpoint, name: str) -> str:
    """Return what became of a field."""
    head, more, value = name.partition(".")[0], beside(endpoint, name), ASKS[endpoint][name]
    answer, (path, body) = await sent(world, upstream, endpoint, more | {head: value})
    if answer.status == 400:
        assert answer.error["param"] == ("model" if answer.error["code"] == "unsupported_endpoint" else name)
        return "refused"
    assert answer.status == 200, answer.body
    if name in answer.headers.get("x-spillway-dropped", "").split(","):
        return "dropped"
    if body.get(head) == value:
        return "passed"
    plain, reached = await sent(world, upstream, endpoint, more)
    is_lost = (said(plain, head), reached) == (said(answer, head), (path, body))
    return "lost" if is_lost else "mapped"


def said(answer: Answer, name: str) -> bytes:
    """Return an answer without its echo of a field, which proves nothing but for metadata."""
    if not answer.body.startswith(b"{") or name == "metadata":
        return answer.body
    return json.dumps({key: value for key, value in answer.json.items() if key != name}).encode()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_field_of_openais_types_has_its_place_and_its_sample(endpoint: Endpoint) -> None:
    fields = fields_of(endpoint)
    assert endpoint not in MAPPED or MAPPED[endpoint].keys() == fields
    assert ASKS[endpoint].keys() | WITHOUT_SAMPLE >= fields
    assert all_fields_of(endpoint) >= ASKS[endpoint].keys()


@pytest.mark.parametrize(("endpoint", "label"), [(each, label) for each in ENDPOINTS for label in targets_of(each)])
async def test_what_becomes_of_each_field(endpoint: Endpoint, label: str) -> None:
    target, names = targets_of(endpoint)[label], ASKS[endpoint]
    async with gateway_to(target) as (world, upstream):
        found = {name: await outcome(world, upstream, endpoint, name) for name in names}
    assert found == {name: field_on(target, endpoint, name).fate for name in names}


@pytest.mark.parametrize("endpoint", MAPPED)
async def test_what_asks_for_nothing_is_neither_refused_nor_named(endpoint: Endpoint) -> None:
    async with gateway_to(TARGETS["Bedrock's OpenAI API"]) as (world, upstream):
        for name, each in MAPPED[endpoint].items():
            if "." in name:
                continue
            for idle in (None, *each.idle) if each.fate in ("refused", "dropped") else ():
                answer, _ = await sent(world, upstream, endpoint, {name: idle})
                assert (answer.status, answer.headers.get("x-spillway-dropped")) == (200, None), name


HINTS = get_type_hints(response_create_params.ResponseCreateParamsStreaming)
# What has a form in chat of the kinds of items, tools and choices of them; each is one with nothing but its type.
MAPPED_TYPES = {
    "input": {"message", "function_call", "function_call_output", "reasoning"},
    "tools": {"function"},
    "tool_choice": {"function"},
}


@pytest.mark.parametrize("name", MAPPED_TYPES)
async def test_every_other_type_of_what_a_response_holds_is_refused_by_its_place(name: str) -> None:
    types = {kind for each in types_in(HINTS[name]) for kind in literals_in(get_type_hints(each)["type"])}
    assert types > MAPPED_TYPES[name]
    async with gateway_to(TARGETS["JumpStart"]) as (world, upstream):
        for kind in types - MAPPED_TYPES[name]:
            value = {"type": kind} if name == "tool_choice" else [{"type": kind}]
            answer, _ = await sent(world, upstream, "responses", {name: value})
            assert (answer.status, upstream.seen) == (400, [])
            assert answer.error["param"] == ("tool_choice" if name == "tool_choice" else f"{name}.0.type")
