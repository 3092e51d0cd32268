"""What a client sees of a stream, and what is metered of it, however it ends."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.request_record import TrafficMinute, UsageBucket
from tests.unit.gateway.doubles import (
    CONTEXT,
    GOOD_STREAM,
    SILENCE,
    USAGE,
    a_world,
    call,
    chunk,
    completion,
    hang_up,
    sse,
    streaming,
    usage_chunk,
)

BROKEN = UpstreamUnavailable(Code.PRIMARY_FAILED, "broke off")
MID_STREAM_DEATHS: dict[str, list[Any]] = {
    "connection lost": [sse(chunk("he")), BROKEN],
    "ended without its end mark": [sse(chunk("he"))],
    "error event": [sse(chunk("he")), sse({"error": {"message": "EngineCore died", "code": 500}}, "[DONE]")],
    "error in the same block": [sse(chunk("he"), {"error": {"message": "EngineCore died", "code": 500}})],
    "silence": [sse(chunk("he")), SILENCE],
}


@pytest.mark.parametrize("case", MID_STREAM_DEATHS)
async def test_a_stream_that_breaks_ends_with_an_error_event_and_is_never_repeated(case: str) -> None:
    world = a_world(fleet=MID_STREAM_DEATHS[case], bedrock=GOOD_STREAM)

    answer = await call(world, streaming())

    assert answer.status == 200
    assert answer.text == "he"
    assert answer.events[-1] == "[DONE]"
    assert answer.events[-2]["error"]["code"] == "stream_interrupted"
    assert answer.body.count(b"[DONE]") == 1
    assert len(world.upstreams.requests) == 1
    assert world.upstreams.closed == ["fleet"]
    assert world.counters.added[0].counts["failed"] == 1
    assert world.lines[0]["broken"] is True


async def test_usage_is_shown_only_to_those_who_asked() -> None:
    plain = await call(a_world(fleet=GOOD_STREAM), streaming())
    asked = await call(a_world(fleet=GOOD_STREAM), streaming(stream_options={"include_usage": True}))

    assert [e for e in plain.events if isinstance(e, dict) and "usage" in e] == []
    assert asked.events[-2]["usage"] == USAGE
    assert plain.events[-1] == asked.events[-1] == "[DONE]"


async def test_usage_beside_content_stays_with_it() -> None:
    steps = [sse(chunk("a", usage=USAGE)), sse(chunk("b", usage=USAGE)), sse(usage_chunk(), "[DONE]")]
    world = a_world(fleet=steps)
    answer = await call(world, streaming())
    assert answer.text == "ab"
    assert world.lines[0]["completion_tokens"] == 3


async def test_usage_at_the_end_completes_a_stream_without_an_end_mark() -> None:
    world = a_world(fleet=[sse(chunk("a")), sse(usage_chunk())])
    answer = await call(world, streaming())
    assert answer.events[-1] == "[DONE]"
    assert world.lines[0]["broken"] is False


async def test_generated_text_that_looks_like_marks_passes_unchanged() -> None:
    text = 'say "error" and "usage":{"x":1} and [DONE] and data: and "model":"support-llama"'
    answer = await call(a_world(fleet=[sse(chunk(text)), sse("[DONE]")]), streaming())
    assert answer.text == text


@pytest.mark.parametrize("spaced", [False, True])
async def test_every_chunk_carries_the_deployments_name(spaced: bool) -> None:
    steps = [sse(chunk("a", model="meta/x-1")), sse(chunk("b", model="meta/x-1"), usage_chunk("meta/x-1"), "[DONE]")]
    if spaced:
        steps = [step.replace(b'"model":', b'"model": ') for step in steps]
    answer = await call(a_world(fleet=steps), streaming(stream_options={"include_usage": True}))
    assert {event["model"] for event in answer.events if isinstance(event, dict)} == {"support-llama"}


async def test_a_whole_answer_under_its_own_name_passes_byte_by_byte() -> None:
    raw = completion()
    assert (await call(a_world(fleet=[raw]))).body == raw


async def test_the_request_is_metered_before_the_answer_ends() -> None:
    world = a_world(fleet=GOOD_STREAM)
    counted_before_the_end: list[int] = []

    def watch(message: dict[str, Any], _gone: asyncio.Event) -> None:
        if message["type"] == "http.response.body" and not message["more_body"]:
            counted_before_the_end.append(len(world.counters.added))

    await call(world, streaming(), on_send=watch)

    assert counted_before_the_end == [1]


async def test_metering() -> None:
    world = a_world(fleet=GOOD_STREAM)
    world.clock.moment += 0.25

    await call(world, streaming())

    bucket, counts, moment = world.counters.added[0]
    hour = int(datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp()) // 3600
    assert bucket == UsageBucket("support-llama", hour, "primary", "fleet", "key_1")
    assert counts == {
        "requests": 1,
        "prompt_tokens": 7,
        "cached_tokens": 2,
        "completion_tokens": 3,
        "reason_ready": 1,
    }
    assert moment == int(world.clock.now().timestamp())
    minute = TrafficMinute("support-llama", moment // 60)
    assert world.traffic.added == [(minute, {"requests": 1, "primary_requests": 1, "primary_tokens": 10})]
    line = world.lines[0]
    assert (line["deployment"], line["failed"]) == ("support-llama", False)
    assert line["first_token_ms"] == line["duration_ms"] == 0.0
    assert (line["key_id"], line["target"], line["role"], line["status"]) == ("key_1", "fleet", "primary", 200)
    assert "hel" not in json.dumps(line)


async def test_spilled_tokens_are_counted_by_kind() -> None:
    world = a_world(fleet=BROKEN, bedrock=[completion()])
    await call(world)
    assert world.traffic.counts == [{"requests": 1, "bedrock_prompt_tokens": 7, "bedrock_completion_tokens": 3}]
    assert world.lines[0]["role"] == "spill"


@pytest.mark.parametrize("down", ["counters", "traffic"])
async def test_a_count_that_a_table_does_not_take_is_in_the_log_and_keeps_the_other(down: str) -> None:
    world = a_world(fleet=GOOD_STREAM)
    getattr(world, down).down = True
    await call(world, streaming())
    (lost,) = [line for line in world.lines if line["message"] == "usage not counted"]
    assert (lost["request_id"], lost["detail"]) == (world.lines[0]["request_id"], "down")
    assert len(world.counters.added) + len(world.traffic.added) == 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_no_line_of_a_stream_makes_a_client_send_its_request_again(path: str) -> None:
    """An event source that has seen ``id:`` or ``retry:`` reconnects by itself, and the same request is paid twice."""
    lines = b"id: 7\r\nretry: 100\r\n"
    delta = {"type": "response.output_text.delta", "delta": "a", **chunk("a")}
    end = {"type": "response.completed", "response": {"model": "support-llama", "usage": USAGE}, **usage_chunk()}
    world = a_world(fleet=[lines + sse(delta), lines + sse(delta), lines + sse(end), lines + sse("[DONE]")])
    body = streaming(input="hi") if path == "/v1/responses" else streaming()
    answer = await call(world, body, path=path)
    assert answer.status == 200
    assert answer.body.count(b'"delta"') == 4
    assert not [line for line in answer.body.splitlines() if line.startswith((b"id:", b"retry:"))]


async def test_a_table_that_takes_no_usage_harms_no_answer() -> None:
    world = a_world(fleet=GOOD_STREAM)
    world.counters.down = True
    assert (await call(world, streaming())).text == "hello"
    assert world.lines[-1]["message"] == "usage not counted"


async def test_a_client_that_goes_away_in_mid_stream_closes_the_upstream_and_is_metered() -> None:
    world = a_world(fleet=[sse(chunk("a")), sse(chunk("b")), SILENCE], idle_seconds=60)

    messages = await hang_up(world, streaming(), after=3)

    assert world.upstreams.closed == ["fleet"]
    assert not any(message.get("more_body") is False for message in messages)
    line = world.lines[0]
    assert (line["status"], line["tokens_estimated"], line["completion_tokens"]) == (499, True, 2)
    assert line["prompt_tokens"] == len(json.dumps(streaming())) // 4 + 1
    assert world.counters.added[0].counts.get("failed") is None


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_goes_away_before_the_first_byte_closes_the_upstream(stream: bool) -> None:
    world = a_world(fleet=[SILENCE], bedrock=GOOD_STREAM, idle_seconds=60)

    messages = await hang_up(world, streaming(stream=stream), after=0)

    assert messages == []
    assert world.upstreams.closed == ["fleet"]
    line, sent = world.lines[0], len(json.dumps(streaming(stream=stream)))
    assert (line["status"], line["target"], line["tokens_estimated"]) == (499, "fleet", True)
    # The prompt went up; of an engine's answer, which ends with its connection, nothing is known to exist.
    assert (line["prompt_tokens"], line.get("completion_tokens", 0)) == (sent // 4 + 1, 0)
    assert world.counters.added[0].counts["prompt_tokens"] == sent // 4 + 1


async def test_a_client_that_goes_away_with_its_answer_complete_changes_nothing() -> None:
    world = a_world(fleet=GOOD_STREAM)
    messages = await hang_up(world, streaming(), after=4)
    assert messages[-1]["more_body"] is False
    assert world.lines[0]["status"] == 200


async def test_a_client_that_goes_away_while_it_sends_its_body_gets_no_answer() -> None:
    world, sent = a_world(fleet=GOOD_STREAM), []
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-amzn-request-context", json.dumps(CONTEXT).encode())]
    await world.gateway(
        {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}, receive, send
    )
    assert (sent, world.lines) == ([], [])
