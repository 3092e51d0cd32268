"""Thoughts between tags in a text, told apart whole and in streams, wherever the pieces are cut."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from spillway.adapters.upstreams.thoughts_in_text import apart_in_answer, apart_in_stream

TEXTS = {
    "<reasoning>They greet.</reasoning>Hello!": ("They greet.", "Hello!"),
    "<reasoning>They greet.</reasoning>\n\nHello!": ("They greet.", "Hello!"),
    "\n<reasoning>1 < 2, 3 </4</reasoning>Yes.": ("1 < 2, 3 </4", "Yes."),
    "<reasoning>Cut by its limi": ("Cut by its limi", ""),
    "<reasoning>Cut inside its tag</reason": ("Cut inside its tag</reason", ""),
    "Hello!": ("", "Hello!"),
    "The tag <reasoning> is written so.": ("", "The tag <reasoning> is written so."),
    "<reason": ("", "<reason"),
    "": ("", ""),
}
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}


async def blocks_of(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


def event(body: Any) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def streamed(deltas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    chunks = [{"choices": [{"index": 0, "delta": each, "finish_reason": None}]} for each in deltas]
    sent = [event(each) for each in [*chunks, END]] + [b"data: [DONE]\n\n"]
    told = b"".join([block async for block in apart_in_stream(blocks_of(*sent))])
    *events, end = told.decode().split("\n\n")[:-1]
    assert end == "data: [DONE]"
    return [json.loads(each.removeprefix("data: "))["choices"][0] for each in events]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_a_stream_tells_thoughts_apart_wherever_it_is_cut(text: str, size: int) -> None:
    pieces = [{"content": text[start : start + size]} for start in range(0, len(text), size)]
    choices = await streamed([{"role": "assistant", "content": ""}, *pieces])
    assert choices[0]["delta"]["role"] == "assistant"
    assert choices[-1]["finish_reason"] == "stop"
    joined = ["".join(each["delta"].get(name) or "" for each in choices) for name in ("reasoning", "content")]
    assert tuple(joined) == TEXTS[text]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_whole_answer_tells_the_same(text: str) -> None:
    body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}], "usage": {}})
    (told,) = [block async for block in apart_in_answer(blocks_of(body.encode()))]
    message = json.loads(told)["choices"][0]["message"]
    assert (message.get("reasoning", ""), message["content"]) == TEXTS[text]


async def test_calls_come_through_with_and_without_thoughts() -> None:
    calls = {"tool_calls": [{"index": 0, **CALL}]}
    choices = await streamed([{"content": "<reasoning>Look.</reasoning>"}, calls])
    assert [each["delta"] for each in choices] == [{"reasoning": "Look."}, calls, {}]
    assert [each["delta"] for each in await streamed([calls])] == [calls, {}]
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    body = json.dumps({"choices": [{"index": 0, "message": message}]}).encode()
    (told,) = [block async for block in apart_in_answer(blocks_of(body))]
    assert json.loads(told)["choices"][0]["message"] == message


@pytest.mark.parametrize("body", [b'{"error": {"message": "no"}}', b"none"])
async def test_what_is_no_answer_passes_as_it_is(body: bytes) -> None:
    assert [block async for block in apart_in_answer(blocks_of(body))] == [body]
