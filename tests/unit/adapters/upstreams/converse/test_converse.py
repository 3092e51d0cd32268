"""OpenAI's chat form to Converse and back."""

import asyncio
import json
from typing import Any

import pytest

from spillway.adapters.upstreams.bedrock.learned_limits import Lessons
from spillway.adapters.upstreams.converse.request import converse_request
from spillway.domain.decision import Code
from spillway.domain.paths.converse_families import family_of
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.routing.route import RouteState
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from tests.builders import NOW, a_route
from tests.sandbox import eventstream
from tests.sandbox.converse_rules import check_converse
from tests.unit.gateway.doubles import GOOD_STREAM, a_world, call, streaming
from tests.unit.gateway.servers import Played, a_request, read, upstreams_to

TARGET = BedrockTarget("meta.llama3-1-8b-instruct-v1:0", "converse")
STRANGER = BedrockTarget("somebody.new-model-v1:0", "converse")
LLAMA, GLM = "us.meta.llama3-3-70b-instruct-v1:0", "zai.glm-5"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOOL = {"type": "function", "function": {"name": "add", "description": "adds", "parameters": {"type": "object"}}}
CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def translated(*messages: dict[str, Any], model: str = GLM, **fields: Any) -> dict[str, Any]:
    """Return the Converse request for a model, after the sandbox's Bedrock has taken it."""
    asked = converse_request(
        {"messages": list(messages) or [{"role": "user", "content": "hi"}], **fields}, Lessons(family_of(model))
    )
    check_converse(model, asked.body, streams=False)
    return asked.body


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_the_shortest_request() -> None:
    assert translated(user("hi")) == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def test_system_and_developer_messages_go_apart() -> None:
    body = translated({"role": "system", "content": "be brief"}, {"role": "developer", "content": "x"}, user("hi"))
    assert body["system"] == [{"text": "be brief"}, {"text": "x"}]
    assert len(body["messages"]) == 1


def test_neighbours_of_one_role_become_one_turn() -> None:
    body = translated(user("a"), user("b"), {"role": "assistant", "content": "c"}, user("d"))
    assert [(m["role"], [part["text"] for part in m["content"]]) for m in body["messages"]] == [
        ("user", ["a", "b"]),
        ("assistant", ["c"]),
        ("user", ["d"]),
    ]


def test_parts_images_and_empty_texts() -> None:
    body = translated(
        user([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PIXEL}}]),
        user(""),
        model="us.meta.llama4-scout-17b-instruct-v1:0",
    )
    assert body["messages"][0]["content"] == [
        {"text": "see"},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
    ]


def test_a_round_of_tool_use() -> None:
    body = translated(
        user("1+1?"),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "t1", "content": "2"},
        tools=[TOOL],
        tool_choice="auto",
    )
    assert body["messages"][1]["content"] == [{"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1}}}]
    assert body["messages"][2]["content"] == [{"toolResult": {"toolUseId": "t1", "content": [{"text": "2"}]}}]
    assert body["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "add", "description": "adds", "inputSchema": {"json": {"type": "object"}}}}]
    }


def test_no_tools_when_none_may_be_used() -> None:
    assert "toolConfig" not in translated(tools=[TOOL], tool_choice="none")


ROUND: list[dict[str, Any]] = [
    {"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "t2"}]},
    {"role": "tool", "tool_call_id": "t1", "content": "2"},
    {"role": "tool", "tool_call_id": "t2", "content": "2"},
]


@pytest.mark.parametrize("fields", [{}, {"tools": []}, {"tools": None, "tool_choice": "none"}])
def test_tools_that_were_used_are_told_of_though_none_are_offered_any_more(fields: dict[str, Any]) -> None:
    schema = {"json": {"type": "object", "properties": {}}}
    assert translated(*ROUND, **fields)["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "add", "inputSchema": schema}}]
    }


def test_blank_texts_say_nothing() -> None:
    body = translated(
        {"role": "system", "content": " \n"},
        user([{"type": "text", "text": "\n"}, {"type": "text", "text": "hi"}]),
        {"role": "assistant", "content": " ", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "t1", "content": "\n"},
        tools=[TOOL],
    )
    assert "system" not in body
    texts = [block.get("text") for message in body["messages"] for block in message["content"]]
    assert texts == ["hi", None, None]
    assert body["messages"][2]["content"][0]["toolResult"]["content"] == [{"text": "(empty)"}]


def test_a_conversation_that_an_assistant_begins() -> None:
    body = translated({"role": "assistant", "content": "How can I help?"}, user("hi"))
    assert [(m["role"], m["content"][0]["text"]) for m in body["messages"]] == [
        ("user", "(empty)"),
        ("assistant", "How can I help?"),
        ("user", "hi"),
    ]


def test_sampling() -> None:
    body = translated(model=LLAMA, max_tokens=9, temperature=1.7, top_p=0.5, stop="END", seed=1, frequency_penalty=1)
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 1.0, "topP": 0.5, "stopSequences": ["END"]}
    assert translated(model=LLAMA, max_completion_tokens=5, stop=["a", "b"])["inferenceConfig"] == {
        "maxTokens": 5,
        "stopSequences": ["a", "b"],
    }


def test_a_response_schema() -> None:
    body = translated(
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    )
    form = body["outputConfig"]["textFormat"]
    assert json.loads(form["structure"]["jsonSchema"]["schema"]) == {"type": "object"}


def answer(*content: dict[str, Any], stop: str = "end_turn") -> bytes:
    usage = {"inputTokens": 10, "outputTokens": 4, "totalTokens": 14, "cacheReadInputTokens": 3}
    output = {"message": {"role": "assistant", "content": list(content)}}
    return json.dumps({"output": output, "stopReason": stop, "usage": usage}).encode()


async def completed(raw: bytes) -> dict[str, Any]:
    async with upstreams_to(Played([raw])) as (upstreams, _):
        found: dict[str, Any] = json.loads((await read(upstreams, TARGET, a_request()))[0])
        return found


async def test_a_whole_answer() -> None:
    found = await completed(
        answer({"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "he"}, {"text": "y"})
    )
    assert found["object"] == "chat.completion"
    assert (found["id"], found["created"], found["model"]) == ("chatcmpl-req-1", int(NOW.timestamp()), "support-llama")
    message = found["choices"][0]["message"]
    assert (message["role"], message["content"], message["reasoning"]) == ("assistant", "hey", "hm")
    assert found["usage"] == {
        "prompt_tokens": 13,
        "completion_tokens": 4,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 3},
    }


async def test_a_whole_answer_with_a_tool_call() -> None:
    found = await completed(answer({"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1}}}, stop="tool_use"))
    choice = found["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert choice["message"]["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    ]


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("something_new", "stop"),
    ],
)
async def test_finish_reasons(stop: str, finish: str) -> None:
    assert (await completed(answer({"text": "x"}, stop=stop)))["choices"][0]["finish_reason"] == finish


TOO_MANY = Played(
    [
        b'{"message": "The maximum tokens you requested exceeds the model limit of 2048. Try again with a maximum '
        b'tokens value that is lower than 2048."}'
    ],
    status=400,
    headers={"x-amzn-errortype": "ValidationException"},
)


async def test_a_limit_above_the_models_own_is_cut_to_it_and_asked_for_no_more() -> None:
    async with upstreams_to(TOO_MANY, Played([answer({"text": "hey"})])) as (upstreams, fake):
        for asked in (4096, 3000, 100):
            (found,) = await read(upstreams, TARGET, a_request(max_tokens=asked))
            assert json.loads(found)["choices"][0]["message"]["content"] == "hey"
    assert [seen.body["inferenceConfig"]["maxTokens"] for seen in fake.seen] == [4096, 2048, 2048, 100]


async def test_a_model_that_refuses_all_the_same_is_asked_once() -> None:
    async with upstreams_to(TOO_MANY) as (upstreams, fake):
        with pytest.raises(UpstreamRejected, match="model limit of 2048"):
            await read(upstreams, TARGET, a_request(max_tokens=2048))
    assert len(fake.seen) == 1


async def test_a_model_that_streams_no_tools_is_asked_for_the_whole_answer() -> None:
    refused = Played([b'{"message": "This model doesn\'t support tool use in streaming mode."}'], status=400)
    use = {"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1}}}
    whole = Played([answer({"text": "so"}, use, stop="tool_use")])
    async with upstreams_to(refused, whole) as (upstreams, fake):
        for _ in range(2):
            (block,) = await read(upstreams, STRANGER, a_request(stream=True, tools=[TOOL]))
    assert [seen.path.rsplit("/", 1)[-1] for seen in fake.seen] == ["converse-stream", "converse", "converse"]
    *chunks, end = [part.removeprefix("data: ") for part in block.decode().split("\n\n") if part]
    said, finish, usage = map(json.loads, chunks)
    assert end == "[DONE]"
    assert said["object"] == "chat.completion.chunk"
    assert said["choices"][0]["delta"] == {
        "role": "assistant",
        "content": "so",
        "tool_calls": [
            {"index": 0, "id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
        ],
    }
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "tool_calls")
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 17)


async def test_requests_at_once_all_learn_from_their_own_refusals() -> None:
    async with upstreams_to(TOO_MANY, TOO_MANY, TOO_MANY, Played([answer({"text": "hey"})])) as (upstreams, fake):
        found = await asyncio.gather(*(read(upstreams, TARGET, a_request(max_tokens=4096)) for _ in range(3)))
    assert len(found) == 3
    assert sorted(seen.body["inferenceConfig"]["maxTokens"] for seen in fake.seen) == [2048] * 3 + [4096] * 3


async def test_without_tools_such_a_model_streams() -> None:
    refused = Played([b'{"message": "This model doesn\'t support tool use in streaming mode."}'], status=400)
    async with upstreams_to(refused, Played([answer({"text": "so"})])) as (upstreams, fake):
        await read(upstreams, STRANGER, a_request(stream=True, tools=[TOOL]))
        fake.scripts = [Played([START, text("hi"), STOP])]
        await read(upstreams, STRANGER, a_request(stream=True))
    assert fake.seen[-1].path.endswith("/converse-stream")


async def test_an_answer_that_is_not_converses() -> None:
    with pytest.raises(UpstreamUnavailable):
        await completed(b'{"hello": 1}')


def event(kind: str, **fields: Any) -> bytes:
    return eventstream.event(kind, json.dumps(fields).encode())


START = event("messageStart", role="assistant")
STOP = event("messageStop", stopReason="end_turn")
META = event("metadata", usage={"inputTokens": 10, "outputTokens": 4, "totalTokens": 14})


def text(words: str) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=0, delta={"text": words})


async def chunks_of(*wire: bytes) -> list[Any]:
    async with upstreams_to(Played(list(wire))) as (upstreams, _):
        blocks = b"".join(await read(upstreams, TARGET, a_request(stream=True)))
    data = [part.removeprefix("data: ") for part in blocks.decode().split("\n\n") if part]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


async def test_a_stream() -> None:
    chunks = await chunks_of(START, text("he"), text("y"), event("contentBlockStop", contentBlockIndex=0), STOP, META)

    assert [chunk["choices"][0]["delta"] for chunk in chunks[:3]] == [
        {"role": "assistant", "content": "he"},
        {"content": "y"},
        {},
    ]
    assert chunks[2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[3]["choices"], chunks[3]["usage"]["total_tokens"]) == ([], 14)
    assert chunks[4] == "[DONE]"
    assert {chunk["id"] for chunk in chunks[:4]} == {"chatcmpl-req-1"}


async def test_streamed_tool_calls_are_numbered_from_zero() -> None:
    def start(index: int, name: str) -> bytes:
        use = {"toolUse": {"toolUseId": f"t{index}", "name": name}}
        return event("contentBlockStart", contentBlockIndex=index, start=use)

    def more(index: int, arguments: str) -> bytes:
        return event("contentBlockDelta", contentBlockIndex=index, delta={"toolUse": {"input": arguments}})

    wire = [START, text("so"), start(1, "add"), more(1, '{"a"'), more(1, ":1}"), start(2, "mul"), more(2, "{}")]
    chunks = await chunks_of(*wire, event("messageStop", stopReason="tool_use"))

    calls = [call for chunk in chunks[1:-2] for call in chunk["choices"][0]["delta"]["tool_calls"]]
    assert [call["index"] for call in calls] == [0, 0, 0, 1, 1]
    assert (calls[0]["id"], calls[0]["function"]) == ("t1", {"name": "add", "arguments": ""})
    assert "".join(call["function"]["arguments"] for call in calls[:3]) == '{"a":1}'
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_streamed_reasoning() -> None:
    delta = {"reasoningContent": {"text": "hm"}}
    chunks = await chunks_of(START, event("contentBlockDelta", contentBlockIndex=0, delta=delta), STOP)
    assert chunks[0]["choices"][0]["delta"]["reasoning"] == "hm"


async def test_a_stream_that_ends_before_its_stop_has_no_end_mark() -> None:
    assert "[DONE]" not in await chunks_of(START, text("he"))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("throttlingException", Code.ENGINE_SATURATED),
        ("serviceUnavailableException", Code.ENGINE_SATURATED),
        ("modelStreamErrorException", Code.PRIMARY_FAILED),
        ("internalServerException", Code.PRIMARY_FAILED),
    ],
)
async def test_an_exception_right_after_the_start_is_still_before_the_first_event(name: str, code: Code) -> None:
    async with upstreams_to(Played([START, eventstream.exception(name, {"message": "no"})])) as (upstreams, _):
        stream = await upstreams.open(TARGET, a_request(stream=True), 5.0)
        with pytest.raises(UpstreamUnavailable) as failed:
            await anext(stream.blocks)
        await stream.close()
    assert failed.value.code == code


async def test_a_validation_exception_in_the_stream_is_the_clients() -> None:
    wire = eventstream.exception("validationException", {"message": "too many images"})
    async with upstreams_to(Played([START, wire])) as (upstreams, _):
        with pytest.raises(UpstreamRejected, match="too many images"):
            await read(upstreams, TARGET, a_request(stream=True))


async def test_an_openai_client_sees_no_difference() -> None:
    """The same request by either upstream, through the whole gateway."""
    fleet = await call(a_world(fleet=GOOD_STREAM), streaming(stream_options={"include_usage": True}))
    async with upstreams_to(Played([START, text("hel"), text("lo"), STOP, META])) as (upstreams, _):
        world = a_world(a_route(state=RouteState.COLD), real=upstreams)
        bedrock = await call(world, streaming(stream_options={"include_usage": True}))
    assert fleet.text == bedrock.text == "hello"
    assert bedrock.headers["x-spillway-target"] == "bedrock"
    assert world.traffic.counts[0]["bedrock_completion_tokens"] == 4
