"""What a model thought has one name for the client, whatever the engine calls it."""

import json
from typing import Any

import pytest

from spillway.gateway.streaming.reasoning import renamed_events
from spillway.gateway.streaming.rewriting import StreamRewriter, rewrite_answer
from spillway.gateway.upstream import UpstreamRequest
from tests.unit.gateway.doubles import sse

REQUEST = UpstreamRequest("m", "chat/completions", {}, True, False, "r", 0)


def rewritten(block: bytes) -> bytes:
    return StreamRewriter(REQUEST, {"model": "m"}).rewrite(block)


def deltas(wire: bytes) -> list[Any]:
    events = [json.loads(event[6:]) for event in wire.decode().split("\n\n") if event.startswith("data: ")]
    return [choice["delta"] for event in events for choice in event["choices"]]


def chunk(*said: dict[str, Any]) -> bytes:
    choices = [{"index": index, "delta": delta} for index, delta in enumerate(said)]
    return sse({"model": "m", "choices": choices})


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"reasoning_content": "hm"}, {"reasoning": "hm"}),
        ({"content": None, "reasoning_content": "hm"}, {"content": None, "reasoning": "hm"}),
        ({"reasoning": "hm", "reasoning_content": "hm"}, {"reasoning": "hm"}),
        ({"reasoning": None, "reasoning_content": "hm"}, {"reasoning": "hm"}),
        ({"content": "a", "reasoning_content": None}, {"content": "a", "reasoning": None}),
    ],
)
def test_the_older_name_becomes_the_newer_streamed_and_whole(said: dict[str, Any], seen: dict[str, Any]) -> None:
    assert deltas(rewritten(chunk({"content": "x"}) + chunk(said, said))) == [{"content": "x"}, seen, seen]
    answer = {"model": "m", "choices": [{"index": 0, "message": said}]}
    body = json.loads(rewrite_answer(json.dumps(answer).encode(), answer, "m"))
    assert body == {"model": "m", "choices": [{"index": 0, "message": seen}]}


@pytest.mark.parametrize(
    "delta", [{"reasoning": "hm"}, {"content": "x"}, {"content": '{"reasoning_content": "said, not thought"}'}]
)
def test_what_has_the_name_already_passes_as_it_came(delta: dict[str, Any]) -> None:
    block = chunk(delta)
    assert renamed_events(block) is block
    assert rewritten(block) == block
    answer = {"model": "m", "choices": [{"index": 0, "message": delta}]}
    body = json.dumps(answer).encode()
    assert rewrite_answer(body, answer, "m") is body


@pytest.mark.parametrize(
    "odd", [{"choices": None}, {"choices": [None, {"delta": "x"}]}, {"choices": [{"reasoning_content": "y"}]}]
)
def test_what_is_no_answer_of_ours_to_judge_stays_what_it_was(odd: dict[str, Any]) -> None:
    event = {**odd, "note": {"reasoning_content": "z"}}
    assert json.loads(renamed_events(sse(event)).removeprefix(b"data: ")) == event
    assert renamed_events(b'data: {"reasoning_content": \n\n') == b'data: {"reasoning_content": \n\n'
