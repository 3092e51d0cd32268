"""What the gateway says to every kind of request but a good one, and the list of models."""

import asyncio
import json
from typing import Any

import pytest

from spillway.domain.capabilities.card import UNKNOWN, Ability, capabilities_view
from spillway.domain.routing.route import RouteState
from tests.builders import a_route
from tests.unit.gateway.doubles import BODY, CONTEXT, GOOD_STREAM, World, a_world, call, completion, streaming


def the_world() -> World:
    return a_world(fleet=[completion()], bedrock=GOOD_STREAM)


def body(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**BODY, **changes}.items() if value is not ...}


DEEP = b'{"model":"support-llama","messages":[{"role":"user","content":' + b"[" * 400 + b"]" * 400 + b"}]}"
BAD_BODIES: dict[str, tuple[Any, str | None, str]] = {
    "empty": (b"", None, "invalid_json"),
    "truncated": (b'{"model": "support', None, "invalid_json"),
    "not UTF-8": (b'{"model": "\xff\xfe"}', None, "invalid_json"),
    "a lone surrogate": (b'{"model": "\\ud800"}', None, "invalid_json"),
    "a list": (b"[1]", None, "invalid_json"),
    "NaN": (b'{"model": NaN}', None, "invalid_json"),
    "too deep to write": (DEEP, None, "invalid_json"),
    "too deep to read": (b"[" * 100_000, None, "invalid_json"),
    "no model": (body(model=...), "model", "missing_required_parameter"),
    "model null": (body(model=None), "model", "missing_required_parameter"),
    "model a number": (body(model=7), "model", "invalid_type"),
    "no messages": (body(messages=...), "messages", "missing_required_parameter"),
    "messages a string": (body(messages="hi"), "messages", "invalid_type"),
    "messages empty": (body(messages=[]), "messages", "invalid_type"),
    "a message that is a string": (body(messages=["hi"]), "messages.0", "invalid_type"),
    "a role that is a number": (body(messages=[BODY["messages"][0], {"role": 1}]), "messages.1.role", "invalid_type"),
    "stream a string": (body(stream="yes"), "stream", "invalid_type"),
    "stream a number": (body(stream=1), "stream", "invalid_type"),
    "stream_options a list": (body(stream=True, stream_options=[]), "stream_options", "invalid_type"),
    "stream_options without stream": (body(stream_options={"a": 1}), "stream_options", "invalid_request"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_a_bad_body_is_a_400_that_names_the_field(case: str) -> None:
    raw, param, code = BAD_BODIES[case]
    world = the_world()

    answer = await call(world, raw)

    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert (answer.error["param"], answer.error["code"]) == (param, code)
    assert world.upstreams.requests == []
    assert world.counters.added == []


@pytest.mark.parametrize("name", ["nobody", "", "NO", "a" * 5000, "a\x00b", "../x", "sch\u00f6n"])
async def test_an_unknown_model_is_a_404(name: str) -> None:
    answer = await call(the_world(), body(model=name))
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert len(answer.body) < 400


async def test_a_name_that_none_can_have_asks_no_table() -> None:
    world = the_world()
    await call(world, body(model="NO"))
    assert world.routes.reads == 0


@pytest.mark.parametrize("prompt", [None, "", 7, {}])
async def test_completions_want_a_prompt(prompt: Any) -> None:
    answer = await call(the_world(), {"model": "support-llama", "prompt": prompt}, path="/v1/completions")
    assert (answer.status, answer.error["param"]) == (400, "prompt")


@pytest.mark.parametrize(
    "context",
    [None, {}, {"authorizer": None}, {"authorizer": {}}, {"authorizer": {"key_id": ""}}, {"authorizer": {"key_id": 7}}],
)
async def test_without_an_authorised_key_it_is_a_401(context: Any) -> None:
    answer = await call(the_world(), context=context)
    assert (answer.status, answer.error["type"], answer.error["code"]) == (
        401,
        "authentication_error",
        "invalid_api_key",
    )


async def test_two_contexts_are_none() -> None:
    spoofed = (b"x-amzn-request-context", json.dumps(CONTEXT).encode())
    assert (await call(the_world(), headers=[spoofed])).status == 401
    assert (await call(the_world(), context=None, headers=[spoofed])).status == 200
    assert (await call(the_world(), context=None, headers=[(spoofed[0], b"{")])).status == 401


@pytest.mark.parametrize(
    ("scopes", "status"), [("", 403), ("other", 403), ("invoke", 200), ("admin", 200), ("admin,invoke", 200)]
)
async def test_the_scope_decides(scopes: str, status: int) -> None:
    answer = await call(the_world(), context={"authorizer": {"key_id": "k", "scopes": scopes}})
    assert answer.status == status
    if status == 403:
        assert answer.error["code"] == "insufficient_scope"
        assert answer.error["allowed"] == ["invoke", "admin"]


async def test_the_authorisers_fields_may_be_nested() -> None:
    answer = await call(the_world(), context={"authorizer": {"lambda": {"key_id": "k", "scopes": "invoke"}}})
    assert answer.status == 200


@pytest.mark.parametrize("model", ["support-llama", "does-not-exist"])
async def test_a_key_limited_to_other_deployments_gets_a_403(model: str) -> None:
    context = {"authorizer": {"key_id": "k", "scopes": "invoke", "deployments": "other, third"}}
    world = the_world()
    answer = await call(world, body(model=model), context=context)
    assert (answer.status, answer.error["type"]) == (403, "permission_error")
    assert (answer.error["code"], answer.error["allowed"]) == ("model_not_allowed", ["other", "third"])
    assert world.routes.reads == 0


async def test_a_body_over_the_limit_is_a_413_whether_announced_or_not() -> None:
    large = [b"x" * 6_000_000, b"x" * 6_000_000]
    announced = await call(the_world(), headers=[(b"content-length", b"10485761")])
    absurd = await call(the_world(), headers=[(b"content-length", b"9" * 5000)])
    unannounced = await call(the_world(), parts=large)
    for answer in (announced, absurd, unannounced):
        assert (answer.status, answer.error["code"]) == (413, "request_too_large")


async def test_a_body_in_parts_is_put_together() -> None:
    raw = json.dumps(BODY).encode()
    assert (await call(the_world(), parts=[raw[:9], b"", raw[9:]])).status == 200


@pytest.mark.usefixtures("virtual_time")
async def test_a_body_that_never_ends_is_a_408() -> None:
    world, sent = the_world(), []
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Any:
        for message in messages:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-amzn-request-context", json.dumps(CONTEXT).encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    await world.gateway(scope, receive, send)
    assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/models/support-llama", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/v1/embeddings", 405, "method_not_allowed"),
        ("GET", "/v1/responses", 405, "method_not_allowed"),
        ("GET", "/v1/responses/resp_1", 404, "unknown_url"),
        ("POST", "/v1/audio/speech", 404, "unknown_url"),
        ("GET", "/v1", 404, "unknown_url"),
        ("GET", "/", 404, "unknown_url"),
        ("GET", "/v1/models/nobody", 404, "model_not_found"),
        ("GET", "/v1/models/a/b", 404, "model_not_found"),
    ],
)
async def test_other_paths_and_methods(method: str, path: str, status: int, code: str) -> None:
    answer = await call(the_world(), method=method, path=path)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("stage", ["", "/prod", "/a/b"])
async def test_a_stage_before_the_path_does_not_matter(stage: str) -> None:
    assert (await call(the_world(), path=f"{stage}/v1/chat/completions")).status == 200
    assert (await call(the_world(), method="GET", path=f"{stage}/healthz", context=None)).json == {"status": "ok"}


async def test_the_list_of_models_shows_what_the_key_covers() -> None:
    lacking = UNKNOWN.without(Ability.TOOLS)
    known = a_route("a-model", context_length=8192, spill_card=lacking)
    routes = [a_route("b-model", state=RouteState.COLD), known, a_route("c-model", spill=None)]
    context = {"authorizer": {"key_id": "k", "scopes": "invoke", "deployments": "a-model,b-model"}}
    world = a_world(*routes)

    answer = await call(world, method="GET", path="/v1/models", context=context)
    again = await call(world, method="GET", path="/v1/models")
    one = await call(world, method="GET", path="/v1/models/b-model")

    assert answer.json["object"] == "list"
    assert [model["id"] for model in answer.json["data"]] == ["a-model", "b-model"]
    assert answer.json["data"][0] == {
        "id": "a-model",
        "object": "model",
        "created": routes[1].created,
        "owned_by": "spillway",
        "spillway": {
            "state": "ready",
            "context_length": 8192,
            "capabilities": capabilities_view(UNKNOWN, lacking),
        },
    }
    assert len(again.json["data"]) == 3
    assert one.json["spillway"]["state"] == "cold"
    assert world.routes.reads == 2


async def test_a_table_that_cannot_be_read_is_a_503_for_names_never_seen() -> None:
    world = the_world()
    world.routes.down = True
    for answer in (await call(world), await call(world, method="GET", path="/v1/models")):
        assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "routes_unavailable", "2")


async def test_the_last_route_stays_in_force_when_the_table_fails() -> None:
    world = the_world()
    assert (await call(world)).status == 200
    world.routes.down = True
    world.clock.moment += 3600
    assert (await call(world)).status == 200


async def test_a_mistake_of_ours_is_a_500_in_the_one_shape_and_counts_as_failed() -> None:
    world = a_world(fleet=ZeroDivisionError("secret detail"), bedrock=GOOD_STREAM)
    answer = await call(world)
    assert (answer.status, answer.error["type"], answer.error["code"]) == (500, "api_error", "internal_error")
    assert b"secret" not in answer.body
    assert "ZeroDivisionError" in world.lines[-1]["trace"]
    assert world.counters.added[0].counts["failed"] == 1


async def test_a_mistake_of_ours_in_mid_stream_ends_the_stream() -> None:
    world = a_world(fleet=[*GOOD_STREAM[:1], ZeroDivisionError("x")])
    answer = await call(world, streaming())
    assert answer.events[-1] == "[DONE]"
    assert answer.events[-2]["error"]["code"] == "internal_error"


async def test_every_answer_carries_its_request_id() -> None:
    assert (await call(the_world())).headers["x-request-id"] == "req-1"
    assert (await call(the_world(), context=None)).headers["x-request-id"] == "made-id"
    assert (await call(the_world(), context={**CONTEXT, "requestId": "a\r\nb"})).headers["x-request-id"] == "made-id"
