"""Prompts and answers, logged where a deployment has it switched on and nowhere else."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spillway.domain.decision import Code
from spillway.domain.routing.route import Route
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.metering.text_log import MOST_TEXT_BYTES, TextLog
from spillway.gateway.request.exchange import MOST_WIRE_BYTES
from spillway.gateway.streaming.transcript import transcript
from tests.builders import a_route
from tests.unit.gateway.doubles import (
    BODY,
    GOOD_STREAM,
    SILENCE,
    FakeClock,
    FakeSink,
    World,
    a_world,
    call,
    chunk,
    completion,
    sse,
    streaming,
)

SECRET = "sk-spillway-of-the-caller"
BEARER = [(b"authorization", f"Bearer {SECRET}".encode())]


def logging(**changes: Any) -> Route:
    return replace(a_route(), logs_text=True, spill=None, **changes)


async def test_without_the_switch_no_text_is_logged_anywhere() -> None:
    world = a_world(fleet=[completion("an answer")])
    body = {**BODY, "messages": [{"role": "user", "content": "a prompt"}]}
    await call(world, body)
    assert world.sink.texts == []
    assert "a prompt" not in json.dumps(world.lines)
    assert "an answer" not in json.dumps(world.lines)


async def test_with_it_a_whole_answer_and_its_request_are_logged_apart() -> None:
    world = a_world(logging(), fleet=[completion("an answer")])
    body = {**BODY, "messages": [{"role": "user", "content": "a prompt"}], "user": "u-1"}
    await call(world, body, headers=BEARER)
    (text,) = world.sink.texts
    assert json.loads(text.pop("request")) == body
    assert json.loads(text.pop("answer"))["choices"][0]["message"]["content"] == "an answer"
    assert text == {
        "at": world.clock.now().isoformat(),
        "request_id": "req-1",
        "deployment": "support-llama",
        "key_id": "key_1",
        "endpoint": "chat/completions",
        "target": "fleet",
        "status": 200,
        "cut": False,
    }
    assert SECRET not in json.dumps(world.sink.texts)
    assert "a prompt" not in json.dumps(world.lines)


async def test_a_stream_is_logged_as_what_it_said() -> None:
    world = a_world(logging(), fleet=GOOD_STREAM)
    await call(world, streaming())
    (text,) = world.sink.texts
    assert json.loads(text["answer"]) == [{"kind": "content", "index": 0, "text": "hello"}]


async def test_a_client_that_hung_up_and_a_failure_are_logged_with_what_there_was() -> None:
    world = a_world(logging(), fleet=[sse(chunk("hel")), SILENCE])
    await call(
        world, streaming(), on_send=lambda message, gone: gone.set() if b"hel" in message.get("body", b"") else None
    )
    failing = a_world(logging(), fleet=UpstreamUnavailable(Code.PRIMARY_FAILED, "boom"))
    await call(failing)
    assert [(each["status"], each["answer"]) for each in (*world.sink.texts, *failing.sink.texts)] == [
        (499, '[{"kind":"content","index":0,"text":"hel"}]'),
        (503, ""),
    ]


async def test_texts_are_cut_at_their_limits() -> None:
    long = "é" * MOST_TEXT_BYTES
    world = a_world(logging(), fleet=[completion(long)])
    await call(world, {**BODY, "messages": [{"role": "user", "content": long}]})
    (text,) = world.sink.texts
    assert text["cut"] is True
    assert MOST_TEXT_BYTES - 4 < len(text["request"].encode()) <= MOST_TEXT_BYTES
    assert MOST_TEXT_BYTES - 4 < len(text["answer"].encode()) <= MOST_TEXT_BYTES


async def test_of_a_very_long_stream_only_the_beginning_is_kept() -> None:
    block = sse(chunk("x" * 1000))
    world = a_world(logging(), fleet=[*[block] * (MOST_WIRE_BYTES // len(block) + 50), *GOOD_STREAM[2:]])
    answer = await call(world, streaming())
    (text,) = world.sink.texts
    assert len(answer.body) > MOST_WIRE_BYTES
    assert (text["cut"], len(text["answer"])) == (True, MOST_TEXT_BYTES)


async def test_a_log_that_is_away_or_stuck_costs_no_answer_and_what_it_lost_is_counted() -> None:
    for trouble in ("down", "stuck"):
        world = a_world(logging(), fleet=[completion("an answer")])
        setattr(world.sink, trouble, True)
        assert (await call(world)).status == 200
        (lost,) = lost_in(world)
        assert (lost["TextsNotLogged"], lost["Deployment"]) == (1, "support-llama")
        assert lost["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "TextsNotLogged", "Unit": "Count"}]
        assert "an answer" not in json.dumps(world.lines)


def lost_in(world: World) -> list[dict[str, Any]]:
    return [line for line in world.lines if line["message"] == "text not logged"]


async def test_a_server_writes_together_and_the_rest_when_it_ends() -> None:
    sink, clock, lines = FakeSink(), FakeClock(), list[Mapping[str, Any]]()
    world = a_world(logging(), fleet=[completion()])
    together = TextLog(sink, clock.now, lines.append, every_seconds=60)
    world.gateway = replace(world.gateway, completions=replace(world.gateway.completions, texts=together))
    for _ in range(5):
        await call(world)
    assert sink.put_together == []
    await together.close()
    assert [len(batch) for batch in sink.put_together] == [5]


async def test_what_waits_is_bounded_and_no_batch_outgrows_a_call() -> None:
    sink, clock, lines = FakeSink(), FakeClock(), list[Mapping[str, Any]]()
    world = a_world(logging(), fleet=[completion("x" * MOST_TEXT_BYTES)])
    together = TextLog(sink, clock.now, lines.append, every_seconds=60)
    world.gateway = replace(world.gateway, completions=replace(world.gateway.completions, texts=together))
    body = {**BODY, "messages": [{"role": "user", "content": "x" * MOST_TEXT_BYTES}]}
    await asyncio.gather(*(call(world, body) for _ in range(150)))
    await together.close()
    assert sum(len(batch) for batch in sink.put_together) + len(lines) == 150
    assert lines
    assert all(sum(len(json.dumps(text)) + 26 for text in batch) <= 1_048_576 for batch in sink.put_together)


def test_every_kind_of_piece_is_put_together() -> None:
    def said(*events: Any) -> Any:
        return json.loads(transcript(b": waiting\n\n" + sse(*events, "[DONE]")))

    def delta(index: int = 0, **fields: Any) -> dict[str, Any]:
        return {"choices": [{"index": index, "delta": fields}]}

    def tool(**function: str) -> dict[str, Any]:
        return delta(tool_calls=[{"index": 1, "function": function}])

    assert said(
        delta(role="assistant", reasoning_content="hm"),
        delta(content="a"),
        delta(1, content="b"),
        delta(content="c"),
        tool(name="f", arguments=""),
        tool(arguments='{"x"'),
        tool(arguments=":1}"),
        {"error": {"message": "broke"}},
    ) == [
        {"kind": "reasoning_content", "index": 0, "text": "hm"},
        {"kind": "content", "index": 0, "text": "a"},
        {"kind": "content", "index": 1, "text": "b"},
        {"kind": "content", "index": 0, "text": "c"},
        {"kind": "tool_calls.name", "index": 1, "text": "f"},
        {"kind": "tool_calls.arguments", "index": 1, "text": '{"x":1}'},
        {"kind": "error", "index": 0, "text": '{"message":"broke"}'},
    ]
    assert said({"choices": [{"index": 0, "text": "ab"}]}, {"choices": [{"index": 0, "text": "c"}]}) == [
        {"kind": "text", "index": 0, "text": "abc"}
    ]
    assert said(
        {"type": "response.output_text.delta", "output_index": 2, "delta": "a"}, {"type": "response.completed"}
    ) == [{"kind": "response.output_text", "index": 2, "text": "a"}]
