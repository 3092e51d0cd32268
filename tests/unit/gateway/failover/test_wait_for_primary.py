"""A cold start where nothing else may answer, and the signs of life a stream gets while it waits."""

import asyncio
import dataclasses
from typing import Any

import pytest

from spillway.domain.decision import Code
from spillway.domain.routing.route import RouteState
from spillway.gateway import dispatch
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from tests.builders import a_route
from tests.unit.gateway.doubles import GOOD_STREAM, SILENCE, World, a_world, call, chunk, completion, sse, streaming

pytestmark = pytest.mark.usefixtures("virtual_time")
COLD = a_route(state=RouteState.COLD, spill=None, code="asleep", reason="The fleet is asleep.", first_byte_seconds=0.05)
READY = a_route(spill=None)


async def comes_up(world: World, *routes: Any, every: float = 0.02) -> None:
    for route in routes:
        await asyncio.sleep(every)
        world.routes.routes[route.name] = route
        world.clock.moment += 3


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_waits_for_its_cold_primary_and_wakes_it(stream: bool) -> None:
    route = dataclasses.replace(COLD, first_byte_seconds=5.0)
    warming = dataclasses.replace(route, state=RouteState.WARMING)
    world = a_world(route, fleet=GOOD_STREAM if stream else [completion()])

    answer, _ = await asyncio.gather(call(world, streaming(stream=stream)), comes_up(world, warming, READY))

    assert (answer.status, answer.headers["x-spillway-target"]) == (200, "fleet")
    assert world.desk.announced == ["support-llama"]


async def test_after_the_threshold_it_is_a_503_that_says_when_to_come_back() -> None:
    world = a_world(dataclasses.replace(COLD, retry_after_seconds=240), fleet=GOOD_STREAM)
    answer = await call(world, streaming())
    assert (answer.status, answer.headers["retry-after"], answer.headers["x-spillway-ready-in"]) == (503, "60", "240")
    assert "(ready in about 240 s)" in answer.error["message"]
    assert (answer.error["code"], world.desk.announced) == ("asleep", ["support-llama"])
    assert world.upstreams.requests == []


async def test_no_wait_at_all_can_be_asked_for() -> None:
    world = a_world(dataclasses.replace(COLD, first_byte_seconds=300.0))
    async with asyncio.timeout(1):
        answer = await call(world, headers=[(b"x-spillway-max-wait", b"0")])
    assert answer.status == 503


async def test_the_primary_asked_for_is_waited_for_although_there_is_another() -> None:
    cold = a_route(state=RouteState.COLD, first_byte_seconds=5.0)
    world = a_world(cold, fleet=[completion()], bedrock=GOOD_STREAM)
    asked = call(world, headers=[(b"x-spillway-target", b"primary")])
    answer, _ = await asyncio.gather(asked, comes_up(world, READY))
    assert answer.headers["x-spillway-target"] == "fleet"


async def test_a_primary_that_failed_is_not_waited_for() -> None:
    world = a_world(dataclasses.replace(COLD, first_byte_seconds=60.0))
    failed = dataclasses.replace(COLD, state=RouteState.FAILED, code="deploy_failed")
    async with asyncio.timeout(5):
        answer, _ = await asyncio.gather(call(world), comes_up(world, failed))
    assert (answer.status, answer.error["code"]) == (503, "deploy_failed")


async def test_an_unstreamed_wait_ends_before_the_platform_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "LONGEST_SILENCE_SECONDS", 0.02)
    async with asyncio.timeout(5):
        answer = await call(a_world(COLD), headers=[(b"x-spillway-max-wait", b"800")])
    assert answer.status == 503


async def test_a_waiting_stream_hears_comments_and_then_its_answer() -> None:
    world = a_world(dataclasses.replace(COLD, first_byte_seconds=5.0), fleet=GOOD_STREAM, comment_seconds=0.01)
    answer, _ = await asyncio.gather(call(world, streaming()), comes_up(world, READY, every=0.05))

    said = answer.body.decode().split("\n\n")
    comments = [event for event in said if event.startswith(":")]
    assert comments[0] == ": waiting for support-llama (asleep)"
    assert len(comments) >= 2
    assert said[len(comments)].startswith("data: ")
    assert (answer.headers["x-spillway-target"], answer.headers["x-spillway-reason"]) == ("fleet", "asleep")
    assert [message["type"] for message in answer.messages].count("http.response.start") == 1
    assert world.lines[0]["status"] == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_a_wait_in_vain_ends_the_stream_with_an_error(path: str) -> None:
    world = a_world(COLD, comment_seconds=0.01)
    answer = await call(world, streaming(input="hi"), path=path)
    assert answer.status == 200
    assert b'"code":"asleep"' in answer.body
    assert b'"type":"service_unavailable"' in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n") == (path != "/v1/responses")
    assert (world.lines[0]["status"], world.lines[0]["broken"], world.lines[0]["failed"]) == (503, True, True)


async def test_a_long_prefill_of_the_last_choice_hears_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(a_route(first_byte_seconds=0.02), fleet=[SILENCE], bedrock=GOOD_STREAM, comment_seconds=0.01)
    opened = world.upstreams.open

    async def slow(target: Any, request: Any, connect_seconds: float) -> Any:
        if not world.upstreams.requests:
            return await opened(target, request, connect_seconds)
        await asyncio.sleep(0.05)
        return await opened(target, request, connect_seconds)

    monkeypatch.setattr(world.upstreams, "open", slow)
    answer = await call(world, streaming())
    assert answer.body.startswith(b": waiting for the first token\n\n")
    assert answer.headers["x-spillway-target"] == "bedrock"
    assert answer.headers["x-spillway-reason"] == "first_byte_timeout"
    assert answer.body.count(b"data: ") == 3
    assert world.upstreams.closed == ["fleet", "bedrock"]


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        (UpstreamUnavailable(Code.ENGINE_SATURATED, "full"), "service_unavailable"),
        (UpstreamRejected(400, "too long"), "invalid_request_error"),
    ],
)
async def test_what_fails_after_comments_is_told_by_an_event(
    monkeypatch: pytest.MonkeyPatch, err: Exception, kind: str
) -> None:
    world = a_world(READY, comment_seconds=0.01)

    async def slow(*_: Any) -> Any:
        await asyncio.sleep(0.03)
        raise err

    monkeypatch.setattr(world.upstreams, "open", slow)
    answer = await call(world, streaming())
    assert answer.status == 200
    assert f'"type":"{kind}"'.encode() in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_a_client_that_goes_away_while_it_waits_ends_the_wait() -> None:
    world = a_world(dataclasses.replace(COLD, first_byte_seconds=60.0), comment_seconds=0.01)

    def leave(message: dict[str, Any], gone: asyncio.Event) -> None:
        if message.get("body"):
            gone.set()

    async with asyncio.timeout(1):
        await call(world, streaming(), on_send=leave)
    assert world.traffic.counts == [{"requests": 1}]
    assert [line["message"] for line in world.lines] == ["request waits", "request"]
    assert world.lines[1]["status"] == 499


async def test_a_quick_answer_has_no_comments() -> None:
    answer = await call(a_world(fleet=[sse(chunk("a")), sse("[DONE]")]), streaming())
    assert b": " not in answer.body.replace(b"data: ", b"")


ANSWERED = {"primary_requests": 1, "primary_tokens": 10}


@pytest.mark.parametrize(
    ("seconds", "told"), [(60.0, [{"requests": 1}, ANSWERED]), (0.05, [{"requests": 1}])], ids=["long", "short"]
)
async def test_a_long_wait_is_counted_as_it_begins_and_only_once(seconds: float, told: list[dict[str, int]]) -> None:
    world = a_world(dataclasses.replace(COLD, first_byte_seconds=seconds, wakes=False), fleet=[completion()])
    ready = dataclasses.replace(READY, wakes=False)
    begun: list[int] = []

    async def comes() -> None:
        await asyncio.sleep(0.02)
        begun.append(len(world.traffic.added))
        if seconds > 1:
            await comes_up(world, ready)

    await asyncio.gather(call(world), comes())
    assert begun == [len(told) - 1]
    assert world.traffic.counts == told
