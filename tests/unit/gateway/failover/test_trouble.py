"""What a target's own answers change for the requests after it, and what becomes of an upstream that is given up."""

import asyncio
import dataclasses

import pytest

from spillway.domain.decision import Code
from spillway.domain.paths.targets import FleetTarget
from spillway.domain.routing.route import Choice, RouteState
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.failover.first_byte_gate import AttemptTimeouts, FirstByteGate, NothingAnswered
from spillway.gateway.failover.learned_cards import LearnedCards
from spillway.gateway.failover.retry_budget import ALWAYS_ALLOWED
from spillway.gateway.failover.target_health import FAILURES_IN_A_ROW, LASTING_SECONDS, TargetHealth
from spillway.gateway.timeouts import CONNECT_SECONDS
from tests.builders import a_route
from tests.unit.gateway.doubles import (
    GOOD_STREAM,
    SILENCE,
    FakeClock,
    World,
    a_world,
    call,
    chunk,
    completion,
    sse,
    streaming,
)
from tests.unit.gateway.servers import Played, a_request, upstreams_to
from tests.waiting import advance, until

GOOD_ANSWER = {True: GOOD_STREAM, False: [completion()]}
FULL = UpstreamUnavailable(Code.ENGINE_SATURATED, "HTTP 429")
OVERLOAD = [sse({"error": {"message": "too many requests", "code": 503}}, "[DONE]")]


def asked(world: World) -> list[str]:
    return [path for path, _, _ in world.upstreams.requests]


async def test_after_a_full_answer_requests_go_to_the_spill_target_at_once_until_a_probe_is_answered() -> None:
    world = a_world(fleet=OVERLOAD, bedrock=GOOD_STREAM)

    first, second = await call(world, streaming()), await call(world, streaming())
    world.upstreams.scripts["fleet"] = GOOD_STREAM
    world.clock.moment += 1.1
    third = await call(world, streaming())

    assert asked(world) == ["fleet", "bedrock", "bedrock", "fleet"]
    reasons = [answer.headers["x-spillway-reason"] for answer in (first, second, third)]
    assert reasons == ["engine_saturated", "engine_saturated", "ready"]
    assert [line["role"] for line in world.lines] == ["spill", "spill", "primary"]


async def test_a_primary_in_trouble_still_answers_when_the_spill_target_fails() -> None:
    world = a_world(fleet=FULL, bedrock=GOOD_STREAM)
    await call(world, streaming())
    world.upstreams.scripts = {"fleet": GOOD_STREAM, "bedrock": FULL}
    answer = await call(world, streaming())
    assert (answer.status, answer.headers["x-spillway-target"]) == (200, "fleet")


async def test_one_that_is_alone_is_always_tried() -> None:
    world = a_world(a_route(spill=None), fleet=FULL)
    for _ in range(3):
        assert (await call(world)).status == 503
    world.upstreams.scripts["fleet"] = [completion()]
    assert (await call(world)).status == 200


@pytest.mark.parametrize(
    ("wait", "then"),
    [
        # The deployment allows 0.02 s: who waits for less proves nothing, who waits for more does.
        (b"0.001", ["fleet", "bedrock"]),
        (b"0.03", ["bedrock"]),
    ],
)
async def test_a_client_in_a_hurry_puts_nobody_last_for_others(wait: bytes, then: list[str]) -> None:
    world = a_world(a_route(first_byte_seconds=0.02), fleet=[SILENCE], bedrock=GOOD_STREAM)
    for _ in range(3):
        answer = await call(world, streaming(), headers=[(b"x-spillway-max-wait", wait)])
        assert answer.headers["x-spillway-reason"] == "first_byte_timeout"
    world.upstreams.requests.clear()
    await call(world, streaming())
    assert asked(world) == then


async def test_the_clients_own_mistakes_put_nobody_last() -> None:
    bad = sse({"error": {"message": "bad", "code": 400}}, "[DONE]")
    world = a_world(fleet=[bad], bedrock=GOOD_STREAM)
    for _ in range(5):
        assert (await call(world, streaming())).status == 400
    assert asked(world) == ["fleet"] * 5


async def test_deployments_do_not_share_their_troubles() -> None:
    other = dataclasses.replace(a_route("other"), spill=None)
    world = a_world(a_route(), other, fleet=FULL, bedrock=GOOD_STREAM)
    await call(world, streaming())
    world.upstreams.scripts["fleet"] = GOOD_STREAM
    assert (await call(world, streaming(model="other"))).headers["x-spillway-target"] == "fleet"


async def test_the_spill_target_is_never_refused() -> None:
    """However many requests a fleet fails at once: they are why there is a spill target."""
    world = a_world(fleet=UpstreamUnavailable(Code.PRIMARY_FAILED, "x"), bedrock=FULL)
    for _ in range(4 * ALWAYS_ALLOWED):
        assert (await call(world)).status == 503
    assert asked(world).count("bedrock") == 4 * ALWAYS_ALLOWED


async def test_requests_that_come_back_to_the_primary_have_their_limit() -> None:
    route = a_route(state=RouteState.SATURATED, spill_share=1.0)
    world = a_world(route, fleet=FULL, bedrock=UpstreamUnavailable(Code.PRIMARY_FAILED, "x"))
    for _ in range(100):
        assert (await call(world)).status == 503
    assert asked(world).count("fleet") < 100


@pytest.mark.parametrize("stream", [True, False])
async def test_a_spill_target_that_fails_is_called_so_wherever_it_is_told(stream: bool) -> None:
    broken = UpstreamUnavailable(Code.PRIMARY_FAILED, "HTTP 404")
    asleep = a_world(a_route(state=RouteState.COLD, code="asleep"), bedrock=broken)
    full = a_world(a_route(state=RouteState.SATURATED, spill_share=1.0), fleet=GOOD_ANSWER[stream], bedrock=broken)

    nobody = await call(asleep, streaming(stream=stream))
    answers = [await call(full, streaming(stream=stream)) for _ in range(FAILURES_IN_A_ROW + 1)]

    assert (nobody.status, nobody.error["code"], nobody.headers["x-spillway-reason"]) == (503, *["spill_failed"] * 2)
    assert asleep.lines[0]["reason"] == "spill_failed"
    assert asleep.counters.added[0].counts["reason_spill_failed"] == 1
    assert asleep.traffic.counts == [{"requests": 1, "spill_failed": 1}]
    assert [counts["spill_failed"] for counts in full.traffic.counts[:-1]] == [1] * FAILURES_IN_A_ROW
    assert "spill_failed" not in full.traffic.counts[-1]
    # The last one, by what was learnt from those before it: the spill target comes last.
    assert asked(full) == ["bedrock", "fleet"] * FAILURES_IN_A_ROW + ["fleet"]
    assert [answer.headers["x-spillway-reason"] for answer in answers] == ["spill_failed"] * 4


async def test_a_target_that_will_go_on_refusing_is_left_alone_for_a_minute() -> None:
    denied = UpstreamUnavailable(Code.ACCESS_DENIED, "explicit deny")
    world = a_world(a_route(state=RouteState.SATURATED, spill_share=1.0), fleet=GOOD_STREAM, bedrock=denied)
    answers = [await call(world, streaming()) for _ in range(2)]
    world.upstreams.scripts["fleet"] = FULL
    failed = await call(world, streaming())
    world.upstreams.scripts["bedrock"] = GOOD_STREAM
    still = await call(world, streaming())
    world.clock.moment += LASTING_SECONDS
    again = await call(world, streaming())

    assert [answer.headers["x-spillway-reason"] for answer in answers] == ["access_denied"] * 2
    assert [failed.status, still.status] == [503, 503]
    # It is not asked again, but what nobody else answers is refused because of it.
    assert [counts.get("access_denied") for counts in world.traffic.counts] == [1, None, 1, 1, None]
    assert (again.status, again.headers["x-spillway-target"]) == (200, "bedrock")
    assert asked(world) == ["bedrock", "fleet", "fleet", "fleet", "fleet", "bedrock"]


async def test_the_one_who_may_still_answer_has_all_the_time_there_is() -> None:
    used_up = UpstreamUnavailable(Code.QUOTA_USED_UP, "Too many tokens per day")
    world = a_world(a_route(first_byte_seconds=0.25), fleet=FULL, bedrock=used_up)
    await call(world)
    world.upstreams.scripts["fleet"] = GOOD_ANSWER[False]
    world.clock.moment += 2
    assert (await call(world)).status == 200
    assert [connect for path, _, connect in world.upstreams.requests if path == "fleet"] == [0.25, CONNECT_SECONDS]


@pytest.mark.parametrize("parts", [(), (b": ping\n\n",)], ids=["no headers", "comments only"])
async def test_an_upstream_that_is_given_up_is_hung_up_on(parts: tuple[bytes, ...]) -> None:
    silent = Played(parts, ending="silence" if parts else "mute")
    async with upstreams_to(silent) as (upstreams, fake):
        gate = FirstByteGate(
            upstreams, TargetHealth(FakeClock().monotonic, lambda: 0.5), LearnedCards(FakeClock().monotonic)
        )
        target = FleetTarget("support-llama")
        choices = [Choice(target, "primary", "ready"), Choice(FleetTarget("nobody"), "spill", "ready")]
        opening = asyncio.create_task(gate.open(choices, a_request(stream=True), AttemptTimeouts(100), []))
        await until(lambda: fake.seen)
        advance(100)
        await fake.hung_up.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_a_gate_without_a_retry_left_tells_what_failed() -> None:
    async with upstreams_to(Played(status=500)) as (upstreams, _):
        gate = FirstByteGate(
            upstreams, TargetHealth(FakeClock().monotonic, lambda: 0.5), LearnedCards(FakeClock().monotonic)
        )
        with pytest.raises(NothingAnswered, match="HTTP 500"):
            await gate.open([Choice(FleetTarget("a"), "primary", "ready")], a_request(), AttemptTimeouts(100), [])


@pytest.mark.parametrize(
    ("stream", "is_last", "seconds"),
    [(True, False, (2.0, 2.0)), (True, True, (5.0, 100.0)), (False, False, (2.0, 50.0)), (False, True, (5.0, 100.0))],
)
def test_what_a_choice_may_take(stream: bool, is_last: bool, seconds: tuple[float, float]) -> None:
    assert AttemptTimeouts(2.0).of(a_request(stream=stream), 100.0, is_last=is_last) == seconds


TEXT = "abcdefgh"
CHAT = [sse(chunk("", finish_reason=None))] + [sse(chunk(letter)) for letter in TEXT] + [sse("[DONE]")]


@pytest.mark.parametrize("ending", ["end", "cut"])
async def test_a_stream_cut_at_any_byte_is_one_answer_or_a_clean_error(ending: str) -> None:
    """What came from the primary is a prefix of its answer; the spill target's is whole; never both."""
    wire = b"".join(CHAT)
    for length in range(0, len(wire), 13):
        async with upstreams_to(Played([wire[:length]], ending=ending)) as (upstreams, fake):
            world = a_world(a_route(spill=None), real=upstreams, idle_seconds=5)
            answer = await call(world, streaming())
            assert len(fake.seen) == 1
            assert len(world.counters.added) == 1
        if answer.status == 503:
            assert wire[:length].count(b"\n\n") == 0
            continue
        assert TEXT.startswith(answer.text)
        assert answer.events[-1] == "[DONE]"
        assert answer.events[-2]["error"]["code"] == "stream_interrupted"
        assert world.lines[0]["broken"] is True
