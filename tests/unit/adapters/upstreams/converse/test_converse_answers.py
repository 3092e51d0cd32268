"""The end of an answer by Converse follows from its content: the same whole, streamed, and as a response."""

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.adapters.upstreams.converse.stop_sequences import StopCutter
from spillway.domain.capabilities.deployment_cards import bedrock_card
from spillway.domain.decision import Code
from spillway.domain.paths.targets import BedrockTarget
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.upstream import UpstreamRequest
from tests.sandbox import eventstream
from tests.sandbox.bedrock import Ending
from tests.unit.adapters.upstreams.test_on_bedrock import on
from tests.unit.gateway.doubles import call
from tests.unit.gateway.servers import Played, a_request, read, upstreams_to

# Streams tools, takes no stop sequences.
QWEN = BedrockTarget("qwen.qwen3-32b-v1:0", "converse")
LLAMA = BedrockTarget("us.meta.llama3-1-8b-instruct-v1:0", "converse")
USAGE = {"inputTokens": 10, "outputTokens": 4, "totalTokens": 14}
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("add", "mul")]


def use(name: str = "add", arguments: Any = None) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": f"t-{name}", "name": name, "input": {"a": 1} if arguments is None else arguments}}


def whole(blocks: list[dict[str, Any]], stop: str) -> Played:
    output = {"message": {"role": "assistant", "content": blocks}}
    return Played([json.dumps({"output": output, "stopReason": stop, "usage": USAGE}).encode()])


def event(kind: str, **fields: Any) -> bytes:
    return eventstream.event(kind, json.dumps(fields).encode())


def streamed(blocks: list[dict[str, Any]], stop: str) -> Played:
    """Return the blocks as Bedrock streams them, texts letter by letter; a call without arguments has no delta."""
    wire = [event("messageStart", role="assistant")]
    for index, block in enumerate(blocks):
        deltas: list[dict[str, Any]] = [{"text": letter} for letter in block.get("text", "")]
        if called := block.get("toolUse"):
            head = {"toolUse": {name: called[name] for name in ("toolUseId", "name")}}
            wire.append(event("contentBlockStart", contentBlockIndex=index, start=head))
            written = called["input"] if isinstance(called["input"], str) else json.dumps(called["input"])
            deltas = [{"toolUse": {"input": letter}} for letter in written if called["input"]]
        wire += [event("contentBlockDelta", contentBlockIndex=index, delta=delta) for delta in deltas]
        wire.append(event("contentBlockStop", contentBlockIndex=index))
    return Played([*wire, event("messageStop", stopReason=stop), event("metadata", usage=USAGE)])


@dataclass(frozen=True)
class Told:
    """What a client understands of an answer."""

    text: str
    calls: tuple[tuple[str, str], ...]
    finish: str


def told_whole(raw: bytes) -> Told:
    choice = json.loads(raw)["choices"][0]
    functions = [each["function"] for each in choice["message"].get("tool_calls", [])]
    functions += [choice["message"]["function_call"]] if "function_call" in choice["message"] else []
    calls = tuple((each["name"], json.dumps(json.loads(each["arguments"]))) for each in functions)
    return Told(choice["message"]["content"] or "", calls, choice["finish_reason"])


def chunks_in(raw: bytes) -> list[dict[str, Any]]:
    data = [part.removeprefix("data: ") for part in raw.decode().split("\n\n") if part]
    assert data[-1] == "[DONE]"
    return [json.loads(each) for each in data[:-1]]


def told_streamed(raw: bytes) -> Told:
    choices = [choice for chunk in chunks_in(raw) for choice in chunk["choices"]]
    functions: dict[int, dict[str, str]] = {}
    for choice in choices:
        delta = choice["delta"]
        pieces = delta.get("tool_calls", []) + (
            [{"index": 0, "function": delta["function_call"]}] if "function_call" in delta else []
        )
        for piece in pieces:
            function = functions.setdefault(piece["index"], {"name": "", "arguments": ""})
            for name, value in piece["function"].items():
                function[name] += value
    calls = tuple((each["name"], json.dumps(json.loads(each["arguments"]))) for each in functions.values())
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    (finish,) = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    return Told(text, calls, finish)


async def told(blocks: list[dict[str, Any]], ending: str, /, **fields: Any) -> Told:
    """Return what a client is told, after seeing that it is the same whole and streamed."""
    async with upstreams_to(whole(blocks, ending)) as (upstreams, _):
        (body,) = await read(upstreams, QWEN, a_request(**fields))
    async with upstreams_to(streamed(blocks, ending)) as (upstreams, _):
        events = b"".join(await read(upstreams, QWEN, a_request(stream=True, **fields)))
    assert told_whole(body) == told_streamed(events)
    return told_whole(body)


CALLED = (("add", '{"a": 1}'),)


@pytest.mark.parametrize(
    ("blocks", "stop", "expected"),
    [
        ([{"text": "so"}], "end_turn", Told("so", (), "stop")),
        ([{"text": "so"}], "tool_use", Told("so", (), "stop")),
        ([], "end_turn", Told("", (), "stop")),
        ([{"text": "so"}], "max_tokens", Told("so", (), "length")),
        ([use()], "tool_use", Told("", CALLED, "tool_calls")),
        ([use()], "end_turn", Told("", CALLED, "tool_calls")),
        ([use()], "stop_sequence", Told("", CALLED, "tool_calls")),
        ([{"text": "so"}, use(), use("mul", {})], "tool_use", Told("so", (*CALLED, ("mul", "{}")), "tool_calls")),
        ([use("mul", {})], "tool_use", Told("", (("mul", "{}"),), "tool_calls")),
        ([use(), {"text": "so"}], "end_turn", Told("so", CALLED, "tool_calls")),
    ],
)
async def test_calls_and_nothing_else_make_an_end_tool_calls(
    blocks: list[dict[str, Any]], stop: str, expected: Told
) -> None:
    assert await told(blocks, stop, tools=TOOLS) == expected


async def test_no_more_calls_than_may_be() -> None:
    both = [{"text": "so"}, use(), use("mul")]
    assert await told(both, "tool_use", tools=TOOLS, parallel_tool_calls=False) == Told("so", CALLED, "tool_calls")
    talk = [
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "tool_calls": [{"id": "t1", "function": {"name": "add", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "t1", "content": "2"},
    ]
    assert await told(both, "tool_use", messages=talk, tools=TOOLS, tool_choice="none") == Told("so", (), "stop")
    assert await told([use()], "tool_use", messages=talk) == Told("", (), "stop")


async def test_functions_get_a_function_call() -> None:
    functions = [{"name": "add"}, {"name": "mul"}]
    assert await told([use(), use("mul")], "tool_use", functions=functions) == Told("", CALLED, "function_call")


MALFORMED = [
    ([use(arguments="[1]")], "tool_use"),
    ([use(arguments='"x"')], "tool_use"),
    ([use("")], "tool_use"),
    ([{"text": ""}], "malformed_tool_use"),
    ([], "malformed_model_output"),
]


@pytest.mark.parametrize(("blocks", "stop"), [*MALFORMED, ([{"text": "so"}], "malformed_model_output")])
async def test_malformed_output_is_a_failure_and_no_stop(blocks: list[dict[str, Any]], stop: str) -> None:
    for answer, stream in ((whole(blocks, stop), False), (streamed(blocks, stop), True)):
        async with upstreams_to(answer) as (upstreams, _):
            with pytest.raises(UpstreamUnavailable, match="malformed") as failed:
                await read(upstreams, QWEN, a_request(stream=stream, tools=TOOLS))
        assert failed.value.code == Code.PRIMARY_FAILED


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
PLEASE_ADD = {
    "model": "support-llama",
    "messages": [{"role": "user", "content": "please add"}],
    "tools": [{"type": "function", "function": {"name": "add", "parameters": SCHEMA}}],
}


async def test_what_was_said_before_a_failure_is_passed_on_though_one_read_brings_both() -> None:
    both = streamed([{"text": "so"}], "malformed_model_output").parts
    broken = [*both[:3], eventstream.exception("throttlingException", {"message": "too fast"})]
    for parts in (both, broken):
        async with upstreams_to(Played([b"".join(parts)])) as (upstreams, _):
            stream = await upstreams.open(QWEN, a_request(stream=True), 1.0)
            blocks = aiter(stream.blocks)
            said = await anext(blocks)
            with pytest.raises(UpstreamUnavailable):
                await anext(blocks)
            await stream.close()
        assert [json.loads(each[6:])["choices"][0]["delta"]["content"] for each in said.split(b"\n\n") if each] == [
            "s",
            "o",
        ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("ending", ["malformed_tool_use", "malformed_model_output"])
async def test_malformed_output_goes_to_the_next_target_before_the_first_byte(stream: bool, ending: str) -> None:
    # Llama answers a request with tools as a whole, so it is known before anything of it is sent.
    async with on(LLAMA, spill=QWEN) as (world, runtime):
        runtime.endings[LLAMA.model_id] = [Ending(ending)]
        said = await call(world, PLEASE_ADD | {"stream": stream})
        assert runtime.endings[LLAMA.model_id] == []
    assert (said.status, said.headers["x-spillway-reason"]) == (200, "primary_failed")
    assert (told_streamed if stream else told_whole)(said.body) == Told("", CALLED, "tool_calls")


async def test_arguments_that_the_clients_own_limit_cut_are_told_as_cut() -> None:
    async with upstreams_to(streamed([use(arguments='{"a": ')], "max_tokens")) as (upstreams, _):
        events = chunks_in(b"".join(await read(upstreams, QWEN, a_request(stream=True, tools=TOOLS, max_tokens=3))))
    assert events[-2]["choices"][0]["finish_reason"] == "length"


async def test_a_call_that_was_demanded_comes_or_the_answer_is_a_failure() -> None:
    for stream in (False, True):
        async with upstreams_to(whole([{"text": "I'd rather not"}], "end_turn")) as (upstreams, fake):
            with pytest.raises(UpstreamUnavailable, match="called no tool"):
                await read(upstreams, LLAMA, a_request(stream=stream, tools=TOOLS, tool_choice="required"))
        assert fake.seen[0].path.endswith("/converse")
    async with upstreams_to(whole([{"text": "I"}], "max_tokens")) as (upstreams, _):
        (body,) = await read(upstreams, LLAMA, a_request(tools=TOOLS, tool_choice="required", max_tokens=1))
    assert told_whole(body).finish == "length"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_is_made_up_where_the_model_cannot_be_made_to_call_or_it_is_a_failure(stream: bool) -> None:
    card = bedrock_card(LLAMA.model_id, "converse")
    demanding = PLEASE_ADD | {"tool_choice": "required", "stream": stream}
    idle = demanding | {"messages": [{"role": "user", "content": "hello"}]}
    async with on(LLAMA, primary_card=card) as (world, runtime):
        called, silent = await call(world, demanding), await call(world, idle)
    assert (called.status, silent.status, silent.error["code"]) == (200, 503, "primary_failed")
    assert (told_streamed if stream else told_whole)(called.body) == Told("", CALLED, "tool_calls")
    assert runtime.use[LLAMA.model_id].requests == 2


# ---- Stop sequences --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stop", "left"),
    [
        ("one END two", "END", "one "),
        ("ENEND", "END", "EN"),
        ("no end", "END", "no end"),
        ("almost EN", "END", "almost EN"),
        ("END", "END", ""),
        ("a\n\nb", ["\n\n", "b"], "a"),
        ("abcd", ["bcd", "abc"], ""),
        ("aab", ["ab"], "a"),
    ],
)
async def test_an_answer_is_cut_at_a_stop_sequence_that_the_model_does_not_take(
    text: str, stop: Any, left: str
) -> None:
    assert await told([{"text": text}], "end_turn", stop=stop) == Told(left, (), "stop")


async def test_what_would_come_after_a_stop_sequence_does_not_come() -> None:
    assert await told([{"text": "so END"}, use()], "tool_use", stop="END", tools=TOOLS) == Told("so ", (), "stop")
    assert await told([{"text": "so EN"}, use()], "tool_use", stop="END", tools=TOOLS) == Told(
        "so EN", CALLED, "tool_calls"
    )
    assert await told([use(), {"text": "so END two"}, use("mul")], "tool_use", stop="END", tools=TOOLS) == Told(
        "so ", CALLED, "tool_calls"
    )
    assert await told([{"text": "EN"}, use(), {"text": "D"}], "end_turn", stop="END", tools=TOOLS) == Told(
        "END", CALLED, "tool_calls"
    )
    assert await told([{"text": "so EN"}], "max_tokens", stop="END") == Told("so EN", (), "length")


async def test_a_stream_that_is_cut_is_hung_up_on() -> None:
    said = list(streamed([{"text": "one END two"}], "end_turn").parts[: 1 + len("one END")])
    endless = Played(said, ending="silence")
    async with upstreams_to(endless) as (upstreams, fake):
        events = b"".join(await read(upstreams, QWEN, a_request(stream=True, stop="END")))
        await fake.hung_up.wait()
    assert told_streamed(events) == Told("one ", (), "stop")


@given(
    text=st.text("abc", max_size=30),
    stop=st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 30), max_size=6),
)
def test_wherever_a_text_is_split_it_is_cut_at_the_same_place(text: str, stop: list[str], cuts: list[int]) -> None:
    cutter, passed = StopCutter(stop), ""
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    for start, stop_at in pairwise(places):
        passed += cutter.cut(text[start:stop_at])
    passed += cutter.rest()
    # The first to be complete ends the answer, as it does on engines that look after every token.
    end = next((end for end in range(len(text)) if any(text[: end + 1].endswith(each) for each in stop)), None)
    if end is None:
        assert (passed, cutter.done) == (text, False)
    else:
        longest = max((each for each in stop if text[: end + 1].endswith(each)), key=len)
        assert (passed, cutter.done) == (text[: end + 1].removesuffix(longest), True)


# ---- As a response ---------------------------------------------------------------------------------------------------


def a_response(**fields: Any) -> UpstreamRequest:
    body = {"model": "support-llama", "input": "hi", **fields}
    return replace(a_request(), endpoint="responses", body=body, stream=bool(fields.get("stream")))


@pytest.mark.parametrize(
    ("blocks", "stop", "status", "kinds"),
    [
        ([{"text": "so"}], "end_turn", "completed", ["message"]),
        ([{"text": "so"}], "max_tokens", "incomplete", ["message"]),
        (
            [{"text": "so"}, use(), use("mul", {})],
            "end_turn",
            "completed",
            ["message", "function_call", "function_call"],
        ),
        ([use("mul", {})], "tool_use", "completed", ["function_call"]),
    ],
)
async def test_the_same_as_a_response(blocks: list[dict[str, Any]], stop: str, status: str, kinds: list[str]) -> None:
    tools = [{"type": "function", "name": name} for name in ("add", "mul")]
    async with upstreams_to(whole(blocks, stop)) as (upstreams, _):
        (body,) = await read(upstreams, QWEN, a_response(tools=tools))
    async with upstreams_to(streamed(blocks, stop)) as (upstreams, _):
        events = b"".join(await read(upstreams, QWEN, a_response(tools=tools, stream=True))).decode()
    at_once, last = json.loads(body), json.loads(events.strip().rpartition("data: ")[2])["response"]
    for response in (at_once, last):
        assert (response["status"], [item["type"] for item in response["output"]]) == (status, kinds)
        arguments = [json.loads(item["arguments"]) for item in response["output"] if item["type"] == "function_call"]
        assert arguments == [block["toolUse"]["input"] for block in blocks if "toolUse" in block]


@pytest.mark.parametrize(
    "ending", [Ending("malformed_tool_use"), Ending("malformed_model_output"), Ending(broken=True)]
)
async def test_a_malformed_stream_ends_with_an_error_for_chat_and_responses(ending: Ending) -> None:
    async with on(QWEN) as (world, runtime):
        runtime.endings[QWEN.model_id] = [ending, ending]
        chat = await call(world, PLEASE_ADD | {"stream": True})
        tools = [{"type": "function", "name": "add", "parameters": SCHEMA}]
        body = {"model": "support-llama", "input": "please add", "tools": tools, "stream": True}
        response = await call(world, body, path="/v1/responses")
    assert b"stream_interrupted" in chat.body
    assert b'"finish_reason":"' not in chat.body
    assert response.body.decode().rstrip().rpartition("\n\n")[2].startswith("event: error\n")
    assert [line["broken"] for line in world.lines] == [True, True]
