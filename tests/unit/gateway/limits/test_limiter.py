"""A key's limits as a client meets them."""

import asyncio
import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from spillway.domain.access.limits import KeyLimits
from spillway.domain.capabilities.card import UNKNOWN, Ability
from spillway.domain.decision import Code
from spillway.domain.paths.targets import BedrockTarget, FleetTarget
from spillway.domain.routing.route import RouteState
from spillway.domain.task import Task
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.limits.month import Patience
from spillway.gateway.timeouts import BUDGET_WAIT_SECONDS
from tests.builders import NOW, a_route
from tests.unit.gateway.doubles import BODY, CONTEXT, GOOD_STREAM, Answer, World, a_world, call, completion, streaming
from tests.unit.gateway.limits.doubles import SharedTable

MODEL = "meta.llama3-1-8b-instruct-v1:0"  # $0.22 a million tokens, of either kind, in us-east-1
MINUTE = f"key_1#{NOW:%Y-%m-%dT%H:%MZ}"
MONTH = "key_1#2026-11"


def spilling(**changes: Any) -> Any:
    return replace(a_route(), state=RouteState.COLD, wakes=False, spill=BedrockTarget(MODEL, "converse"), **changes)


async def ask(world: World, body: dict[str, Any] | None = None, **limits: Any) -> Answer:
    context = {**CONTEXT, "authorizer": {**CONTEXT["authorizer"], **KeyLimits(**limits).to_context()}}  # type: ignore[dict-item]
    return await call(world, body, context=context)


def spent(world: World) -> int:
    item = world.limits.items[MONTH]
    return item["used"] - item.get("held", 0)


async def test_a_key_without_limits_writes_nothing_to_their_table() -> None:
    world = a_world(fleet=[completion()])
    answer = await call(world)
    assert answer.status == 200
    assert world.limits.writes == 0
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


async def test_what_is_left_of_the_minute_comes_with_the_answer() -> None:
    world = a_world(fleet=[completion()])
    answer = await ask(world, requests_per_minute=5, tokens_per_minute=50_000)
    assert answer.status == 200
    assert {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit")} == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-limit-tokens": "50000",
        "x-ratelimit-remaining-tokens": str(50_000 - 4096 - 19),
        "x-ratelimit-reset-tokens": "1m0s",
    }
    assert world.limits.items[MINUTE]["tokens"] < 50


async def test_a_full_minute_is_a_429_in_openais_form() -> None:
    world = a_world(fleet=[completion()])
    await ask(world, requests_per_minute=1)
    answer = await ask(world, requests_per_minute=1)
    assert answer.status == 429
    assert (answer.error["type"], answer.error["code"], answer.error["param"]) == (
        "requests",
        "rate_limit_exceeded",
        None,
    )
    assert answer.headers["retry-after"] == "60"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(world.upstreams.requests) == 1
    assert len(world.counters.added) == 1  # what is refused costs no counter


async def test_a_spent_budget_is_a_429_that_names_when_it_resets() -> None:
    world = a_world(spilling(), bedrock=[completion()])
    first = await ask(world, usd_per_month=0.002)
    assert first.status == 200
    second = await ask(world, usd_per_month=0.0009)
    assert second.status == 429
    assert (second.error["type"], second.error["code"]) == ("insufficient_quota", "budget_exceeded")
    assert "2026-12-01T00:00:00Z" in second.error["message"]
    assert second.headers["x-should-retry"] == "false"
    assert second.headers["retry-after"] == "60"
    assert int(second.headers["x-spillway-ready-in"]) > 6 * 86_400


async def test_what_others_have_reserved_is_waited_for_and_the_wait_is_part_of_the_request() -> None:
    async def pause(seconds: float) -> None:
        world.clock.moment += seconds
        if world.clock.moment >= 1003.0:  # the others end
            world.limits.items[MONTH] = {"used": 0, "held": 0}

    world = a_world(spilling(), bedrock=[completion()], patience=Patience(pause=pause))
    world.limits.items[MONTH] = {"used": 20_000_000, "held": 20_000_000}
    answer = await ask(world, usd_per_month=0.02)
    assert answer.status == 200
    assert world.lines[0]["duration_ms"] == 3000


async def test_a_wait_for_what_others_have_reserved_ends() -> None:
    async def pause(seconds: float) -> None:
        world.clock.moment += seconds

    world = a_world(spilling(), bedrock=[completion()], patience=Patience(pause=pause))
    world.limits.items[MONTH] = {"used": 20_000_000, "held": 20_000_000}
    answer = await ask(world, usd_per_month=0.02)
    assert (answer.status, answer.error["code"]) == (429, "budget_reserved")
    assert world.clock.moment == 1000.0 + BUDGET_WAIT_SECONDS


async def test_so_many_of_a_key_wait_and_no_more() -> None:
    async def pause(seconds: float) -> None:
        await asyncio.sleep(0)
        world.clock.moment += seconds

    world = a_world(spilling(), bedrock=[completion()], patience=Patience(most_waiting=2, pause=pause))
    world.limits.items[MONTH] = {"used": 20_000_000, "held": 20_000_000}
    waiting = [asyncio.create_task(ask(world, usd_per_month=0.02)) for _ in range(3)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result().error["code"] for task in done] == ["budget_reserved"]
    assert world.clock.moment < 1000.0 + BUDGET_WAIT_SECONDS
    await asyncio.gather(*waiting)


async def test_the_real_usage_is_paid_at_the_price_of_who_answered() -> None:
    world = a_world(spilling(), bedrock=GOOD_STREAM)
    await ask(world, streaming(), usd_per_month=1)
    usage = world.counters.added[-1].counts
    assert spent(world) == (usage["prompt_tokens"] + usage["completion_tokens"]) * 220


async def test_tokens_of_an_instance_cost_a_key_nothing() -> None:
    world = a_world(replace(a_route(), primary=FleetTarget("support-llama"), spill=None), fleet=[completion()])
    answer = await ask(world, usd_per_month=0.000001)
    assert answer.status == 200
    assert world.limits.writes == 0


async def test_nothing_is_paid_where_nobody_answered() -> None:
    world = a_world(spilling(), bedrock=UpstreamUnavailable(Code.PRIMARY_FAILED, "boom"))
    answer = await ask(world, usd_per_month=1)
    assert answer.status == 503
    assert spent(world) == 0


async def test_an_unknown_price_is_refused_to_a_key_with_a_budget_only() -> None:
    route = replace(spilling(), primary=None, spill=BedrockTarget("nobody.knows-v1:0", "converse"))
    world = a_world(route, bedrock=[completion()])
    answer = await ask(world, usd_per_month=1)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "price_unknown", "model")
    assert "nobody.knows-v1:0" in answer.error["message"]
    assert (await ask(world, requests_per_minute=5)).status == 200


async def test_a_target_of_unknown_price_is_left_out_where_there_is_another() -> None:
    route = replace(a_route(), spill=BedrockTarget("nobody.knows-v1:0", "converse"))
    world = a_world(route, fleet=UpstreamUnavailable(Code.PRIMARY_FAILED, "x"), bedrock=[completion()])
    await ask(world, usd_per_month=1)
    assert [path for path, _, _ in world.upstreams.requests] == ["fleet"]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({}, 4096),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 9}, None),
    ],
)
async def test_a_limited_key_never_gets_more_than_was_reserved(body: dict[str, Any], sent: int | None) -> None:
    world = a_world(spilling(), bedrock=[completion()])
    asked = {"model": "support-llama", "messages": [{"role": "user", "content": "hi"}], **body}
    await ask(world, asked, usd_per_month=1)
    assert world.upstreams.requests[-1][1].body.get("max_tokens") == sent


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        # 75 bytes of body: 75 tokens and 256 of a template are its most, which leaves 3,765 of the context.
        ("hi", 3765),
        # 12,073 bytes: surely nothing fits beside so many tokens; likely are 3,019, and half of the rest is 538.
        ("x" * 12_000, 538),
        # 20,073 bytes are likely too many: the engine is to say so.
        ("x" * 20_000, 1),
    ],
)
async def test_a_limit_that_nobody_asked_for_leaves_room_for_the_prompt(content: str, sent: int) -> None:
    world = a_world(replace(a_route(), context_length=4096), fleet=[completion()])
    await ask(world, {"model": "support-llama", "messages": [{"role": "user", "content": content}]}, usd_per_month=1)
    assert world.upstreams.requests[-1][1].body["max_tokens"] == sent


async def test_a_text_completion_of_a_limited_key_is_as_long_as_any_other() -> None:
    world = a_world(fleet=[completion()])
    limits = KeyLimits(tokens_per_minute=50_000).to_context()
    context = {**CONTEXT, "authorizer": {**CONTEXT["authorizer"], **limits}}  # type: ignore[dict-item]
    await call(world, {"model": "support-llama", "prompt": "hi"}, path="/v1/completions", context=context)
    assert world.upstreams.requests[-1][1].body["max_tokens"] == 16


@pytest.mark.parametrize(
    ("changes", "lacking", "status"),
    [
        # 98 bytes of prompt and 8 tokens of answers; eight times the prompt is above the limit.
        ({"n": 8, "max_tokens": 1}, Ability.LOGPROBS, 200),
        ({"n": 8, "max_tokens": 1}, Ability.CHOICES, 429),
        ({"response_format": {"type": "json_object"}, "max_tokens": 50}, Ability.LOGPROBS, 200),
        ({"response_format": {"type": "json_object"}, "max_tokens": 50}, Ability.JSON_OBJECT, 429),
    ],
)
async def test_what_is_made_up_by_several_requests_is_held_to_all_of_them(
    changes: dict[str, Any], lacking: Ability, status: int
) -> None:
    world = a_world(a_route(spill_card=UNKNOWN.without(lacking)), fleet=[completion()])
    limits = KeyLimits(tokens_per_minute=110).to_context()
    context = {**CONTEXT, "authorizer": {**CONTEXT["authorizer"], **limits}}  # type: ignore[dict-item]
    assert (await call(world, {**BODY, **changes}, context=context)).status == status


IMAGE = "data:image/png;base64," + "A" * 4_000_000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE}}]}]},
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": IMAGE}}]}]},
        ),
        ("/v1/responses", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": IMAGE}]}]}),
        ("/v1/responses", {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": IMAGE}]}]}),
    ],
)
async def test_a_pictures_bytes_are_no_tokens(path: str, body: dict[str, Any]) -> None:
    world = a_world(spilling(), bedrock=[completion()])
    # 1,024 tokens of a picture and 100 of an answer are likely; 4,096 at the most, and 600 of the rest, cost $0.001.
    limits = KeyLimits(tokens_per_minute=2_000, usd_per_month=0.002).to_context()
    context = {**CONTEXT, "authorizer": {**CONTEXT["authorizer"], **limits}}  # type: ignore[dict-item]
    asked = {"model": "support-llama", "max_tokens": 100, "max_output_tokens": 100, **body}
    answer = await call(world, asked, path=path, context=context)
    assert answer.status == 200, answer.body


async def test_text_is_counted_wherever_it_stands() -> None:
    parts = [{"type": "thinking", "thinking": "x" * 9_000}, {"type": ["odd"]}, {"type": "text", "text": "hi"}]
    world = a_world(spilling(), bedrock=[completion()])
    answer = await ask(world, streaming(messages=[{"role": "user", "content": parts}]), tokens_per_minute=6_500)
    assert answer.status == 429


async def test_a_table_that_does_not_answer_refuses_limited_keys_only() -> None:
    world = a_world(fleet=[completion()])
    world.limits._losses = itertools.cycle(["request"])
    answer = await ask(world, requests_per_minute=5)
    assert (answer.status, answer.error["code"]) == (503, "limits_unavailable")
    assert answer.headers["retry-after"] == "2"
    assert (await call(world)).status == 200


@pytest.mark.parametrize("is_server", [False, True])
async def test_200_requests_at_once_through_eight_gateways_pass_no_budget(is_server: bool) -> None:
    table = SharedTable(pauses=(0, 3, 1))
    worlds = [a_world(spilling(), limits=table, is_server=is_server, bedrock=[completion()]) for _ in range(8)]
    body = {"model": "support-llama", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1000}
    reserved = (len(json.dumps(body)) + 256 + 1000) * 220
    answers = await asyncio.gather(*(ask(worlds[index % 8], body, usd_per_month=0.02) for index in range(200)))
    statuses = {answer.status for answer in answers}
    # What a request did not use is free for the next one: whether any has to be refused is a matter of moments.
    assert 200 in statuses
    assert statuses <= {200, 429}
    served = sum(answer.status == 200 for answer in answers)
    assert table.items[MONTH]["used"] <= 0.02e9
    for world in worlds:
        await world.gateway.limiter.close()
    used = table.items[MONTH]["used"] - table.items[MONTH]["held"]
    usage = worlds[0].counters.added[0].counts
    assert used == served * (usage["prompt_tokens"] + usage["completion_tokens"]) * 220
    assert used <= 0.02e9
    assert served >= 0.02e9 // reserved * 0.9


VECTORS = json.dumps({"data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}}).encode()
RANKING = json.dumps({"results": [], "usage": {"prompt_tokens": 9, "total_tokens": 9}}).encode()


@pytest.mark.parametrize(
    ("task", "path", "body", "answer", "tokens"),
    [
        (Task.EMBED, "/v1/embeddings", {"input": ["one", "two"]}, VECTORS, 7),
        (Task.RERANK, "/v1/rerank", {"query": "one", "documents": ["two"]}, RANKING, 9),
    ],
    ids=["embed", "rerank"],
)
async def test_vectors_and_rankings_cost_their_prompt_alone(
    task: Task, path: str, body: dict[str, Any], answer: bytes, tokens: int
) -> None:
    world = a_world(a_route(primary=FleetTarget("support-llama", task), spill=None), fleet=[answer])
    limits = KeyLimits(tokens_per_minute=5_000).to_context()
    context = {**CONTEXT, "authorizer": {**CONTEXT["authorizer"], **limits}}  # type: ignore[dict-item]
    assert (await call(world, {"model": "support-llama", **body}, path=path, context=context)).status == 200
    assert world.limits.items[MINUTE]["tokens"] == tokens


async def test_a_ranking_reads_its_query_for_each_document() -> None:
    body = {"model": "support-llama", "query": "word " * 100, "documents": ["x"] * 50}
    world = a_world(a_route(primary=FleetTarget("support-llama", Task.RERANK), spill=None), fleet=[RANKING])
    limits = KeyLimits(tokens_per_minute=5_000).to_context()
    context = {**CONTEXT, "authorizer": {**CONTEXT["authorizer"], **limits}}  # type: ignore[dict-item]
    refused = await call(world, body, path="/v1/rerank", context=context)
    assert refused.status == 429
    assert world.upstreams.requests == []
