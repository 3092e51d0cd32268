"""What deployments' targets are known to do, by path, engine, model and API."""

from typing import get_args

import pytest

from spillway.domain.capabilities.card import Ability, Card
from spillway.domain.capabilities.deployment_cards import bedrock_card, cards_of
from spillway.domain.paths.bedrock_models import CalledModel, bedrock_model
from spillway.domain.paths.model_catalog import MODELS
from spillway.domain.paths.path import Path
from spillway.domain.paths.targets import BedrockApi
from tests.builders import SPILL_MODEL, a_spec

LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"


def answers(card: Card, *abilities: Ability) -> list[str]:
    return [card.answer(ability) for ability in abilities]


def test_a_fleet_without_a_parser_has_everything_of_its_engine_but_tools() -> None:
    card = cards_of(a_spec(engine={"max_model_len": 4096, "tool_call_parser": "none"})).primary
    assert answers(card, Ability.JSON_OBJECT, Ability.CHOICES, Ability.LOGPROBS, Ability.RESPONSES) == ["yes"] * 4
    assert answers(card, Ability.TOOLS, Ability.TOOL_CHOICE, Ability.STREAMED_TOOLS) == ["no"] * 3
    assert card.context_length == 4096


@pytest.mark.parametrize(
    ("backend", "grammar"),
    [(None, "xgrammar"), ("auto", "xgrammar"), ("xgrammar", "xgrammar"), ("guidance", "guidance"), ("outlines", None)],
)
def test_a_fleet_holds_answers_to_schemas_by_what_its_engine_is_started_with(
    backend: str | None, grammar: str | None
) -> None:
    args = {"structured-outputs-config": {"backend": backend}} if backend else {}
    assert cards_of(a_spec(engine={"args": args})).primary.grammar == grammar


def test_bedrock_holds_answers_to_schemas_where_the_model_takes_any() -> None:
    assert bedrock_card("qwen.qwen3-32b-v1:0").grammar == "bedrock"
    assert bedrock_card(LLAMA).grammar is None


def test_a_fleet_whose_engine_is_started_with_a_parser_has_tools() -> None:
    card = cards_of(a_spec(engine={"tool_call_parser": "llama3_json"})).primary
    assert answers(card, Ability.TOOLS, Ability.TOOL_CHOICE, Ability.STREAMED_TOOLS) == ["yes"] * 3


def hosted(framework: str, version: str, **resources: str) -> Card:
    spec = a_spec(path="jumpstart", capacity={"instance_types": ["g5.2xlarge"]})
    return cards_of(spec, {}, {"framework": framework, "framework_version": version, **resources}).primary


@pytest.mark.parametrize(
    ("framework", "version", "completions", "choices", "json_object", "logprobs"),
    [
        ("vllm", "0.18.0", "yes", "yes", "yes", "yes"),
        ("djl-lmi", "0.36.0", "yes", "yes", "yes", "yes"),
        ("djl-lmi", "0.34.0", "emulated", "emulated", "unknown", "no"),
        ("djl-lmi", "0.29.0", "emulated", "emulated", "emulated", "no"),
        ("huggingface-llm", "2.0.0", "emulated", "emulated", "emulated", "no"),
        ("sglang", "0.5.17", "unknown", "unknown", "unknown", "unknown"),
    ],
)
def test_what_a_container_does_follows_its_framework_and_release(
    framework: str, version: str, completions: str, choices: str, json_object: str, logprobs: str
) -> None:
    card = hosted(framework, version)
    asked = (Ability.COMPLETIONS, Ability.CHOICES, Ability.JSON_OBJECT, Ability.LOGPROBS)
    assert answers(card, *asked) == [completions, choices, json_object, logprobs]
    assert answers(card, Ability.CHAT, Ability.RESPONSES) == ["yes", "emulated"]


@pytest.mark.parametrize(
    ("framework", "version", "tools", "tool_choice"),
    [
        ("vllm", "0.18.0", "yes", "yes"),
        ("djl-lmi", "0.36.0", "yes", "yes"),
        ("djl-lmi", "0.34.0", "yes", "unknown"),
        ("djl-lmi", "0.29.0", "no", "no"),
        ("huggingface-llm", "3.3.7", "no", "no"),
    ],
)
def test_a_container_has_tools_from_the_release_on_that_has_parsers(
    framework: str, version: str, tools: str, tool_choice: str
) -> None:
    card = hosted(framework, version, tool_call_parser="llama3_json")
    assert answers(card, Ability.TOOLS, Ability.TOOL_CHOICE) == [tools, tool_choice]
    assert hosted(framework, version).answer(Ability.TOOLS) == "no", "none without a parser"


@pytest.mark.parametrize(
    ("model", "images"),
    [("meta-llama/Llama-3.1-8B-Instruct", "no"), ("google/gemma-3-27b-it", "yes"), ("acme/unheard-of-7b", "unknown")],
)
def test_whether_a_fleet_takes_images_is_the_models(model: str, images: str) -> None:
    capacity = {"instance_types": ["g6e.xlarge"]}
    assert answers(cards_of(a_spec(model={"id": model}, capacity=capacity)).primary, Ability.IMAGES) == [images]


def test_converse_has_no_place_for_some_and_the_gateway_makes_up_most() -> None:
    card = bedrock_card(LLAMA, "converse")
    made_up = (
        Ability.CHOICES,
        Ability.PROMPTS,
        Ability.JSON_OBJECT,
        Ability.STREAMED_TOOLS,
        Ability.TOOL_CHOICE,
        Ability.COMPLETIONS,
    )
    assert answers(card, *made_up) == ["emulated"] * len(made_up)
    assert answers(card, Ability.TOOLS, Ability.SYSTEM) == ["yes", "yes"]
    assert answers(card, Ability.LOGPROBS, Ability.JSON_SCHEMA, Ability.EMBEDDINGS) == ["no"] * 3
    assert (card.context_length, card.most_output_tokens) == (128_000, 4_096)


def test_the_openai_compatible_endpoint_has_responses_for_gpt_oss_alone() -> None:
    assert answers(bedrock_card(GPT_OSS, "openai"), Ability.RESPONSES, Ability.JSON_OBJECT) == ["yes", "emulated"]
    qwen = bedrock_card("qwen.qwen3-32b-v1:0", "openai")
    assert answers(qwen, Ability.RESPONSES, Ability.CHOICES, Ability.LOGPROBS) == ["emulated", "emulated", "no"]
    assert qwen.context_length == 32_768


def test_the_api_that_a_deployment_names_is_that_of_its_card() -> None:
    spec = a_spec(path="bedrock", model={"id": GPT_OSS, "api": "converse"}, capacity=None)
    assert cards_of(spec).primary == bedrock_card(GPT_OSS, "converse") != bedrock_card(GPT_OSS)


@pytest.mark.parametrize(("model", "tools"), [("Qwen/Qwen3-8B", "no"), ("openai/gpt-oss-20b", "unknown")])
def test_an_imported_model_does_what_its_user_guide_says(model: str, tools: str) -> None:
    spec = a_spec(path="import", model={"id": model, "weights": "s3://bucket/weights"}, capacity=None)
    card = cards_of(spec).primary
    assert answers(card, Ability.JSON_OBJECT, Ability.JSON_SCHEMA, Ability.LOGPROBS) == ["yes"] * 3
    assert answers(card, Ability.CHOICES, Ability.TOOLS, Ability.STREAMED_TOOLS) == ["emulated", tools, tools]


def test_a_model_without_system_prompts_cannot_be_instructed_to_write_json() -> None:
    card = bedrock_card("mistral.mixtral-8x7b-instruct-v0:1", "converse")
    assert answers(card, Ability.SYSTEM, Ability.JSON_OBJECT, Ability.STREAMED_TOOLS) == ["no", "no", "no"]


def test_a_model_that_is_not_listed_is_unknown_but_for_what_its_api_lacks() -> None:
    card = bedrock_card("acme.thinker-v9:0", "converse")
    assert answers(card, Ability.TOOLS, Ability.IMAGES, Ability.SYSTEM) == ["unknown"] * 3
    assert (card.context_length, card.answer(Ability.LOGPROBS)) == (None, "no")


@pytest.mark.parametrize(
    "model_id",
    [
        "meta.llama3-1-8b-instruct-v1:0",
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-1-8b-instruct-v1:0",
    ],
)
def test_a_profile_is_its_model(model_id: str) -> None:
    assert bedrock_card(model_id, "converse") == bedrock_card("eu.meta.llama3-1-8b-instruct-v1:0", "converse")


def test_an_application_profile_has_the_card_of_the_model_that_it_was_made_of() -> None:
    asked = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2c3"
    spec = a_spec(spill={"model_id": asked})
    assert cards_of(spec, {asked: CalledModel(asked, LLAMA, ("us-east-1",))}).spill == bedrock_card(LLAMA)
    assert cards_of(spec, {asked: None}).spill == bedrock_card("acme.unheard-of")


@pytest.mark.parametrize("model", [model.bedrock_id for model in MODELS if model.bedrock_id])
def test_every_model_of_the_catalog_is_listed(model: str) -> None:
    known = bedrock_model(model)
    assert known
    assert known.context_length


@pytest.mark.parametrize("path", Path)
def test_every_path_has_a_card_that_never_says_two_things(path: Path) -> None:
    weights = "s3://bucket/weights" if path is Path.IMPORT else None
    spec = a_spec(path=path, model={"id": "Qwen/Qwen3-32B", "weights": weights})
    card = cards_of(spec).primary
    assert len(card.can | card.emulated | card.cannot) == len(card.can) + len(card.emulated) + len(card.cannot)
    assert card.answer(Ability.CHAT) == "yes"


@pytest.mark.parametrize("api", get_args(BedrockApi))
def test_the_spill_targets_card_is_that_of_the_api_it_is_asked_by(api: BedrockApi) -> None:
    assert cards_of(a_spec(spill={"model_id": SPILL_MODEL, "api": api})).spill == bedrock_card(SPILL_MODEL, api)
    assert cards_of(a_spec(spill=None)).spill is None
