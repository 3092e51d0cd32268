"""The emulated Converse takes nothing that Bedrock would not, and models differ by their families."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws_errors import AwsError
from tests.sandbox.bedrock import BedrockRuntime, Ending, Pace, default_catalog
from tests.sandbox.converse_rules import check_converse
from tests.unit.sandbox.conftest import Connect, Serve, drain

LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
QWEN = "qwen.qwen3-32b-v1:0"
GLM = "zai.glm-5"
HI = {"role": "user", "content": [{"text": "hi"}]}
SAID = {"role": "assistant", "content": [{"text": "hello"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOLS = {"tools": [{"toolSpec": {"name": name, "inputSchema": {"json": SCHEMA}}} for name in ("add", "mul")]}
IMAGE = {"image": {"format": "png", "source": {"bytes": "AAAA"}}}


def used(*ids: str, **changes: Any) -> dict[str, Any]:
    uses = [{"toolUse": {"toolUseId": each, "name": "add", "input": {"a": 1}, **changes}} for each in ids]
    return {"role": "assistant", "content": uses}


def result(*ids: str, **content: Any) -> dict[str, Any]:
    blocks = [{"toolResult": {"toolUseId": each, "content": [content or {"text": "2"}]}} for each in ids]
    return {"role": "user", "content": blocks}


def refusal(model_id: str = QWEN, *, streams: bool = False, **body: Any) -> str | None:
    try:
        check_converse(model_id, {"messages": [HI], **body}, streams=streams)
    except AwsError as error:
        return error.message
    return None


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"temperature": 1}, "Unknown parameter in input"),
        ({"messages": [{"role": "user"}]}, 'Missing required parameter in messages[0]: "content"'),
        ({"messages": [{"role": "tool", "content": [{"text": "x"}]}]}, "enum value set"),
        ({"inferenceConfig": {"maxTokens": "9"}}, "Invalid type for parameter inferenceConfig.maxTokens"),
        ({"inferenceConfig": {"maxTokens": 0}}, "valid min value: 1"),
        ({"inferenceConfig": {"temperature": 1.5}}, "less than or equal to 1"),
        ({"inferenceConfig": {"stopSequences": [""]}}, "valid min length: 1"),
        ({"messages": [HI, used("a b"), result("a b")], "toolConfig": TOOLS}, "regular expression pattern"),
        ({"messages": [HI, used("a" * 65), result("a" * 65)], "toolConfig": TOOLS}, "less than or equal to 64"),
        ({"messages": [HI, used(""), result("")], "toolConfig": TOOLS}, "valid min length: 1"),
        ({"toolConfig": {"tools": []}}, "valid min length: 1"),
        (
            {"messages": [{"role": "user", "content": [{"image": {**IMAGE["image"], "source": {"bytes": "?"}}}]}]},
            "base64",
        ),
    ],
)
def test_what_is_no_request_by_botocores_model(body: dict[str, Any], part: str) -> None:
    assert part in (refusal(**body) or "")


@pytest.mark.parametrize(
    ("messages", "part"),
    [
        ([], "at least one message"),
        ([SAID, HI], "start with a user message"),
        ([HI, HI], "alternate between user and assistant"),
        ([HI, SAID], "end with a user message"),
        ([{"role": "user", "content": []}], "messages.0 is empty"),
        ([{"role": "user", "content": [{"text": " \n"}]}], "messages.0.content.0 is blank"),
        ([HI, used("a", "a"), result("a")], "toolUse blocks at messages.1.content contain duplicate Ids: a"),
        ([HI, used("a"), result("a", "a")], "toolResult blocks at messages.2.content contain duplicate Ids: a"),
        (
            [HI, used("a", "b"), result("a")],
            "Expected toolResult blocks at messages.2.content for the following Ids: b",
        ),
        ([HI, used("a"), HI], "Expected toolResult blocks at messages.2.content"),
        ([result("a")], "exceeds the number of toolUse blocks of previous turn"),
        ([HI, used("a"), result("a", "b")], "exceeds the number of toolUse blocks of previous turn"),
        ([HI, used("a"), result("a"), SAID, result("a")], "messages.4.content exceeds"),
        ([HI, used("a", input=[1]), result("a")], "messages.1.content.0.toolUse.input is invalid"),
        ([HI, used("a"), result("a", json=[1])], "toolResult.content.0.json is invalid"),
    ],
)
def test_turns_that_do_not_pair(messages: list[Any], part: str) -> None:
    assert part in (refusal(messages=messages, toolConfig=TOOLS) or "")


@pytest.mark.parametrize(
    "schema", [{}, {"properties": {}}, {"anyOf": [SCHEMA]}, {"type": "string"}, {"type": ["object"]}]
)
def test_a_tools_schema_is_an_object_at_its_root(schema: Any) -> None:
    tools = {"tools": [{"toolSpec": {"name": "add", "inputSchema": {"json": schema}}}]}
    assert "inputSchema.json.type must be one of the following: object" in (refusal(toolConfig=tools) or "")


def test_tools_that_were_used_are_offered() -> None:
    assert "toolConfig field must be defined" in (refusal(messages=[HI, used("a"), result("a")]) or "")
    assert refusal(messages=[HI, used("a"), result("a")], toolConfig=TOOLS) is None


def chosen(**choice: Any) -> dict[str, Any]:
    return {"toolConfig": TOOLS | {"toolChoice": choice}}


@pytest.mark.parametrize(
    ("takes", "refuses", "body", "part"),
    [
        (QWEN, "mistral.mixtral-8x7b-instruct-v0:1", {"system": [{"text": "x"}]}, "system messages"),
        (LLAMA, QWEN, {"inferenceConfig": {"stopSequences": ["x"]}}, "the stopSequences field"),
        (LLAMA, "openai.gpt-oss-20b-1:0", {"inferenceConfig": {"stopSequences": []}}, "the stopSequences field"),
        (LLAMA, "deepseek.v3-v1:0", {"inferenceConfig": {"stopSequences": ["x"]}}, "the stopSequences field"),
        (LLAMA, "us.deepseek.r1-v1:0", {"toolConfig": TOOLS}, "support tool use."),
        (GLM, LLAMA, chosen(any={}), "the toolConfig.toolChoice.any field"),
        (
            QWEN,
            LLAMA,
            {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}}},
            "the outputConfig field",
        ),
        (
            "meta.llama4-scout-17b-instruct-v1:0",
            QWEN,
            {"messages": [{"role": "user", "content": [IMAGE]}]},
            "the image content block",
        ),
        (
            GLM,
            LLAMA,
            {"additionalModelRequestFields": {"reasoning_effort": "high"}},
            "extraneous key [reasoning_effort]",
        ),
    ],
)
def test_what_a_family_lacks(takes: str, refuses: str, body: dict[str, Any], part: str) -> None:
    assert refusal(takes, **body) is None
    assert part in (refusal(refuses, **body) or "")


def test_a_named_tool_can_be_demanded_of_nobody() -> None:
    for model_id in (LLAMA, QWEN, GLM):
        assert "the toolConfig.toolChoice.tool field" in (refusal(model_id, **chosen(tool={"name": "add"})) or "")


def test_tools_in_streams() -> None:
    assert "tool use in streaming mode" in (refusal(LLAMA, streams=True, toolConfig=TOOLS) or "")
    assert refusal(QWEN, streams=True, toolConfig=TOOLS) is None
    assert refusal(LLAMA, streams=True) is None


def test_results_stand_alone_and_for_mistral_as_json() -> None:
    beside = {"role": "user", "content": [*result("a")["content"], {"text": "and?"}]}
    told = refusal(LLAMA, messages=[HI, used("a"), beside], toolConfig=TOOLS)
    assert told == "messages.2.content: Conversation blocks and tool result blocks cannot be provided in the same turn."
    mistral = "mistral.mistral-large-3-675b-instruct"
    assert "json" in (refusal(mistral, messages=[HI, used("a"), result("a")], toolConfig=TOOLS) or "")
    assert refusal(mistral, messages=[HI, used("a"), result("a", json={"x": 1})], toolConfig=TOOLS) is None


@pytest.fixture
def runtime() -> BedrockRuntime:
    return BedrockRuntime(default_catalog(), lambda: datetime(2026, 11, 24, tzinfo=UTC), pace=Pace(0.0, 5000.0))


ADD_AND_MUL = {"messages": [{"role": "user", "content": [{"text": "add and mul"}]}], "toolConfig": TOOLS}


async def test_a_model_calls_the_tools_that_are_spoken_of(
    runtime: BedrockRuntime, serve: Serve, connect: Connect
) -> None:
    client = connect("bedrock-runtime", await serve(runtime.routes()))
    whole = await asyncio.to_thread(client.converse, modelId=QWEN, **ADD_AND_MUL)
    uses = [block["toolUse"] for block in whole["output"]["message"]["content"]]
    assert [(use["name"], use["input"]) for use in uses] == [("add", {"a": 1}), ("mul", {"a": 1})]
    assert whole["stopReason"] == "tool_use"
    answer = await asyncio.to_thread(client.converse_stream, modelId=QWEN, **ADD_AND_MUL)
    events: list[dict[str, Any]] = []
    await asyncio.to_thread(drain, answer["stream"], events)
    pieces = ["", ""]
    for event in events:
        if delta := event.get("contentBlockDelta"):
            pieces[delta["contentBlockIndex"]] += delta["delta"]["toolUse"]["input"]
    assert [json.loads(piece) for piece in pieces] == [{"a": 1}, {"a": 1}]
    assert events[-2]["messageStop"] == {"stopReason": "tool_use"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minimum": 1, "type": "integer"}, "For 'integer' type, properties minimum are not supported"),
        ({"minLength": 1, "type": ["string", "null"]}, "For 'string' type, properties minLength are not supported"),
        ({"oneOf": []}, "oneOf"),
        ({"type": "array", "minItems": 2}, "minItems"),
        ({"type": "object", "additionalProperties": True}, "additionalProperties"),
        ({"$ref": "https://example.org"}, "External"),
        ({"anyOf": [{"type": "array", "items": {"type": "string", "maxLength": 2}}]}, "maxLength"),
    ],
)
async def test_a_schema_outside_of_bedrocks_subset_is_refused_at_once(
    runtime: BedrockRuntime, serve: Serve, connect: Connect, changes: dict[str, Any], said: str
) -> None:
    client = connect("bedrock-runtime", await serve(runtime.routes()))
    schema = json.dumps({"type": "object", "properties": {"a": changes}})
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema}}}
    with pytest.raises(ClientError, match=f"output_config.format.schema: .*{said}"):
        await asyncio.to_thread(client.converse, modelId=QWEN, messages=[HI], outputConfig={"textFormat": form})


async def test_a_model_answers_by_a_schema_and_ends_as_told(
    runtime: BedrockRuntime, serve: Serve, connect: Connect
) -> None:
    client = connect("bedrock-runtime", await serve(runtime.routes()))
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(SCHEMA)}}}
    runtime.endings[QWEN] = [Ending("malformed_model_output")]
    answers = [
        await asyncio.to_thread(client.converse, modelId=QWEN, messages=[HI], outputConfig={"textFormat": form})
        for _ in range(2)
    ]
    assert [answer["stopReason"] for answer in answers] == ["malformed_model_output", "end_turn"]
    assert json.loads(answers[1]["output"]["message"]["content"][0]["text"]) == {"a": 1}
