"""A client that leaves before its answer began has used what its request made somebody do."""

import json
from dataclasses import replace
from typing import Any

import pytest

from spillway.domain.access.limits import KeyLimits
from spillway.domain.decision import Code
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.routing.route import Route, RouteState
from spillway.gateway.errors import UpstreamUnavailable
from tests.builders import NOW, a_route
from tests.unit.gateway.doubles import BODY, CONTEXT, SILENCE, World, a_world, hang_up
from tests.unit.gateway.limits.doubles import SharedTable

MODEL = "meta.llama3-1-8b-instruct-v1:0"  # $0.22 a million tokens, of either kind, in us-east-1
NANO_USD_A_TOKEN = 220
LIMITS = KeyLimits(usd_per_month=1.0, tokens_per_minute=100_000)
CALLER = {"key_id": "key_1", "scopes": "invoke", "deployments": "", **LIMITS.to_context()}
IMAGE = "data:image/png;base64," + "A" * 4_000


def on_bedrock(**changes: Any) -> Route:
    return replace(a_route(), state=RouteState.COLD, wakes=False, spill=BedrockTarget(MODEL, "converse"), **changes)


def prompt_tokens(body: dict[str, Any], inlined: int = 0) -> int:
    return (len(json.dumps(body)) - inlined) // 4 + 1


async def leave(world: World, body: dict[str, Any], after: int = 0) -> None:
    await hang_up(world, body, after, {**CONTEXT, "authorizer": CALLER})


def spent(table: SharedTable) -> int:
    item = table.items[f"key_1#{NOW:%Y-%m}"]
    return item["used"] - item.get("held", 0)


def tokens(table: SharedTable) -> int:
    item = table.items[f"key_1#{NOW:%Y-%m-%dT%H:%MZ}"]
    return item["tokens"] - item.get("idle_tokens", 0)


@pytest.mark.parametrize(
    ("asked", "completion"),
    [
        ({"stream": True, "max_tokens": 700}, 0),
        # Bedrock goes on to the end of what nobody waits for.
        ({"max_tokens": 700}, 700),
        ({"max_tokens": 700, "n": 2}, 1400),
        ({"max_tokens": 7, "max_completion_tokens": 700}, 700),
        ({}, 4096),
    ],
)
@pytest.mark.parametrize("is_server", [False, True])
async def test_what_bedrock_was_sent_is_counted_and_paid(
    asked: dict[str, Any], completion: int, is_server: bool
) -> None:
    world, body = a_world(on_bedrock(), bedrock=[SILENCE], is_server=is_server), {**BODY, **asked}
    await leave(world, body)
    await world.gateway.limiter.close()
    used = prompt_tokens(body) + completion
    counts = world.counters.added[0].counts
    assert (counts["prompt_tokens"], counts.get("completion_tokens", 0)) == (prompt_tokens(body), completion)
    assert (world.lines[0]["status"], world.lines[0]["tokens_estimated"]) == (499, True)
    assert spent(world.limits) == used * NANO_USD_A_TOKEN
    assert tokens(world.limits) == used


async def test_a_picture_is_part_of_what_was_sent() -> None:
    world = a_world(on_bedrock(), bedrock=[SILENCE])
    content = [{"type": "image_url", "image_url": {"url": IMAGE}}]
    body = {**BODY, "stream": True, "messages": [{"role": "user", "content": content}]}
    await leave(world, body)
    assert world.counters.added[0].counts["prompt_tokens"] == prompt_tokens(body, len(IMAGE)) + 1024


async def test_who_was_being_asked_is_who_counts_it() -> None:
    world = a_world(
        replace(a_route(), spill=BedrockTarget(MODEL, "converse")),
        fleet=UpstreamUnavailable(Code.PRIMARY_FAILED, "boom"),
        bedrock=[SILENCE],
    )
    await hang_up(world, {**BODY, "stream": True})
    bucket = world.counters.added[0].bucket
    assert (bucket.role, bucket.path) == ("spill", "bedrock")


async def test_who_leaves_while_nobody_was_asked_has_used_nothing() -> None:
    world = a_world(a_route(state=RouteState.COLD, code="asleep", spill=None))
    await leave(world, BODY)
    counts = world.counters.added[0].counts
    assert "prompt_tokens" not in counts
    assert world.counters.added[0].bucket.role == "none"
    assert tokens(world.limits) == 0
