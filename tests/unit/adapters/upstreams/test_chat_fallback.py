"""Completions and responses on targets that have only chat: what is asked of chat, and what the client gets back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from spillway.domain.capabilities.card import Ability
from spillway.domain.capabilities.demand import demand_of
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.targets import BedrockTarget, SageMakerTarget, Target
from spillway.gateway.errors import UpstreamRejected
from spillway.gateway.upstream import Endpoint, UpstreamRequest
from tests.sandbox import eventstream
from tests.unit.gateway.doubles import USAGE, chunk, sse, usage_chunk
from tests.unit.gateway.servers import Played, read, upstreams_to

OPENAI = BedrockTarget("openai.gpt-oss-20b-1:0", "openai")
CONVERSE = BedrockTarget("meta.llama-v1:0", "converse")
OPENAI_CHAT = BedrockTarget("qwen.qwen3-32b-v1:0", "openai")
SAGEMAKER = SageMakerTarget("ep", "ic")
CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'}
CALL_IN_CHAT = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}

# An image that only an engine could fetch.
SHOWN = {"role": "user", "content": [{"type": "input_image", "image_url": "https://example.org/cat.png"}]}


def asking(endpoint: Endpoint, **body: Any) -> UpstreamRequest:
    body = {"model": "support-llama", **body}
    return UpstreamRequest("support-llama", endpoint, body, bool(body.get("stream")), False, "r1", 100)


def chat(**message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hello", **message}, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "created": 7, "model": "x", "choices": [choice], "usage": USAGE}).encode()


def on_sagemaker(answer: bytes) -> bytes:
    """Return a whole answer as SageMaker's containers are asked for every one: as a stream."""
    return eventstream.event("PayloadPart", answer)


async def asked_of_chat(target: Target, request: UpstreamRequest) -> tuple[str, Any]:
    async with upstreams_to(Played([on_sagemaker(chat()) if target == SAGEMAKER else chat()])) as (upstreams, fake):
        await read(upstreams, target, request)
    body = fake.seen[0].body
    if target == SAGEMAKER:
        assert (body.pop("stream"), body.pop("stream_options")) == (True, {"include_usage": True})
    return fake.seen[0].path, body


async def streamed(request: UpstreamRequest, *chunks: Any) -> list[Any]:
    """Return the events that a SageMaker engine's chat chunks become, the type checked against the event's name."""
    target, body = SAGEMAKER if request.endpoint == "responses" else OPENAI, sse(*chunks)
    played = eventstream.event("PayloadPart", body) if target == SAGEMAKER else body
    async with upstreams_to(Played([played])) as (upstreams, _):
        raw = b"".join(await read(upstreams, target, request))
    found: list[Any] = []
    for event in raw.decode().strip().split("\n\n"):
        lines = event.split("\n")
        data = lines[-1].removeprefix("data: ")
        found.append(data if data == "[DONE]" else json.loads(data))
        assert len(lines) == 1 or lines[0] == f"event: {found[-1]['type']}"
    return found


@pytest.mark.parametrize(
    ("model_id", "path"),
    [
        ("openai.gpt-oss-20b-1:0", "/openai/v1/responses"),
        ("us.openai.gpt-oss-120b-1:0", "/openai/v1/responses"),
        ("qwen.qwen3-32b-v1:0", "/openai/v1/chat/completions"),
        ("acme.unheard-of-v1:0", "/openai/v1/chat/completions"),
    ],
)
async def test_responses_go_where_bedrock_is_known_to_have_them(model_id: str, path: str) -> None:
    asked, _ = await asked_of_chat(BedrockTarget(model_id, "openai"), asking("responses", input="hi"))
    assert asked == path


async def test_a_response_that_is_made_up_is_made_up_of_its_chat() -> None:
    request = asking("responses", input="hi", text={"format": {"type": "json_object"}})
    made_up = replace(request, emulated=frozenset({Ability.JSON_OBJECT}))
    async with upstreams_to(Played([chat(content='{"a": 1}')])) as (upstreams, fake):
        (body,) = await read(upstreams, OPENAI, made_up)
    assert fake.seen[0].path == "/openai/v1/chat/completions"
    assert "response_format" not in fake.seen[0].body
    assert json.loads(body)["output"][0]["content"][0]["text"] == '{"a": 1}'


async def test_a_list_of_prompts_is_asked_one_by_one() -> None:
    request = asking("completions", prompt=["One", "Two"])
    made_up = replace(
        request,
        demand=demand_of("completions", request.body, 100, stream=False),
        emulated=frozenset({Ability.PROMPTS}),
    )
    async with upstreams_to(Played([chat()])) as (upstreams, fake):
        (body,) = await read(upstreams, OPENAI, made_up)
    assert sorted(seen.body["messages"][0]["content"] for seen in fake.seen) == ["One", "Two"]
    assert [choice["index"] for choice in json.loads(body)["choices"]] == [0, 1]


async def test_a_completions_prompt_becomes_a_message() -> None:
    request = asking("completions", prompt=["Once"], temperature=0, logprobs=None, echo=False)
    path, body = await asked_of_chat(OPENAI, request)
    assert path == "/openai/v1/chat/completions"
    assert body == {
        "model": "openai.gpt-oss-20b-1:0",
        "messages": [{"role": "user", "content": "Once"}],
        "max_completion_tokens": 16,
        "temperature": 0,
    }


async def test_an_engine_that_has_completions_gets_them_as_they_are() -> None:
    _, body = await asked_of_chat(SAGEMAKER, asking("completions", prompt="Once", echo=True))
    assert body == {"prompt": "Once", "echo": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("suffix", "end"),
        ("echo", True),
        ("logprobs", 0),
        ("logprobs", 2),
        ("best_of", 3),
        ("prompt", ["a", "b"]),
        ("prompt", [1, 2]),
        ("prompt", [[1]]),
    ],
)
async def test_what_chat_has_no_form_for_is_told(field: str, value: Any) -> None:
    async with upstreams_to(Played([chat()])) as (upstreams, fake):
        with pytest.raises(InvalidRequest) as refused:
            await upstreams.open(OPENAI, asking("completions", **{"prompt": "Once", field: value}), 5.0)
    assert (refused.value.param, fake.seen) == (field, [])


async def test_a_completion_comes_back_in_its_own_form() -> None:
    async with upstreams_to(Played([chat()])) as (upstreams, _):
        [raw] = await read(upstreams, OPENAI, asking("completions", prompt="Once"))
    assert json.loads(raw) == {
        "id": "cmpl-r1",
        "object": "text_completion",
        "created": 7,
        "model": "support-llama",
        "choices": [{"index": 0, "text": "hello", "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
    }


async def test_a_streamed_completion_too() -> None:
    events = await streamed(asking("completions", prompt="Once", stream=True), chunk("he"), usage_chunk(), "[DONE]")
    assert [event["choices"][0]["text"] if event["choices"] else event["usage"] for event in events[:-1]] == [
        "he",
        USAGE,
    ]
    assert events[-1] == "[DONE]"


async def test_an_error_under_status_200_goes_on_as_it_is() -> None:
    error = {"error": {"message": "full", "code": 503}}
    assert await streamed(asking("completions", prompt="x", stream=True), error) == [error]
    async with upstreams_to(Played([json.dumps(error).encode()])) as (upstreams, _):
        assert await read(upstreams, OPENAI, asking("completions", prompt="x")) == [json.dumps(error).encode()]


INPUTS: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "text": ("hi", [{"role": "user", "content": "hi"}]),
    "an easy message": ([{"role": "user", "content": "hi"}], [{"role": "user", "content": "hi"}]),
    "parts of text": (
        [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "a"}] * 2}],
        [{"role": "developer", "content": "a\na"}],
    ),
    "an image's address is not touched": (
        [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": "http://169.254.169.254/", "detail": "low"}],
            }
        ],
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/", "detail": "low"}}],
            }
        ],
    ),
    "an earlier answer": (
        [{"role": "assistant", "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]}],
        [{"role": "assistant", "content": "a\nb"}],
    ),
    "calls and their results": (
        [
            {"type": "reasoning", "summary": []},
            CALL,
            CALL,
            {"type": "function_call_output", "call_id": "c1", "output": "2"},
        ],
        [
            {"role": "assistant", "content": None, "tool_calls": [CALL_IN_CHAT, CALL_IN_CHAT]},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
        ],
    ),
}


@pytest.mark.parametrize("case", INPUTS)
async def test_a_responses_input_becomes_messages(case: str) -> None:
    given, messages = INPUTS[case]
    _, body = await asked_of_chat(SAGEMAKER, asking("responses", input=given, instructions="Be kind."))
    assert body["messages"] == [{"role": "system", "content": "Be kind."}, *messages]


async def test_a_responses_fields_become_chats() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    request = asking(
        "responses",
        input="hi",
        max_output_tokens=9,
        tools=[{"type": "function", "name": "look", "parameters": {}, "strict": True}],
        tool_choice={"type": "function", "name": "look"},
        text={"format": schema},
        reasoning={"effort": "low"},
        guided_regex="a+",
        store=False,
        include=[],
        truncation="auto",
        temperature=0.5,
    )
    _, body = await asked_of_chat(SAGEMAKER, request)
    assert body == {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {}, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "reasoning_effort": "low",
        "guided_regex": "a+",
        "temperature": 0.5,
    }


@pytest.mark.parametrize(
    ("param", "changes"),
    [
        ("input.0.type", {"input": [{"type": "item_reference", "id": "x"}]}),
        ("input.0.type", {"input": [7]}),
        ("input.0.role", {"input": [{"role": "boss", "content": "x"}]}),
        ("input.0.role", {"input": [{"role": ["x"], "content": "x"}]}),
        ("input.0.content", {"input": [{"role": "user", "content": 7}]}),
        ("input.0.content.0.type", {"input": [{"role": "user", "content": [{"type": "input_file"}]}]}),
        ("input.0.content.0.type", {"input": [{"role": "user", "content": [{"type": ["x"]}]}]}),
        ("input.0.content.0.text", {"input": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]}),
        ("input.0.call_id", {"input": [{"type": "function_call_output", "output": "x"}]}),
        ("tools", {"tools": "look"}),
        ("tools.0.type", {"tools": [{"type": "web_search"}]}),
        ("tools.0.name", {"tools": [{"type": "function"}]}),
        ("tool_choice", {"tool_choice": {"type": "file_search"}}),
        ("tool_choice", {"tool_choice": ["auto"]}),
        ("text", {"text": "short"}),
        ("reasoning", {"reasoning": "high"}),
        ("include", {"include": ["everything"]}),
        ("include", {"include": [["x"]]}),
    ],
)
async def test_what_a_response_cannot_ask_of_chat_names_its_place(param: str, changes: dict[str, Any]) -> None:
    async with upstreams_to(Played([chat()])) as (upstreams, _):
        with pytest.raises(InvalidRequest) as refused:
            await upstreams.open(SAGEMAKER, asking("responses", **{"input": "hi", **changes}), 5.0)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("param", "changes"),
    [
        ("input.1.content.0", {"input": [{"role": "user", "content": "hi"}, SHOWN]}),
        ("input.2.content.0", {"input": [CALL, CALL, SHOWN], "instructions": "Be kind."}),
        ("include.message.output_text.logprobs", {"include": ["message.output_text.logprobs"]}),
        ("moderation", {"moderation": {"model": "x"}}),
        ("text.format", {"text": {"format": {"type": "grammar"}}}),
    ],
)
async def test_what_chat_is_refused_has_the_clients_name(param: str, changes: dict[str, Any]) -> None:
    async with upstreams_to(Played([chat()])) as (upstreams, fake):
        with pytest.raises(InvalidRequest) as refused:
            await upstreams.open(CONVERSE, asking("responses", **{"input": "hi", **changes}), 5.0)
    assert (refused.value.param, fake.seen) == (param, [])


async def test_an_engines_refusal_has_the_clients_name() -> None:
    error = json.dumps({"error": {"message": "too many", "param": "max_tokens"}}).encode()
    async with upstreams_to(Played([error], status=400)) as (upstreams, _):
        with pytest.raises(UpstreamRejected) as refused:
            await upstreams.open(OPENAI_CHAT, asking("responses", input="hi", max_output_tokens=9), 5.0)
    assert refused.value.param == "max_output_tokens"


TOLD = [{"token": "hello", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "hello", "logprob": -0.5}]}]


async def test_a_response_tells_its_log_probabilities_whole_and_streamed() -> None:
    wanted = {"input": "hi", "include": ["message.output_text.logprobs"], "top_logprobs": 1}
    answer = json.loads(chat())
    answer["choices"][0]["logprobs"] = {"content": TOLD}
    async with upstreams_to(Played([on_sagemaker(json.dumps(answer).encode())])) as (upstreams, fake):
        [raw] = await read(upstreams, SAGEMAKER, asking("responses", **wanted))
    assert (fake.seen[0].body["logprobs"], fake.seen[0].body["top_logprobs"]) == (True, 1)
    assert json.loads(raw)["output"][0]["content"][0]["logprobs"] == TOLD

    said = delta(content="hello")
    said["choices"][0]["logprobs"] = {"content": TOLD}
    events = await streamed(asking("responses", **wanted, stream=True), said, said, delta("stop"), "[DONE]")
    by_type = {event["type"]: event for event in events}
    assert by_type["response.output_text.delta"]["logprobs"] == TOLD
    assert by_type["response.output_text.done"]["logprobs"] == TOLD * 2
    assert by_type["response.completed"]["response"]["output"][0]["content"][0]["logprobs"] == TOLD * 2


async def test_a_whole_response() -> None:
    answer = chat(reasoning_content="hm", tool_calls=[CALL_IN_CHAT])
    async with upstreams_to(Played([on_sagemaker(answer)])) as (upstreams, _):
        [raw] = await read(upstreams, SAGEMAKER, asking("responses", input="hi", temperature=0.5))
    body = json.loads(raw)
    assert (body["id"], body["object"], body["status"], body["model"]) == (
        "resp_r1",
        "response",
        "completed",
        "support-llama",
    )
    assert (body["temperature"], body["store"], body["created_at"]) == (0.5, False, 7)
    assert [item["type"] for item in body["output"]] == ["reasoning", "message", "function_call"]
    assert body["output"][1]["content"][0]["text"] == "hello"
    assert (body["output"][2]["call_id"], body["output"][2]["arguments"]) == ("c1", '{"a":1}')
    assert body["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10,
    }


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"created": 7, "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def call_delta(index: int, arguments: str, **head: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": "look"} if head else {})}
    return delta(tool_calls=[{"index": index, **head, "function": function}])


async def test_a_streamed_response_has_openais_events_in_order() -> None:
    events = await streamed(
        asking("responses", input="hi", stream=True),
        delta(role="assistant", content=""),
        delta(reasoning_content="hm"),
        delta(content="hel"),
        delta(content="lo"),
        call_delta(0, "", id="c1"),
        call_delta(0, '{"a"'),
        call_delta(0, ":1}"),
        call_delta(1, "{}", id="c2"),
        delta("tool_calls"),
        usage_chunk(),
        "[DONE]",
    )
    item = ["output_item.added", "content_part.added"]
    done = ["content_part.done", "output_item.done"]
    arguments = "function_call_arguments"
    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress"),
        *(*item, "reasoning_text.delta", "reasoning_text.done", *done),
        *(*item, "output_text.delta", "output_text.delta", "output_text.done", *done),
        *("output_item.added", f"{arguments}.delta", f"{arguments}.delta", f"{arguments}.done", "output_item.done"),
        *("output_item.added", f"{arguments}.delta", f"{arguments}.done", "output_item.done"),
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    response = events[-1]["response"]
    assert response["output"] == [event["item"] for event in events if event["type"].endswith("output_item.done")]
    assert [item.get("arguments") for item in response["output"][2:]] == ['{"a":1}', "{}"]
    assert response["usage"]["total_tokens"] == 10


async def test_a_response_that_was_cut_for_length_is_incomplete() -> None:
    events = await streamed(asking("responses", input="hi", stream=True), delta("length", content="x"), "[DONE]")
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_an_empty_response_still_has_its_message() -> None:
    events = await streamed(asking("responses", input="hi", stream=True), delta("stop", content=""), "[DONE]")
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == ""


async def test_a_stream_without_the_models_ending_gets_no_end() -> None:
    events = await streamed(asking("responses", input="hi", stream=True), delta(content="x"), "[DONE]")
    assert events[-1]["type"] == "response.output_text.delta"


async def test_converse_answers_both_too() -> None:
    answer = {
        "output": {"message": {"content": [{"text": "hello"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2},
    }
    async with upstreams_to(Played([json.dumps(answer).encode()])) as (upstreams, fake):
        [response] = await read(upstreams, CONVERSE, asking("responses", input="hi", max_output_tokens=5))
        [text] = await read(upstreams, CONVERSE, asking("completions", prompt="hi"))
    assert json.loads(response)["output"][0]["content"][0]["text"] == "hello"
    assert json.loads(text)["choices"][0]["text"] == "hello"
    assert [seen.body["inferenceConfig"]["maxTokens"] for seen in fake.seen] == [5, 16]
