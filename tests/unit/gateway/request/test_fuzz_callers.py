"""Keys, headers, paths and methods of every wrong kind, and bodies that do not come."""

import asyncio
import json
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.gateway.doubles import CONTEXT, call
from tests.unit.gateway.fuzzing import JUNK, TARGETS, a_world_on, expect_answer_or_refusal, expect_refusal

SOME = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CONTEXT_HEADER = b"x-amzn-request-context"
KEY = {"key_id": "key_1", "scopes": "invoke", "deployments": ""}
LIMITS = ("requests_per_minute", "tokens_per_minute", "usd_per_month")
GARBAGE: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "null": b"null",
    "a number": b"7",
    "no UTF-8": b'{"authorizer": {"key_id": "\xff"}}',
    "a NUL": b'{"authorizer": \x00}',
    "a lone surrogate": b'{"authorizer": {"key_id": "\\ud800", "scopes": "invoke"}}',
    "deep": b'{"authorizer":' + b"[" * 5000,
    "deep and whole": b'{"authorizer":' + b"[" * 900 + b"]" * 900 + b"}",
    "many": b'{"authorizer": {"scopes": "' + b"invoke," * 4000 + b'"}}',
}


@pytest.mark.parametrize("case", GARBAGE)
async def test_a_context_that_cannot_be_read_is_no_key(case: str) -> None:
    world = a_world_on(TARGETS["fleet"])
    answer = await call(world, context=None, headers=[(CONTEXT_HEADER, GARBAGE[case])])
    expect_refusal(answer)
    assert (answer.status, answer.error["type"]) == (401, "authentication_error")


@pytest.mark.parametrize("where", ["authorizer", "key_id", "scopes", "deployments", "lambda", "requestId"])
async def test_a_context_with_anything_wrong_in_it_lets_nobody_in(where: str) -> None:
    for junk in (*JUNK, "other", 7.5, ["invoke"], {"key_id": "k"}):
        key = {**KEY, where: junk} if where in ("key_id", "scopes", "deployments", "lambda") else KEY
        context = {"authorizer": key, where: junk} if where in ("authorizer", "requestId") else {"authorizer": key}
        world = a_world_on(TARGETS["fleet"])
        answer = await call(world, context=context)
        expect_answer_or_refusal(answer, world)
        if where in ("authorizer", "scopes"):
            assert answer.status in (401, 403)


async def test_limits_that_are_no_numbers_never_mean_none() -> None:
    for field, junk in product(LIMITS, (*JUNK, "nan", "inf", "9" * 5000)):
        world = a_world_on(TARGETS["fleet"])
        answer = await call(world, context={"authorizer": {**KEY, field: junk}})
        expect_answer_or_refusal(answer, world)
        # A fleet's tokens cost nothing, so that any budget covers them.
        assert answer.status in ((200,) if junk is None else (200, 401) if field == "usd_per_month" else (401, 429))
        assert answer.status != 200 or junk is None or isinstance(junk, float | int)


@SOME
@given(
    context=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*KEY, "authorizer", "lambda", "requestId"]), inner)
        ),
    )
)
async def test_any_context(context: Any) -> None:
    world = a_world_on(TARGETS["fleet"])
    for given_ in (context, {"authorizer": context}, {"authorizer": {**KEY, "lambda": context}}):
        expect_answer_or_refusal(await call(world, context=given_), world)


@pytest.mark.parametrize(
    "value", [b"", b"x", b"\xff\xfe", b"\x00", b"9" * 400, b"-1", b"nan", b"inf", b"primary,spill"]
)
@pytest.mark.parametrize(
    "name",
    [
        b"x-spillway-target",
        b"x-spillway-max-wait",
        b"x-spillway-",
        b"x-spillway-\xff",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"expect",
        b"accept",
        b"x-request-id",
        b"x-forwarded-for",
    ],
)
async def test_odd_headers(name: bytes, value: bytes) -> None:
    world = a_world_on(TARGETS["fleet"])
    for headers in ([(name, value)], [(name, value)] * 2, [(name, value)] * 300):
        answer = await call(world, headers=headers)
        expect_answer_or_refusal(answer, world)
        assert answer.headers["x-request-id"] == "req-1"


@SOME
@given(headers=st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.binary(max_size=60)), max_size=20))
async def test_any_headers(headers: Sequence[tuple[bytes, bytes]]) -> None:
    world = a_world_on(TARGETS["fleet"])
    answer = await call(world, headers=[(name.lower(), value) for name, value in headers])
    expect_answer_or_refusal(answer, world)


async def test_headers_over_the_limit() -> None:
    world = a_world_on(TARGETS["fleet"])
    for headers in ([(b"x-a", b"v" * 40_000)], [(b"x-%d" % index, b"") for index in range(20_000)]):
        answer = await call(world, headers=headers)
        expect_refusal(answer)
        assert (answer.status, answer.error["code"]) == (431, "headers_too_large")


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "\u00dc", "X" * 3000)
PATHS = (
    "/",
    "",
    "*",
    "/v1/",
    "/v1/models/",
    "/v1/models/..",
    "/v1/models/../../etc/passwd",
    "/v1/models/\x00",
    "/v1/models/\ufffd",
    "/v1/models/" + "a" * 60_000,
    "/v1/chat/completions/",
    "/v1/v1/chat/completions",
    "/V1/CHAT/COMPLETIONS",
    "/v1/chat/completions\r\nx: y",
    "/x/" * 9000,
    "http://169.254.169.254/latest/meta-data",
)


@pytest.mark.parametrize("method", METHODS)
async def test_any_path_by_any_method(method: str) -> None:
    world = a_world_on(TARGETS["fleet"])
    for path in PATHS:
        answer = await call(world, method=method, path=path)
        expect_answer_or_refusal(answer, world)
        assert answer.status in (404, 405), path


@SOME
@given(path=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
async def test_any_text_as_a_path_or_a_model(path: str) -> None:
    world = a_world_on(TARGETS["fleet"])
    for where in (path, f"/v1/{path}", f"/v1/models/{path}"):
        expect_refusal(await call(world, method="GET", path=where)) if where != "/v1/models" else None
    expect_refusal(await call(world, {"model": path, "messages": [{"role": "user", "content": "hi"}]}))


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("first", [b"", b"{", json.dumps({"model": "support-llama"}).encode()])
async def test_a_body_that_comes_byte_by_byte_for_ever_is_a_408(first: bytes) -> None:
    world, sent = a_world_on(TARGETS["fleet"]), []
    parts = iter([first])

    async def receive() -> Any:
        await asyncio.sleep(1)
        return {"type": "http.request", "body": next(parts, b" "), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(CONTEXT_HEADER, json.dumps(CONTEXT).encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    async with asyncio.timeout(60):
        await world.gateway(scope, receive, send)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["code"] == "request_timeout"
