"""The cards of a deployment's targets: what the model, the engine and the service in front of it make together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from spillway.domain.capabilities.card import Ability, Card
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.paths.bedrock import bedrock_api
from spillway.domain.paths.bedrock_models import BedrockModel, CalledModel, bedrock_model
from spillway.domain.paths.model_catalog import find
from spillway.domain.paths.path import Path
from spillway.domain.paths.targets import BedrockApi

_TOOL_USE = frozenset({Ability.TOOLS, Ability.TOOL_CHOICE, Ability.STREAMED_TOOLS, Ability.PARALLEL_TOOLS})


@dataclass(frozen=True)
class Cards:
    """What a deployment's targets can do; ``spill`` is None where there is no spill target."""

    primary: Card
    spill: Card | None


def cards_of(spec: DeploymentSpec, called: Mapping[str, CalledModel | None] = MappingProxyType({})) -> Cards:
    """Return the cards of what a deployment asks for, before and after anything of it exists.

    ``called`` is what Bedrock's catalog said of the ids that it names.
    """
    spill = spec.spill
    return Cards(_primary(spec, called), bedrock_card(_own_id(spill.model_id, called), spill.api) if spill else None)


def bedrock_card(model_id: str, api: BedrockApi | None = None) -> Card:
    """Return the card of a model or inference profile of Bedrock's catalog; ``api`` is the one that the user named."""
    model, api = bedrock_model(model_id), bedrock_api(model_id, api)
    known = {**_known_of(model), Ability.CHAT: True, Ability.EMBEDDINGS: False, Ability.PROMPTS: False}
    mapped = {Ability.COMPLETIONS}
    if api == "openai" and model is not None and model.responses:
        # The endpoint takes gpt-oss's response_format without holding the model to it.
        known |= {Ability.RESPONSES: True, Ability.JSON_OBJECT: False}
    else:
        mapped.add(Ability.RESPONSES)
    if api == "converse":
        # One answer, no probabilities, no JSON without a schema: Converse has no place for them.
        known |= {Ability.LOGPROBS: False, Ability.CHOICES: False, Ability.JSON_OBJECT: False}
    return _card(known, mapped, model.context_length if model else None, model.most_output if model else None)


def _own_id(asked: str, called: Mapping[str, CalledModel | None]) -> str:
    found = called.get(asked)
    return asked if found is None else found.model_id


def _primary(spec: DeploymentSpec, called: Mapping[str, CalledModel | None]) -> Card:
    match spec.path:
        case Path.FLEET:
            return _fleet_card(spec)
        case Path.BEDROCK:
            return bedrock_card(_own_id(spec.profile.model_id(spec.model.id), called))
        case Path.IMPORT:
            # Bedrock's own engine, which takes OpenAI's bodies; what it heeds of them nobody promises.
            known = {Ability.CHAT: True, Ability.COMPLETIONS: True, Ability.EMBEDDINGS: False}
            return _card(known | _of_weights(spec), {Ability.RESPONSES})
        case Path.JUMPSTART:
            # The container is the hub document's: most speak vLLM's protocol, with flags that only it knows.
            return _card({Ability.CHAT: True} | _of_weights(spec), {Ability.RESPONSES})
        case _:
            assert_never(spec.path)


def _fleet_card(spec: DeploymentSpec) -> Card:
    """Return what vLLM does for every generating model, tools aside; whether it embeds the model decides."""
    by_engine = (
        Ability.CHAT,
        Ability.COMPLETIONS,
        Ability.RESPONSES,
        Ability.JSON_OBJECT,
        Ability.JSON_SCHEMA,
        Ability.CHOICES,
        Ability.PROMPTS,
        Ability.LOGPROBS,
    )
    known = dict.fromkeys(by_engine, True) | _of_weights(spec)
    if spec.engine.options.tool_call_parser is not None:  # vLLM refuses tools without one.
        known |= dict.fromkeys(_TOOL_USE - {Ability.PARALLEL_TOOLS}, True)
    else:
        known |= dict.fromkeys(_TOOL_USE, False) | {Ability.STRICT_TOOLS: False}
    return _card(known, (), spec.engine.max_model_len)


def _of_weights(spec: DeploymentSpec) -> dict[Ability, bool]:
    """Return what is the model's own wherever it runs."""
    model = find(spec.model.id)
    known = bedrock_model(model.bedrock_id) if model and model.bedrock_id else None
    return {} if known is None or known.images is None else {Ability.IMAGES: known.images}


def _known_of(model: BedrockModel | None) -> dict[Ability, bool]:
    if model is None:
        return {}
    flags = {
        Ability.TOOLS: model.tools,
        Ability.STREAMED_TOOLS: model.streamed_tools,
        Ability.TOOL_CHOICE: model.tool_choice,
        Ability.IMAGES: model.images,
        Ability.JSON_SCHEMA: model.json_schema,
        Ability.SYSTEM: model.system,
        Ability.REASONING: model.reasons,
    }
    if model.tools is False:
        flags |= dict.fromkeys((Ability.PARALLEL_TOOLS, Ability.STRICT_TOOLS), False)
    return {ability: flag for ability, flag in flags.items() if flag is not None}


def _card(
    known: Mapping[Ability, bool],
    mapped: Iterable[Ability],
    context_length: int | None = None,
    most_output_tokens: int | None = None,
) -> Card:
    """Return a card; ``mapped`` are the endpoints that are answered by way of chat."""
    card = Card(
        frozenset(ability for ability, can in known.items() if can),
        frozenset(mapped),
        context_length=context_length,
        most_output_tokens=most_output_tokens,
    )
    return card.without(*(ability for ability, can in known.items() if not can))
