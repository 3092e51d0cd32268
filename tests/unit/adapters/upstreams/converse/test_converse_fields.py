"""Every field of OpenAI's chat types has its place in the table, and the table says what the code does."""

from typing import Any, get_type_hints

import pytest
from openai.types import chat
from openai.types.shared_params import FunctionDefinition
from openai.types.shared_params.response_format_json_schema import JSONSchema

from spillway.adapters.upstreams.bedrock.learned_limits import Lessons
from spillway.adapters.upstreams.converse.fields import FIELDS, NESTED
from spillway.adapters.upstreams.converse.request import Asked, converse_request
from spillway.domain.capabilities.deployment_cards import bedrock_card
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.converse_families import family_of
from spillway.domain.paths.targets import BedrockTarget
from tests.openai_fields import fields_of, names_of, types_in
from tests.unit.adapters.upstreams.test_on_bedrock import on
from tests.unit.gateway.doubles import BODY, call

HI = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
SOUND = {"data": "AAAA", "format": "wav"}

# A value of each field that asks for something.
ASKS: dict[str, Any] = {
    "audio": {"voice": "alloy", "format": "mp3"},
    "frequency_penalty": 0.5,
    "function_call": {"name": "add"},
    "functions": [{"name": "add"}],
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 7,
    "max_tokens": 7,
    "messages": [{"role": "user", "content": "another"}],
    "metadata": {"run": "7"},
    "modalities": ["text", "audio"],
    "moderation": {"model": "omni-moderation-latest"},
    "n": 2,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": -0.5,
    "prompt_cache_key": "k",
    "prompt_cache_options": {"ttl": "30m"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "high",
    "response_format": SCHEMA,
    "safety_identifier": "u",
    "seed": 7,
    "service_tier": "flex",
    "stop": ["END"],
    "store": True,
    "temperature": 0.5,
    "tool_choice": "required",
    "tools": [TOOL],
    "top_logprobs": 3,
    "top_p": 0.5,
    "user": "u",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
}
# What the gateway itself reads: the translation has nothing to do with it.
GATEWAYS_OWN = {"model", "stream", "stream_options"}
BESIDE: dict[str, dict[str, Any]] = {
    "function_call": {"functions": [{"name": "add"}]},
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL]},
}


def asked_with(model: str = "somebody.new-model-v1:0", /, **fields: Any) -> Asked:
    lessons = Lessons(family_of(model))
    return converse_request({"messages": [HI], **fields}, lessons)


MESSAGES = (
    chat.ChatCompletionDeveloperMessageParam,
    chat.ChatCompletionSystemMessageParam,
    chat.ChatCompletionUserMessageParam,
    chat.ChatCompletionAssistantMessageParam,
    chat.ChatCompletionToolMessageParam,
    chat.ChatCompletionFunctionMessageParam,
)


def parts() -> list[Any]:
    """Return the types of content parts, of every role."""
    return [part for message in MESSAGES for part in types_in(get_type_hints(message)["content"])]


def test_every_field_of_openais_chat_types_has_its_place() -> None:
    assert set(FIELDS) == fields_of("chat/completions")
    nested = (
        names_of("messages.", *MESSAGES)
        | {name for name in names_of("messages.content.", *parts()) if not name.endswith(".type")}
        | names_of("stream_options.", chat.ChatCompletionStreamOptionsParam)
    )
    assert nested <= set(NESTED)
    # Of these the translation takes all there is.
    assert set(get_type_hints(FunctionDefinition)) == {"name", "description", "parameters", "strict"}
    assert set(get_type_hints(JSONSchema)) == {"name", "description", "schema", "strict"}


def test_every_field_has_a_sample() -> None:
    assert set(ASKS) == set(FIELDS) - GATEWAYS_OWN


@pytest.mark.parametrize("name", [name for name in ASKS if FIELDS[name].fate == "refused"])
def test_what_is_refused_is_refused_by_name_unless_it_asks_for_nothing(name: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        asked_with(**{name: ASKS[name]})
    assert told.value.param == name
    for idle in (None, *FIELDS[name].idle):
        assert asked_with(**{name: idle}) == asked_with()


@pytest.mark.parametrize("name", [name for name in ASKS if FIELDS[name].fate == "dropped"])
def test_what_is_dropped_is_named_unless_it_asks_for_nothing(name: str) -> None:
    asked = asked_with(**{name: ASKS[name]})
    assert (asked.body, asked.dropped) == (asked_with().body, (name,))
    for idle in (None, *FIELDS[name].idle):
        assert asked_with(**{name: idle}).dropped == ()


@pytest.mark.parametrize("name", [name for name in ASKS if FIELDS[name].fate in ("passed", "mapped")])
def test_what_is_passed_or_mapped_makes_a_difference(name: str) -> None:
    beside = BESIDE.get(name, {})
    # One that can be told to think, and takes a schema.
    model = "zai.glm-5"
    asked, without = asked_with(model, **beside, **{name: ASKS[name]}), asked_with(model, **beside)
    assert (asked.body, asked.terms) != (without.body, without.terms)
    assert asked.dropped == ()


def a_message(**fields: Any) -> dict[str, Any]:
    return {"messages": [HI | fields]}


NESTED_ASKS: dict[str, tuple[dict[str, Any], str]] = {
    "messages.audio": ({"messages": [HI, {"role": "assistant", "audio": {"id": "a"}}]}, "messages.1.audio"),
    "messages.content.file": (a_message(content=[{"type": "file", "file": {}}]), "messages.0.content.0.type"),
    "messages.content.input_audio": (
        a_message(content=[{"type": "input_audio", "input_audio": SOUND}]),
        "messages.0.content.0.type",
    ),
    "tools.custom": ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
}


def test_what_is_refused_inside_names_its_place() -> None:
    assert set(NESTED_ASKS) == {name for name, each in NESTED.items() if each.fate == "refused"}
    for fields, param in NESTED_ASKS.values():
        with pytest.raises(InvalidRequest) as told:
            asked_with(**fields)
        assert told.value.param == param


def test_a_name_of_a_message_is_dropped_by_name() -> None:
    assert asked_with(**a_message(name="ann")).dropped == ("messages.name",)


@pytest.mark.parametrize("name", ["guided_json", "guided_regex", "structured_outputs", "echo", "bad_words"])
def test_a_form_that_only_engines_hold_to_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        asked_with(**{name: {"type": "object"}})
    assert told.value.param == name
    assert asked_with(**{name: None}).dropped == asked_with(**{name: False}).dropped == ()


async def test_the_client_hears_what_was_dropped() -> None:
    hints = {"seed": 7, "top_k": 3, "x y\r\nset-cookie: z": 1, "user": "", "frequency_penalty": 0}
    async with on(BedrockTarget("us.meta.llama3-1-8b-instruct-v1:0", "converse")) as (world, _):
        for stream in (False, True):
            answer = await call(world, {**BODY, **hints, "stream": stream})
            assert (answer.status, answer.headers["x-spillway-dropped"]) == (200, "seed,top_k,?")
            assert "x-spillway-dropped" not in (await call(world, {**BODY, "stream": stream})).headers
        response = await call(world, {"model": "support-llama", "input": "hi", "seed": 7}, path="/v1/responses")
    assert response.headers["x-spillway-dropped"] == "seed"


@pytest.mark.parametrize(
    "asked",
    [
        {"n": 2},
        {"response_format": {"type": "json_object"}},
        {"tools": [TOOL], "stream": True},
        {"tools": [TOOL], "tool_choice": "required", "messages": [{"role": "user", "content": "please add"}]},
    ],
    ids=["choices", "JSON", "streamed calls", "a call"],
)
async def test_what_is_made_up_of_other_requests_names_what_they_dropped(asked: dict[str, Any]) -> None:
    target = BedrockTarget("us.meta.llama3-1-8b-instruct-v1:0", "converse")
    async with on(target, primary_card=bedrock_card(target.model_id, "converse")) as (world, _):
        answer = await call(world, {**BODY, "seed": 7, **asked})
    assert (answer.status, answer.headers["x-spillway-dropped"]) == (200, "seed")
