"""How much may be generated is one number, however a client writes it."""

from typing import Any

import pytest

from spillway.domain.access.limits import KeyLimits
from tests.unit.gateway.doubles import BODY, CONTEXT, a_world, call, completion

FIELDS = ["max_tokens", "max_completion_tokens", "n", "best_of", "max_output_tokens"]
WRONG: list[Any] = [
    5.5,
    "5.0",
    "five",
    "",
    " 5",
    "\u0665",
    True,
    False,
    [],
    {},
    0,
    -1,
    "0",
    "-1",
    1e30,
    2**31,
    "9" * 400,
]
LIMITS = KeyLimits(tokens_per_minute=100_000).to_context()
LIMITED = {**CONTEXT, "authorizer": {"key_id": "key_1", "scopes": "invoke", "deployments": "", **LIMITS}}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [5, 5.0, "5"])
@pytest.mark.parametrize("context", [CONTEXT, LIMITED], ids=["no limits", "limits"])
async def test_a_whole_number_is_sent_as_one(field: str, value: Any, context: Any) -> None:
    world = a_world(fleet=[completion()])
    assert (await call(world, {**BODY, field: value}, context=context)).status == 200
    sent = world.upstreams.requests[-1][1].body[field]
    assert (sent, type(sent)) == (5, int)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", WRONG)
async def test_anything_else_is_refused_by_field(field: str, value: Any) -> None:
    world = a_world(fleet=[completion()])
    answer = await call(world, {**BODY, field: value})
    assert (answer.status, answer.error["param"]) == (400, field)
    assert "a whole number from 1 to 2147483647" in answer.error["message"]
    assert world.upstreams.requests == []


@pytest.mark.parametrize("value", [50_000, 50_000.0, "50000"])
async def test_the_limiter_reads_what_the_engine_reads(value: Any) -> None:
    world = a_world(fleet=[completion()])
    answer = await call(world, {**BODY, "max_tokens": value, "n": 2}, context=LIMITED)
    assert (answer.status, answer.error["code"]) == (429, "rate_limit_exceeded")


async def test_of_two_limits_the_larger_is_held_since_upstreams_differ_in_which_they_read() -> None:
    world = a_world(fleet=[completion()])
    answer = await call(world, {**BODY, "max_completion_tokens": 1, "max_tokens": 200_000}, context=LIMITED)
    assert answer.status == 429


@pytest.mark.parametrize("field", FIELDS)
async def test_null_is_not_asked(field: str) -> None:
    world = a_world(fleet=[completion()])
    assert (await call(world, {**BODY, field: None})).status == 200
