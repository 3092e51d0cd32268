"""What a request may ask by headers, and what of it comes true."""

import pytest

from spillway.domain.decision import Code
from spillway.domain.routing.route import RouteState
from spillway.gateway.errors import UpstreamUnavailable
from tests.builders import a_route
from tests.unit.gateway.doubles import GOOD_STREAM, a_world, call, completion, streaming

REFUSED = UpstreamUnavailable(Code.PRIMARY_FAILED, "refused")
TARGET, WAIT = b"x-spillway-target", b"x-spillway-max-wait"


@pytest.mark.parametrize(
    ("headers", "param"),
    [
        ([(TARGET, b"fleet")], "x-spillway-target"),
        ([(TARGET, b"")], "x-spillway-target"),
        ([(TARGET, b"\xff")], "x-spillway-target"),
        ([(TARGET, b"spill"), (TARGET, b"spill")], "x-spillway-target"),
        ([(WAIT, b"soon")], "x-spillway-max-wait"),
        ([(WAIT, b"-1")], "x-spillway-max-wait"),
        ([(WAIT, b"nan")], "x-spillway-max-wait"),
        ([(WAIT, b"inf")], "x-spillway-max-wait"),
        ([(WAIT, b"841")], "x-spillway-max-wait"),
        ([(WAIT, b"9" * 5000)], "x-spillway-max-wait"),
    ],
)
async def test_a_wish_that_is_none_is_a_400(headers: list[tuple[bytes, bytes]], param: str) -> None:
    answer = await call(a_world(fleet=[completion()]), headers=headers)
    assert (answer.status, answer.error["param"]) == (400, param)
    if headers[0][1] == b"fleet":
        assert answer.error["allowed"] == ["primary", "spill"]


async def test_headers_over_the_limit_are_a_431() -> None:
    answer = await call(a_world(fleet=[completion()]), headers=[(b"x-a", b"a" * 40_000)])
    assert (answer.status, answer.error["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize(("wish", "target"), [(b"primary", "fleet"), (b"Spill", "bedrock")])
async def test_the_target_asked_for_answers_alone(wish: bytes, target: str) -> None:
    route = a_route(state=RouteState.SATURATED, spill_share=0.5)
    world = a_world(route, fleet=GOOD_STREAM, bedrock=GOOD_STREAM)
    answer = await call(world, streaming(), headers=[(TARGET, wish)])
    assert (answer.headers["x-spillway-target"], answer.text) == (target, "hello")
    assert len(world.upstreams.requests) == 1


async def test_what_only_the_primary_may_answer_is_never_spilled() -> None:
    world = a_world(fleet=REFUSED, bedrock=GOOD_STREAM)
    answer = await call(world, streaming(), headers=[(TARGET, b"primary")])
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert [path for path, _, _ in world.upstreams.requests] == ["fleet"]


async def test_a_spill_target_that_is_not_there_cannot_be_asked_for() -> None:
    answer = await call(a_world(a_route(spill=None)), headers=[(TARGET, b"spill")])
    assert (answer.status, answer.error["code"], answer.error["allowed"]) == (400, "no_spill_target", ["primary"])


async def test_the_wait_asked_for_takes_the_place_of_the_threshold() -> None:
    world = a_world(a_route(first_byte_seconds=300.0), fleet=[completion()])
    await call(world, headers=[(WAIT, b"0.25")])
    assert [connect for _, _, connect in world.upstreams.requests] == [0.25]
