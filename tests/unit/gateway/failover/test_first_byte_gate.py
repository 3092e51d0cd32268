"""The first-byte gate as a table: what the primary does, and who answers in the end."""

import json
from typing import Any

import pytest

from spillway.domain.capabilities.card import card_of_task
from spillway.domain.decision import Code
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.targets import FleetTarget
from spillway.domain.routing.route import RouteState
from spillway.domain.task import Task
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from tests.builders import a_route
from tests.unit.gateway.doubles import (
    BODY,
    GOOD_STREAM,
    SILENCE,
    a_world,
    call,
    chunk,
    completion,
    sse,
    streaming,
)

pytestmark = pytest.mark.usefixtures("virtual_time")

REFUSED = UpstreamUnavailable(Code.PRIMARY_FAILED, "refused")
FULL = UpstreamUnavailable(Code.ENGINE_SATURATED, "HTTP 429")
VLLM_OVERLOAD = sse({"error": {"message": "too many requests", "type": "x", "param": None, "code": 503}}, "[DONE]")
SPILLS: dict[str, tuple[Any, str]] = {
    "refused": (REFUSED, "primary_failed"),
    "throttled": (FULL, "engine_saturated"),
    "error as the first event of a 200": ([VLLM_OVERLOAD], "engine_saturated"),
    "error after a comment": ([b": ping\n\n", VLLM_OVERLOAD], "engine_saturated"),
    "engine died as the first event": ([sse({"error": {"message": "dead", "code": 500}})], "primary_failed"),
    "error that is a string": ([sse({"error": "Unauthorized"})], "primary_failed"),
    "empty stream": ([], "primary_failed"),
    "only the end mark": ([sse("[DONE]")], "primary_failed"),
    "no JSON": ([b"data: <html>\n\n"], "primary_failed"),
    "broke off before the first event": ([REFUSED], "primary_failed"),
    "silent": ([SILENCE], "first_byte_timeout"),
    "comments, then silent": ([b": ping\n\n", SILENCE], "first_byte_timeout"),
}


@pytest.mark.parametrize("case", SPILLS)
async def test_what_fails_before_the_first_event_goes_to_the_spill_target(case: str) -> None:
    script, reason = SPILLS[case]
    world = a_world(a_route(first_byte_seconds=0.02), fleet=script, bedrock=GOOD_STREAM)

    answer = await call(world, streaming())

    assert (answer.status, answer.text) == (200, "hello")
    assert answer.headers["x-spillway-target"] == "bedrock"
    assert answer.headers["x-spillway-reason"] == reason
    bucket = world.counters.added[0].bucket
    assert (bucket.role, bucket.path) == ("spill", "bedrock")
    if isinstance(script, list):
        assert world.upstreams.closed == ["fleet", "bedrock"]


@pytest.mark.parametrize("script", [REFUSED, FULL, [b'{"error":"Unauthorized"}'], [b"<html>"], [b"[]"], []])
async def test_an_unstreamed_answer_spills_too(script: Any) -> None:
    world = a_world(fleet=script, bedrock=[completion(model="meta.llama")])

    answer = await call(world)

    assert (answer.status, answer.json["choices"][0]["message"]["content"]) == (200, "hello")
    assert answer.json["model"] == "support-llama"


async def test_an_unstreamed_answer_may_take_longer_than_a_first_byte() -> None:
    world = a_world(a_route(first_byte_seconds=0.25), fleet=[completion()])
    answer = await call(world)
    assert answer.headers["x-spillway-target"] == "fleet"
    assert [connect for _, _, connect in world.upstreams.requests] == [0.25]


async def test_the_last_choice_has_no_short_limit() -> None:
    world = a_world(a_route(spill=None, first_byte_seconds=0.0001), fleet=GOOD_STREAM)
    assert (await call(world, streaming())).text == "hello"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_the_clients_mistakes_are_not_spilled(status: int) -> None:
    world = a_world(fleet=UpstreamRejected(status, "too long", param="input_tokens"), bedrock=GOOD_STREAM)

    answer = await call(world, streaming())

    assert answer.status == status
    assert answer.error["type"] == "invalid_request_error"
    assert (answer.error["message"], answer.error["param"]) == ("too long", "input_tokens")
    assert len(world.upstreams.requests) == 1


async def test_a_mistake_told_by_the_first_event_is_the_clients_too() -> None:
    first = sse({"error": {"message": "bad", "code": 400, "param": "top_p"}}, "[DONE]")
    answer = await call(a_world(fleet=[first], bedrock=GOOD_STREAM), streaming())
    assert (answer.status, answer.error["param"]) == (400, "top_p")


async def test_what_the_spill_target_has_no_form_for_is_a_400() -> None:
    refused = InvalidRequest("unknown role", param="messages.0.role")
    world = a_world(a_route(state=RouteState.COLD), bedrock=refused)
    answer = await call(world, streaming())
    assert (answer.status, answer.error["param"]) == (400, "messages.0.role")


async def test_what_the_spill_target_has_no_form_for_is_the_primarys() -> None:
    saturated = a_route(state=RouteState.SATURATED, spill_share=1.0)
    world = a_world(saturated, fleet=GOOD_STREAM, bedrock=InvalidRequest("one choice only", param="n"))
    answer = await call(world, streaming(n=2))
    assert (answer.status, answer.text, answer.headers["x-spillway-target"]) == (200, "hello", "fleet")


async def test_a_primary_in_trouble_is_no_mistake_of_the_client_whom_the_spill_target_has_no_form_for() -> None:
    world = a_world(fleet=FULL, bedrock=InvalidRequest("one choice only", param="n"))
    answer = await call(world, streaming(n=2))
    assert (answer.status, answer.error["code"]) == (503, "engine_saturated")
    assert answer.headers["retry-after"] == "1"


async def test_everything_failed() -> None:
    world = a_world(a_route(retry_after_seconds=240), fleet=REFUSED, bedrock=FULL)

    answer = await call(world)

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.error["type"] == "service_unavailable"
    assert answer.error["code"] == "engine_saturated"
    assert "429" not in answer.body.decode()
    assert world.lines[0]["detail"] == "primary: refused; spill: HTTP 429"
    assert world.lines[0]["failed"] is True
    assert world.traffic.counts == [{"requests": 1}]
    assert world.counters.added[0].counts == {"requests": 1, "failed": 1, "reason_engine_saturated": 1}


async def test_an_upstreams_own_retry_after_wins() -> None:
    full = UpstreamUnavailable(Code.ENGINE_SATURATED, "HTTP 429", retry_after_seconds=7)
    answer = await call(a_world(fleet=REFUSED, bedrock=full))
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("state", "share", "draw", "target"),
    [
        (RouteState.READY, 0.0, 0.0, "fleet"),
        (RouteState.SATURATED, 0.4, 0.39, "bedrock"),
        (RouteState.SATURATED, 0.4, 0.41, "fleet"),
        (RouteState.COLD, 0.0, 0.9, "bedrock"),
        (RouteState.WARMING, 0.0, 0.9, "bedrock"),
        (RouteState.DRAINING, 0.0, 0.9, "bedrock"),
        (RouteState.FAILED, 0.0, 0.9, "bedrock"),
    ],
)
async def test_the_routes_state_decides_first(state: RouteState, share: float, draw: float, target: str) -> None:
    route = a_route(state=state, spill_share=share, code="asleep")
    world = a_world(route, draw=draw, fleet=GOOD_STREAM, bedrock=GOOD_STREAM)
    answer = await call(world, streaming())
    assert answer.headers["x-spillway-target"] == target
    assert answer.headers["x-spillway-reason"] == "asleep"
    assert len(world.upstreams.requests) == 1


async def test_a_failed_deployment_without_a_spill_target_says_why() -> None:
    route = a_route(state=RouteState.FAILED, spill=None, code="deploy_failed", reason="no capacity for g6e.xlarge")
    answer = await call(a_world(route))
    assert answer.status == 503
    assert "no capacity for g6e.xlarge" in answer.error["message"]
    assert answer.error["code"] == answer.headers["x-spillway-reason"] == "deploy_failed"


async def test_embeddings_pass_to_a_fleet_that_embeds_and_to_no_other() -> None:
    body = {"model": "support-llama", "input": "Once"}
    text = json.dumps({"model": "support-llama", "data": [{"embedding": [0.5], "index": 0}]}).encode()
    embeds = FleetTarget("support-llama", Task.EMBED)
    ready = a_world(a_route(primary=embeds, spill=None), fleet=[text])
    asleep = a_world(a_route(primary=embeds, spill=None, state=RouteState.COLD, code="asleep"))
    chats = a_world(a_route())

    assert (await call(ready, body, path="/v1/embeddings")).body == text
    waiting = await call(asleep, body, path="/v1/embeddings")
    never = await call(chats, body, path="/v1/embeddings")
    no_chat = await call(ready, BODY)

    assert (waiting.status, "retry-after" in waiting.headers) == (503, True)
    assert (never.status, never.error["code"], never.error["param"]) == (400, "unsupported_endpoint", "model")
    assert never.error["allowed"] == ["/v1/chat/completions", "/v1/completions", "/v1/responses"]
    assert (no_chat.status, no_chat.error["allowed"]) == (400, ["/v1/embeddings"])


async def test_what_a_deployment_is_for_is_known_before_it_has_a_target() -> None:
    card = card_of_task(Task.EMBED)
    coming = a_world(a_route(primary=None, spill=None, state=RouteState.WARMING, code="starting", primary_card=card))
    assert (await call(coming, BODY)).error["allowed"] == ["/v1/embeddings"]
    body = {"model": "support-llama", "input": "Once"}
    assert (await call(coming, body, path="/v1/embeddings")).status == 503


async def test_unknown_fields_pass_through_and_usage_is_always_asked_for() -> None:
    world = a_world(fleet=GOOD_STREAM)
    await call(world, streaming(guided_regex="a+", stream_options={"continuous_usage_stats": True}))
    sent = world.upstreams.requests[0][1].upstream_body(model="x")
    assert sent["guided_regex"] == "a+"
    assert sent["stream_options"] == {"continuous_usage_stats": True, "include_usage": True}
    assert sent["model"] == "x"
    assert "model" not in world.upstreams.requests[0][1].upstream_body(model=None)


async def test_an_unstreamed_request_goes_out_without_stream_options() -> None:
    world = a_world(fleet=[completion()])
    await call(world, {**BODY, "temperature": 0})
    assert world.upstreams.requests[0][1].upstream_body() == {**BODY, "temperature": 0}


async def test_the_role_chunk_reaches_the_client_with_what_follows() -> None:
    world = a_world(fleet=[sse(chunk("")) + sse(chunk("a")), sse(chunk("b")), sse("[DONE]")])
    answer = await call(world, streaming())
    assert answer.text == "ab"
