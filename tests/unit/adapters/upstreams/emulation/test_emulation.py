"""What the gateway makes up for targets that lack it, over a target that gives one whole or streamed answer each."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from spillway.adapters.upstreams.emulation.emulate import open_emulated
from spillway.adapters.upstreams.emulation.together import open_prompts
from spillway.domain.capabilities.card import Ability
from spillway.domain.capabilities.demand import demand_of
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.upstream import Endpoint, UpstreamRequest, UpstreamStream
from tests.unit.gateway.doubles import USAGE, chunk, completion, sse, usage_chunk

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def asking(*emulated: Ability, endpoint: Endpoint = "chat/completions", **body: Any) -> UpstreamRequest:
    body = {"messages": [{"role": "user", "content": "hi"}], **body}
    stream = bool(body.get("stream"))
    demand = demand_of(endpoint, body, 100, stream=stream)
    return UpstreamRequest("m", endpoint, body, stream, False, "r1", 100, demand=demand, emulated=frozenset(emulated))


@dataclass
class OneAtATime:
    """Plays one script a request, in order: blocks and errors inside it, or an error alone, which ``open`` raises."""

    scripts: list[Sequence[bytes | Exception] | Exception]
    seen: list[UpstreamRequest] = field(default_factory=list)
    closed: int = 0

    async def open(self, request: UpstreamRequest) -> UpstreamStream:
        script = self.scripts[len(self.seen)]
        self.seen.append(request)
        await asyncio.sleep(0)
        if isinstance(script, Exception):
            raise script
        return UpstreamStream(self._blocks(script), self._close)

    async def _blocks(self, script: Sequence[bytes | Exception]) -> AsyncIterator[bytes]:
        for step in script:
            await asyncio.sleep(0)
            if isinstance(step, Exception):
                raise step
            yield step

    async def _close(self) -> None:
        self.closed += 1


async def answered(target: OneAtATime, request: UpstreamRequest) -> bytes:
    stream = await open_emulated(target.open, request)
    try:
        return b"".join([block async for block in stream.blocks])
    finally:
        await stream.close()


def events_of(wire: bytes) -> list[Any]:
    data = [event.removeprefix("data: ") for event in wire.decode().split("\n\n") if event]
    assert data[-1] == "[DONE]"
    return [json.loads(each) for each in data[:-1]]


def said(events: list[Any]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for event in events:
        for choice in event["choices"]:
            texts[choice["index"]] = texts.get(choice["index"], "") + (choice["delta"].get("content") or "")
    return texts


async def test_choices_are_requests_of_their_own_whose_usage_adds_up() -> None:
    target = OneAtATime([[completion("a")], [completion("b")], [completion("c")]])
    answer = json.loads(await answered(target, asking(Ability.CHOICES, n=3, seed=7, temperature=1)))
    assert [(c["index"], c["message"]["content"]) for c in answer["choices"]] == [(0, "a"), (1, "b"), (2, "c")]
    assert answer["usage"] == {
        "prompt_tokens": 21,
        "completion_tokens": 9,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 6},
    }
    assert [(request.body.get("n"), request.body["seed"]) for request in target.seen] == [
        (None, 7),
        (None, 8),
        (None, 9),
    ]
    assert target.closed == 3


async def test_streamed_choices_come_as_one_stream_with_one_head_and_one_usage() -> None:
    def played(text: str, name: str) -> list[bytes | Exception]:
        parts = [chunk(each) | {"id": name} for each in text]
        return [*(sse(part) for part in parts), sse(usage_chunk() | {"id": name}, "[DONE]")]

    target = OneAtATime([played("abc", "first"), played("xy", "second")])
    events = events_of(await answered(target, asking(Ability.CHOICES, n=2, stream=True)))
    assert said(events) == {0: "abc", 1: "xy"}
    assert {event["id"] for event in events} == {"first"}
    assert [event["usage"]["completion_tokens"] for event in events if "usage" in event] == [6]
    # They come side by side, not one after the other.
    assert [event["choices"][0]["index"] for event in events[:2]] == [0, 1]


async def test_a_choice_that_does_not_begin_takes_the_others_along() -> None:
    target = OneAtATime([[completion()], UpstreamRejected(400, "no"), [completion()]])
    with pytest.raises(UpstreamRejected, match="no"):
        await answered(target, asking(Ability.CHOICES, n=3))
    assert target.closed == len(target.seen) - 1


@pytest.mark.parametrize(
    "broken",
    [
        [sse(chunk("x")), UpstreamUnavailable(Code.PRIMARY_FAILED, "broke off")],
        [sse(chunk("x"))],
        [RuntimeError("odd")],
    ],
)
async def test_a_choice_that_breaks_off_breaks_the_stream(broken: list[bytes | Exception]) -> None:
    target = OneAtATime([[sse(chunk("x"), usage_chunk(), "[DONE]")], broken])
    with pytest.raises((UpstreamUnavailable, RuntimeError)):
        await answered(target, asking(Ability.CHOICES, n=2, stream=True))
    assert target.closed == 2


async def test_an_answer_under_status_200_that_is_none_is_the_gates_to_judge() -> None:
    target = OneAtATime([[completion()], [b'{"error": {"code": 503}}']])
    assert json.loads(await answered(target, asking(Ability.CHOICES, n=2))) == {"error": {"code": 503}}
    error = sse({"error": {"message": "dead", "code": 500}}, "[DONE]")
    target = OneAtATime([[error], [error]])
    assert events_of(await answered(target, asking(Ability.CHOICES, n=2, stream=True)))[0]["error"]["code"] == 500


async def test_prompts_are_requests_of_their_own_whose_choices_are_numbered_through() -> None:
    def texts(*answers: str) -> bytes:
        choices = [{"index": index, "text": text, "finish_reason": "stop"} for index, text in enumerate(answers)]
        return json.dumps({"id": "c", "choices": choices, "usage": USAGE}).encode()

    target = OneAtATime([[texts("a1", "a2")], [texts("b1", "b2")]])
    request = asking(Ability.PROMPTS, endpoint="completions", prompt=["a", "b"], n=2)
    stream = await open_prompts(target.open, request)
    answer = json.loads(b"".join([block async for block in stream.blocks]))
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [
        (0, "a1"),
        (1, "a2"),
        (2, "b1"),
        (3, "b2"),
    ]
    assert [request.body["prompt"] for request in target.seen] == ["a", "b"]


JSON_MODE: dict[str, Any] = {"response_format": {"type": "json_object"}}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        ' \n{"a": 1}\n',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}```',
        '<reasoning>{no}</reasoning>{"a": 1}',
        '<think>\nhm </think>\n\n{"a": 1}',
    ],
)
async def test_an_answer_that_holds_nothing_but_an_object_is_that_object(text: str) -> None:
    target = OneAtATime([[completion(text)]])
    answer = json.loads(await answered(target, asking(Ability.JSON_OBJECT, **JSON_MODE)))
    assert answer["choices"][0]["message"]["content"] == '{"a": 1}'
    asked = target.seen[0].body
    assert "response_format" not in asked
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


async def test_the_instruction_joins_the_system_message_that_is_there() -> None:
    target = OneAtATime([[completion("{}")]])
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    await answered(target, asking(Ability.JSON_OBJECT, messages=messages, **JSON_MODE))
    system, user = target.seen[0].body["messages"]
    assert system["content"].startswith("Be kind.\n\nAnswer with one JSON object")
    assert user == messages[1]
    assert messages[0]["content"] == "Be kind."


@pytest.mark.parametrize("text", ["Sure! Here it is.", "[1]", '{"a": ', "", '{"a": 1} I hope this helps'])
async def test_what_is_no_object_is_asked_for_once_more_and_paid_for_twice(text: str) -> None:
    target = OneAtATime([[completion(text)], [completion("{}")]])
    answer = json.loads(await answered(target, asking(Ability.JSON_OBJECT, **JSON_MODE)))
    assert answer["choices"][0]["message"]["content"] == "{}"
    assert answer["usage"]["total_tokens"] == 2 * USAGE_TOTAL
    assert target.closed == 2


USAGE_TOTAL = 10


async def test_a_model_that_writes_no_object_twice_has_failed() -> None:
    target = OneAtATime([[completion("no")], [completion("no")]])
    with pytest.raises(UpstreamUnavailable, match="no JSON object in 2 answers"):
        await answered(target, asking(Ability.JSON_OBJECT, **JSON_MODE))


@pytest.mark.parametrize("change", [{"finish_reason": "length"}, {"message": {"content": "Hm", "tool_calls": [CALL]}}])
async def test_what_a_format_would_have_left_as_it_is_stays(change: dict[str, Any]) -> None:
    cut = json.loads(completion('{"a": '))
    cut["choices"][0] |= change
    target = OneAtATime([[json.dumps(cut).encode()]])
    answer = json.loads(await answered(target, asking(Ability.JSON_OBJECT, **JSON_MODE)))
    assert answer["choices"][0]["message"]["content"] in ('{"a": ', "Hm")


async def test_an_object_is_streamed_once_it_was_checked() -> None:
    target = OneAtATime([[completion("no")], [completion('{"a": 1}')]])
    events = events_of(await answered(target, asking(Ability.JSON_OBJECT, stream=True, **JSON_MODE)))
    assert said(events) == {0: '{"a": 1}'}
    assert events[-1]["usage"]["total_tokens"] == 2 * USAGE_TOTAL
    assert [(request.stream, "stream" in request.body) for request in target.seen] == [(False, False)] * 2


async def test_choices_that_are_objects_are_each_checked() -> None:
    target = OneAtATime([[completion('{"a": 1}')], [completion('{"b": 2}')]])
    request = asking(Ability.CHOICES, Ability.JSON_OBJECT, n=2, stream=True, **JSON_MODE)
    assert said(events_of(await answered(target, request))) == {0: '{"a": 1}', 1: '{"b": 2}'}


async def test_calls_that_a_target_does_not_stream_are_played_back() -> None:
    answer = json.loads(completion(""))
    message = {"role": "assistant", "content": None, "tool_calls": [CALL, CALL | {"id": "c2"}]}
    answer["choices"][0] |= {"message": message, "finish_reason": "tool_calls"}
    target = OneAtATime([[json.dumps(answer).encode()]])
    events = events_of(await answered(target, asking(Ability.STREAMED_TOOLS, stream=True, tools=[{}])))
    calls = events[0]["choices"][0]["delta"]["tool_calls"]
    assert [(call["index"], call["id"], call["function"]) for call in calls] == [
        (0, "c1", CALL["function"]),
        (1, "c2", CALL["function"]),
    ]
    assert events[1]["choices"][0]["finish_reason"] == "tool_calls"
    assert events[2]["usage"] == USAGE
    assert target.seen[0].stream is False


async def test_an_error_that_comes_whole_is_an_event_of_the_stream() -> None:
    target = OneAtATime([[b'{"error": {"code": 503}}']])
    stream = await open_emulated(target.open, asking(Ability.STREAMED_TOOLS, stream=True))
    assert [block async for block in stream.blocks] == [b'data: {"error": {"code": 503}}\n\n']


async def test_what_lacks_nothing_goes_as_it_is() -> None:
    target, request = OneAtATime([[completion()]]), asking(temperature=1)
    assert await answered(target, request) == completion()
    assert target.seen == [replace(request)]
