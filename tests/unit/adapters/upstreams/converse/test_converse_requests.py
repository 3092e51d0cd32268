"""What a chat request becomes on Converse, family by family: the sandbox's Bedrock takes it, or the client is told."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spillway.adapters.upstreams.bedrock.learned_limits import Lessons
from spillway.adapters.upstreams.converse.request import Asked, converse_request
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.converse_families import family_of
from tests.sandbox.aws_errors import AwsError
from tests.sandbox.converse_families import FAMILIES
from tests.sandbox.converse_rules import NO_IMAGE, check_converse

LLAMA, LLAMA_4 = "us.meta.llama3-3-70b-instruct-v1:0", "us.meta.llama4-scout-17b-instruct-v1:0"
QWEN, GLM, GPT_OSS = "qwen.qwen3-32b-v1:0", "zai.glm-5", "openai.gpt-oss-20b-1:0"
MISTRAL, MIXTRAL = "mistral.mistral-large-3-675b-instruct", "mistral.mixtral-8x7b-instruct-v0:1"
DEEPSEEK, R1, GEMMA = "deepseek.v3.2", "us.deepseek.r1-v1:0", "google.gemma-3-27b-it"
MODELS = [*(f"{prefix}-x1" for prefix in FAMILIES), LLAMA, "somebody.new-model-v1:0"]
PIXEL: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
HI = {"role": "user", "content": "hi"}


def tool(name: str = "add", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}, **function}}


def calling(*ids: Any, arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": "add", "arguments": arguments}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls, **more}


def result(call_id: str, content: Any = "2") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def settled(model: str, *messages: Any, stream: bool = False, **fields: Any) -> Asked:
    """Ask until Bedrock takes it, learning from each refusal as the upstream does."""
    lessons, body = Lessons(family_of(model)), {"messages": list(messages) or [HI], **fields}
    asked = converse_request(body, lessons)
    while refusal := refusal_of(model, asked, stream=stream):
        if refusal == NO_IMAGE:
            # Where an image may stand its words don't tell: the refusal is the client's answer.
            raise InvalidRequest(refusal)
        lessons.learn(refusal)
        before, asked = asked, converse_request(body, lessons)
        assert asked != before, f"{model} is asked the same again: {refusal}"
    return asked


def refusal_of(model: str, asked: Asked, *, stream: bool) -> str | None:
    try:
        check_converse(model, json.loads(json.dumps(asked.body)), streams=stream and asked.may_stream)
    except AwsError as refused:
        return refused.message
    return None


def refused(model: str, *messages: Any, **fields: Any) -> str | None:
    with pytest.raises(InvalidRequest) as told:
        settled(model, *messages, **fields)
    return told.value.param


def ids_of(turn: dict[str, Any], kind: str) -> list[str]:
    return [block[kind]["toolUseId"] for block in turn["content"] if kind in block]


# ---- Turns -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "client_id", ["t1", "x" * 64, "x" * 65, "functions.add:0", "", "ümlaut", "a b/c+d=", "call|fc_1", "😀" * 40, " "]
)
@pytest.mark.parametrize("model", MODELS)
def test_ids_of_any_length_and_alphabet_pair(model: str, client_id: str) -> None:
    with suppress(InvalidRequest):
        asked = settled(model, HI, calling(client_id, "other"), result("other"), result(client_id))
        _, uses, results, *_ = asked.body["messages"]
        assert ids_of(uses, "toolUse") == ids_of(results, "toolResult")


def test_an_id_that_is_valid_is_kept_and_the_others_stay_distinct() -> None:
    strange = ["a.b", "a:b", "a b", "x" * 65, "x" * 66]
    asked = settled(GLM, HI, calling("t-1_A", *strange), *map(result, ["t-1_A", *strange]))
    ids = ids_of(asked.body["messages"][1], "toolUse")
    assert ids[0] == "t-1_A"
    assert len(set(ids)) == 6
    again = settled(GLM, HI, calling("t-1_A", *strange), *map(result, ["t-1_A", *strange]))
    assert ids_of(again.body["messages"][1], "toolUse") == ids


def test_calls_of_one_id_are_answered_in_turn() -> None:
    asked = settled(GLM, HI, calling("add", "add"), result("add", "one"), result("add", "two"), result("add", "three"))
    uses, results = asked.body["messages"][1:]
    assert ids_of(uses, "toolUse") == ids_of(results, "toolResult")
    said = [[part["text"] for part in block["toolResult"]["content"]] for block in results["content"]]
    assert said == [["one"], ["two", "three"]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        (" ", {}),
        (None, {}),
        ({"a": 1}, {"a": 1}),
        ("[1, 2]", {"arguments": [1, 2]}),
        ('"x"', {"arguments": "x"}),
        ("null", {"arguments": None}),
        ("{broken", {"arguments": "{broken"}),
    ],
)
def test_arguments_are_an_object(arguments: Any, expected: Any) -> None:
    asked = settled(GLM, HI, calling("t1", arguments=arguments), result("t1"))
    assert asked.body["messages"][1]["content"][0]["toolUse"]["input"] == expected


@pytest.mark.parametrize("model", [LLAMA, GLM, MISTRAL])
def test_a_call_without_a_result_gets_one_that_says_so(model: str) -> None:
    cut_off = settled(model, HI, calling("t1", "t2"), result("t2", "4"))
    assert ids_of(cut_off.body["messages"][2], "toolResult") == ["t1", "t2"]
    assert "(no result)" in json.dumps(cut_off.body["messages"][2]["content"][0])
    went_on = settled(model, HI, calling("t1"), {"role": "user", "content": "never mind"})
    assert "(no result)" in json.dumps(went_on.body["messages"])
    at_the_end = settled(model, HI, calling("t1"))
    assert ids_of(at_the_end.body["messages"][2], "toolResult") == ["t1"]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([result("t1")], "messages.0.tool_call_id"),
        ([HI, calling("t1"), result("t2")], "messages.2.tool_call_id"),
        (
            [HI, calling("t1"), result("t1"), {"role": "assistant", "content": "so"}, result("t1")],
            "messages.4.tool_call_id",
        ),
    ],
)
def test_a_result_without_a_call_is_a_mistake(messages: list[Any], param: str) -> None:
    assert refused(GLM, *messages, tools=[tool()]) == param


def test_text_after_a_result_has_a_turn_of_its_own_where_the_model_wants_it_so() -> None:
    talk = [HI, calling("t1"), result("t1"), {"role": "user", "content": "and 2+2?"}]
    apart = settled(LLAMA, *talk).body["messages"]
    assert [(turn["role"], [next(iter(block)) for block in turn["content"]]) for turn in apart] == [
        ("user", ["text"]),
        ("assistant", ["toolUse"]),
        ("user", ["toolResult"]),
        ("assistant", ["text"]),
        ("user", ["text"]),
    ]
    beside = converse_request({"messages": talk}, Lessons()).body["messages"]
    assert [next(iter(block)) for block in beside[2]["content"]] == ["toolResult", "text"]


def test_results_come_first_and_text_before_calls() -> None:
    asked = converse_request(
        {
            "messages": [
                HI,
                calling("t1"),
                {"role": "assistant", "content": "a moment"},
                {"role": "user", "content": "well?"},
                result("t1"),
            ]
        },
        Lessons(),
    )
    kinds = [[next(iter(block)) for block in turn["content"]] for turn in asked.body["messages"]]
    assert kinds == [["text"], ["text", "toolUse"], ["toolResult", "text"]]


def test_mistrals_results_are_json() -> None:
    asked = settled(MISTRAL, HI, calling("t1", "t2"), result("t1", '{"sum": 2}'), result("t2", "two"))
    contents = [block["toolResult"]["content"] for block in asked.body["messages"][2]["content"]]
    assert contents == [[{"json": {"sum": 2}}], [{"json": {"result": "two"}}]]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "be brief"}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": []}],
        [HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": " \n"}],
        [HI, {"role": "assistant", "content": ""}],
        [HI, {"role": "assistant", "content": "hello"}],
        [{"role": "assistant", "content": "hello"}],
        [HI, {"role": "assistant", "content": None, "refusal": "no"}, HI],
    ],
)
def test_a_conversation_that_lacks_a_users_word_gets_a_placeholder(model: str, messages: list[Any]) -> None:
    turns = settled(model, *messages).body["messages"]
    assert turns[0]["role"] == turns[-1]["role"] == "user"


def test_where_there_is_no_system_its_text_begins_the_conversation() -> None:
    asked = settled(MIXTRAL, {"role": "system", "content": "be brief"}, HI)
    assert "system" not in asked.body
    assert asked.body["messages"] == [{"role": "user", "content": [{"text": "be brief"}, {"text": "hi"}]}]


def test_images_where_the_model_sees_them() -> None:
    seen = {"role": "user", "content": [PIXEL]}
    assert "image" in settled(LLAMA_4, seen).body["messages"][0]["content"][0]
    assert refused(LLAMA, seen) == "messages.0.content.0"
    shown = settled(LLAMA, HI, calling("t1"), result("t1", [{"type": "text", "text": "see"}, PIXEL]))
    content = shown.body["messages"][2]["content"][0]["toolResult"]["content"]
    assert [next(iter(part)) for part in content] == ["text", "image"]
    assert refused(GLM, HI, calling("t1"), result("t1", [PIXEL])) == "messages.2.content.0"


# ---- Tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {}}, {"type": "object", "properties": {}}),
        ({"anyOf": [{"type": "object"}]}, {"type": "object", "anyOf": [{"type": "object"}]}),
        ({"type": ["object", "null"]}, {"type": "object"}),
        ({"type": "object", "title": "x"}, {"type": "object", "title": "x"}),
    ],
)
def test_a_schema_gets_a_root(parameters: Any, schema: dict[str, Any]) -> None:
    spec = settled(GLM, tools=[tool(parameters=parameters)]).body["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["inputSchema"]["json"] == schema


@pytest.mark.parametrize("model", [LLAMA, GLM, QWEN, DEEPSEEK, GPT_OSS, MISTRAL])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "mul"}}])
def test_a_call_that_is_demanded_is_demanded_of_every_model(model: str, stream: bool, choice: Any) -> None:
    asked = settled(model, stream=stream, tools=[tool(), tool("mul")], tool_choice=choice)
    assert asked.terms.must_call
    said = asked.body.get("system", [{"text": ""}])[-1]["text"]
    if asked.body["toolConfig"].get("toolChoice"):
        assert said == ""
    else:
        # Nothing but a word makes the model do it, so the answer is looked at before it is passed on.
        assert "calling" in said
        assert not asked.may_stream
    names = [each["toolSpec"]["name"] for each in asked.body["toolConfig"]["tools"]]
    assert names == (["add", "mul"] if choice == "required" else ["mul"])


def test_a_model_that_can_be_told_which_tool_keeps_them_all() -> None:
    choice = {"type": "function", "function": {"name": "mul"}}
    body = {"messages": [HI], "tools": [tool(), tool("mul")], "tool_choice": choice}
    config = converse_request(body, Lessons()).body["toolConfig"]
    assert (config["toolChoice"], len(config["tools"])) == ({"tool": {"name": "mul"}}, 2)


def test_allowed_tools_are_all_that_is_offered() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "mul"}}]}
    asked = settled(GLM, tools=[tool(), tool("mul")], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [each["toolSpec"]["name"] for each in asked.body["toolConfig"]["tools"]] == ["mul"]
    assert not asked.terms.must_call


def test_no_calls_may_be_made_after_a_turn_of_tools_either() -> None:
    talk = [HI, calling("t1"), result("t1")]
    cases: list[dict[str, Any]] = [{"tools": [tool()], "tool_choice": "none"}, {}]
    for fields in cases:
        asked = settled(GLM, *talk, **fields)
        assert (len(asked.body["toolConfig"]["tools"]), asked.terms.most_calls) == (1, 0)
    assert settled(GLM, *talk, tools=[tool()]).terms.most_calls is None
    assert settled(GLM, *talk, tools=[tool()], parallel_tool_calls=False).terms.most_calls == 1


def test_tools_that_are_held_to_their_schema() -> None:
    strict = tool(strict=True)
    sent = converse_request({"messages": [HI], "tools": [strict]}, Lessons())
    assert sent.body["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    asked = settled(GLM, tools=[strict])
    assert "strict" not in asked.body["toolConfig"]["tools"][0]["toolSpec"]
    assert asked.dropped == ("tools.strict",)


def test_functions_are_tools() -> None:
    offered = [{"name": "add", "parameters": {}}]
    asked = settled(GLM, functions=offered, function_call={"name": "add"})
    assert asked.body["toolConfig"]["toolChoice"] == {"any": {}}
    assert (asked.terms.most_calls, asked.terms.as_function, asked.dropped) == (1, True, ())
    said = {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}}
    talk = settled(GLM, HI, said, {"role": "function", "name": "add", "content": "2"}, functions=offered)
    _, uses, results = talk.body["messages"]
    assert ids_of(uses, "toolUse") == ids_of(results, "toolResult") == ["call_1"]


# ---- Fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "native"), [(LLAMA, True), (QWEN, False), (GPT_OSS, False), ("deepseek.v3-v1:0", False), (GLM, False)]
)
def test_stop_sequences_are_the_models_or_ours(model: str, native: bool) -> None:
    asked = settled(model, stop=["END", "", "END", "\n"])
    assert asked.terms.stop == (() if native else ("END", "\n"))
    assert asked.body.get("inferenceConfig") == ({"stopSequences": ["END", "\n"]} if native else None)


@pytest.mark.parametrize("stop", [None, "", [], [""]])
@pytest.mark.parametrize("model", [LLAMA, GPT_OSS])
def test_stop_sequences_without_a_character_are_none(model: str, stop: Any) -> None:
    asked = settled(model, stop=stop)
    assert ("inferenceConfig" in asked.body, asked.terms.stop) == (False, ())


@pytest.mark.parametrize("limit", [3, 3.0, "3"])
def test_a_limit_is_read_as_engines_read_it(limit: Any) -> None:
    assert settled(LLAMA, max_tokens=limit).body["inferenceConfig"] == {"maxTokens": 3}


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        (GLM, "low", {"reasoning_effort": "high"}),
        (DEEPSEEK, "high", {"reasoning_effort": "high"}),
        (QWEN, "medium", {"reasoning_config": "high"}),
        (GPT_OSS, "minimal", {"reasoning_effort": "low"}),
        (GPT_OSS, "medium", {"reasoning_effort": "medium"}),
        (GPT_OSS, "max", {"reasoning_effort": "high"}),
        (GLM, "none", None),
    ],
)
def test_how_much_a_model_thinks(model: str, effort: str, sent: Any) -> None:
    asked = settled(model, reasoning_effort=effort)
    assert (asked.body.get("additionalModelRequestFields"), asked.dropped) == (sent, ())


@pytest.mark.parametrize(
    ("model", "effort"), [(LLAMA, "high"), (GPT_OSS, "none"), ("qwen.qwen3-coder-30b-a3b-v1:0", "high")]
)
def test_an_effort_that_a_model_does_not_know_is_dropped_by_name(model: str, effort: str) -> None:
    asked = settled(model, reasoning_effort=effort)
    assert ("additionalModelRequestFields" in asked.body, asked.dropped) == (False, ("reasoning_effort",))


@pytest.mark.parametrize(
    ("tier", "sent"),
    [("auto", None), ("default", "default"), ("flex", "flex"), ("priority", "priority"), ("fast", "priority")],
)
def test_service_tiers(tier: str, sent: str | None) -> None:
    assert settled(GLM, service_tier=tier).body.get("serviceTier") == (sent and {"type": sent})


def test_a_tier_that_the_model_does_not_have_is_dropped_by_name() -> None:
    lessons = Lessons()
    lessons.learn("The provided service tier is not supported for this model.")
    asked = converse_request({"messages": [HI], "service_tier": "flex"}, lessons)
    assert ("serviceTier" in asked.body, asked.dropped) == (False, ("service_tier",))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "alien", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content"),
        ({"messages": [{"role": "system", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content.0.type"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}],
                    }
                ]
            },
            "messages.0.content.0",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": None}]}]},
            "messages.0.content.0",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,AAA"}]}
                ]
            },
            "messages.0.content.0",
        ),
        ({"messages": [{"role": "tool", "content": "2"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": "x"}]}, "messages.0.tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages.0.tool_calls.0"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "a.b"}}]}]},
            "messages.0.tool_calls.0.function.name",
        ),
        ({"messages": [calling("t1", arguments=7)]}, "messages.0.tool_calls.0.function.arguments"),
        ({"functions": "add"}, "functions"),
        ({"functions": [{"name": "add"}], "tools": [tool()]}, "functions"),
        ({"functions": [{"name": "add"}], "function_call": "sometimes"}, "function_call"),
        ({"messages": [HI, {"role": "function", "name": "add", "content": "2"}]}, "messages.1.tool_call_id"),
        ({"tools": {"a": 1}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools.0"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
        ({"tools": [tool("two words")]}, "tools.0.function.name"),
        ({"tools": [tool(parameters=[])]}, "tools.0.function.parameters"),
        ({"tools": [tool(parameters={"type": "string"})]}, "tools.0.function.parameters.type"),
        ({"tools": [tool()], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "mul"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 2.5}, "max_completion_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"stop": 7}, "stop"),
        ({"stop": [7]}, "stop"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"reasoning_effort": ["high"]}, "reasoning_effort"),
    ],
)
def test_what_converse_has_no_form_for(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failed:
        converse_request({"messages": [HI], **fields}, Lessons())
    assert failed.value.param == param


SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (LLAMA, {"tools": [tool(strict=True)], "tool_choice": "required", "stream": True}),
        (LLAMA, {"messages": [HI, calling("t1"), result("t1"), HI]}),
        (MIXTRAL, {"messages": [{"role": "system", "content": "be brief"}, HI]}),
        (MISTRAL, {"messages": [HI, calling("t1"), result("t1"), HI]}),
        (GPT_OSS, {"tools": [tool(strict=True)], "stop": "END", "reasoning_effort": "low"}),
        (QWEN, {"stop": "END", "reasoning_effort": "high"}),
        ("deepseek.v3-v1:0", {"stop": "END"}),
        (GLM, {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "add"}}}),
    ],
)
def test_what_is_known_costs_no_refused_call(model: str, fields: dict[str, Any]) -> None:
    asked = converse_request({"messages": [HI], **fields}, Lessons(family_of(model)))
    assert refusal_of(model, asked, stream=bool(fields.get("stream"))) is None


def test_what_a_family_lacks_names_the_field() -> None:
    assert refused(LLAMA, response_format=SCHEMA) == "response_format"
    assert refused(R1, tools=[tool()]) == "tools"
    assert refused(R1, HI, calling("t1"), result("t1")) == "messages"
    # Whether Gemma calls tools nobody knows: it is asked, and believed.
    assert refused(GEMMA, tools=[tool()]) == "tools"


@pytest.mark.parametrize(
    ("words", "fields", "param"),
    [
        (
            "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
            {"stop": "x"},
            None,
        ),
        ("This model doesn't support the outputConfig field.", {"response_format": SCHEMA}, "response_format"),
        ("This model doesn't support tool use.", {"tools": [tool()]}, "tools"),
        ("This model doesn't support tool use in streaming mode.", {"tools": [tool()]}, None),
        ("tools.0.custom.strict: Extra inputs are not permitted", {"tools": [tool(strict=True)]}, None),
        (
            "This model doesn't support the toolConfig.toolChoice.any field.",
            {"tools": [tool()], "tool_choice": "required"},
            None,
        ),
    ],
)
def test_bedrocks_own_words_teach(words: str, fields: dict[str, Any], param: str | None) -> None:
    lessons, body = Lessons(), {"messages": [HI], **fields}
    before = converse_request(body, lessons)
    lessons.learn(words)
    if param:
        with pytest.raises(InvalidRequest) as told:
            converse_request(body, lessons)
        assert told.value.param == param
    else:
        assert converse_request(body, lessons) != before


# ---- Whatever comes --------------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=5)
    | st.sampled_from([PIXEL["image_url"]["url"], "text", "image_url", "function", "required", "none"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "image_url", "function", "name", "arguments", "id"]), inner)
    ),
    max_leaves=8,
)
_IDS = st.sampled_from(["t1", "t2", "a.b:c", "", "x" * 70])
_CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": _IDS,
            "function": st.fixed_dictionaries(
                {"name": st.just("add"), "arguments": st.sampled_from(["{}", "[", "7", ""])}
            ),
        }
    ),
    max_size=3,
)
_CONTENT = (
    st.none()
    | st.sampled_from(["", " ", "hi"])
    | st.lists(st.just(PIXEL) | st.just({"type": "text", "text": "x"}), max_size=2)
)
_LIKELY = (
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": _CONTENT})
    | st.fixed_dictionaries({"role": st.just("assistant"), "content": _CONTENT, "tool_calls": _CALLS})
    | st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": _IDS, "content": _CONTENT})
)
_ODD = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function", "x"])},
    optional={
        "content": _JSON,
        "function_call": _JSON,
        "tool_calls": _JSON,
        "tool_call_id": _JSON,
        "name": _JSON,
        "refusal": _JSON,
    },
)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.just([tool(), tool("mul", strict=True, parameters={})]) | _JSON,
        "tool_choice": st.sampled_from(["auto", "none", "required"]) | _JSON,
        "stop": st.sampled_from(["x", ["x", ""]]) | _JSON,
        "response_format": st.just(SCHEMA) | _JSON,
        "reasoning_effort": st.sampled_from(["none", "high"]) | _JSON,
        **dict.fromkeys(
            ["n", "temperature", "max_tokens", "top_p", "service_tier", "parallel_tool_calls", "seed"], _JSON
        ),
    },
)
SLOW = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@given(
    model=st.sampled_from(MODELS),
    messages=st.lists(_LIKELY | _LIKELY | _ODD, min_size=1, max_size=6),
    fields=_FIELDS,
    stream=st.booleans(),
)
@SLOW
def test_whatever_comes_every_family_takes_what_it_becomes(
    model: str, messages: list[dict[str, Any]], fields: dict[str, Any], stream: bool
) -> None:
    with suppress(InvalidRequest):
        settled(model, *messages, stream=stream, **fields)
