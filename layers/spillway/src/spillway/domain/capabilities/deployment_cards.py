"""The cards of a deployment's targets: what the model, the engine and the service in front of it make together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import assert_never

from spillway.domain.capabilities.card import Ability, Card, card_of_task
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.registry import engine_of
from spillway.domain.paths.bedrock import bedrock_api
from spillway.domain.paths.bedrock_embeddings import embedding_model
from spillway.domain.paths.bedrock_models import BedrockModel, CalledModel, bedrock_model
from spillway.domain.paths.containers import Protocol, protocol_in
from spillway.domain.paths.model_catalog import find
from spillway.domain.paths.path import Path
from spillway.domain.paths.targets import BedrockApi
from spillway.domain.task import Task

# What models that write text have no endpoint for.
_NO_VECTORS = {Ability.EMBEDDINGS: False, Ability.RERANK: False}
_TOOL_USE = frozenset({Ability.TOOLS, Ability.TOOL_CHOICE, Ability.STREAMED_TOOLS, Ability.PARALLEL_TOOLS})
# Beside the endpoints and tools, what vLLM does for every generating model.
_BY_VLLM = (Ability.JSON_OBJECT, Ability.JSON_SCHEMA, Ability.CHOICES, Ability.PROMPTS, Ability.LOGPROBS)
_NOTHING: Mapping[str, str] = MappingProxyType({})


# Bedrock's own engine, which takes OpenAI's bodies: formats and probabilities by its user guide ("Advanced API features
# for imported models", of models imported since 2025-11); of several choices nobody tells that it heeds them.
_IMPORTED = {
    **_NO_VECTORS,
    Ability.CHAT: True,
    Ability.COMPLETIONS: True,
    Ability.JSON_OBJECT: True,
    Ability.JSON_SCHEMA: True,
    Ability.LOGPROBS: True,
    Ability.CHOICES: False,
}


@dataclass(frozen=True)
class Cards:
    """What a deployment's targets can do; ``spill`` is None where there is no spill target."""

    primary: Card
    spill: Card | None


def cards_of(
    spec: DeploymentSpec,
    called: Mapping[str, CalledModel | None] = MappingProxyType({}),
    resources: Mapping[str, str] = _NOTHING,
) -> Cards:
    """Return the cards of what a deployment asks for, before and after anything of it exists.

    ``called`` is what Bedrock's catalog said of the ids that it names, ``resources`` what was made for it so far.
    """
    spill = spec.spill
    return Cards(
        _primary(spec, called, resources), bedrock_card(_own_id(spill.model_id, called), spill.api) if spill else None
    )


def bedrock_card(model_id: str, api: BedrockApi | None = None) -> Card:
    """Return the card of a model or inference profile of Bedrock's catalog; ``api`` is the one that the user named."""
    if embeds := embedding_model(model_id):
        return card_of_task(Task.EMBED, embeds.context_length)
    model, api = bedrock_model(model_id), bedrock_api(model_id, api)
    known = {**_known_of(model), **_NO_VECTORS, Ability.CHAT: True, Ability.PROMPTS: False}
    # Converse has no place for them, and of the OpenAI-compatible endpoint nobody tells that it heeds them: it took
    # gpt-oss's response_format without holding the model to it. What may be left out in silence counts as lacking.
    known |= {Ability.LOGPROBS: False, Ability.CHOICES: False, Ability.JSON_OBJECT: False}
    mapped = {Ability.COMPLETIONS}
    if api == "openai" and model is not None and model.responses:
        known |= {Ability.RESPONSES: True}
    else:
        mapped.add(Ability.RESPONSES)
    card = _card(known, mapped)
    if model is not None:
        card = replace(card, context_length=model.context_length, most_output_tokens=model.most_output)
    return replace(card, grammar="bedrock") if Ability.JSON_SCHEMA in card.can else card


def _own_id(asked: str, called: Mapping[str, CalledModel | None]) -> str:
    found = called.get(asked)
    return asked if found is None else found.model_id


def _primary(spec: DeploymentSpec, called: Mapping[str, CalledModel | None], resources: Mapping[str, str]) -> Card:
    if spec.path is not Path.BEDROCK and spec.task is not Task.CHAT:
        return card_of_task(spec.task, spec.engine.max_model_len if spec.profile.runs_engine else None)
    match spec.path:
        case Path.FLEET:
            return _fleet_card(spec)
        case Path.BEDROCK:
            return bedrock_card(_own_id(spec.profile.model_id(spec.model.id), called), spec.model.api)
        case Path.IMPORT:
            return _card(_IMPORTED | _tools_of_import(spec.model.id) | _of_weights(spec), {Ability.RESPONSES})
        case Path.JUMPSTART:
            return _container_card(spec, resources)
        case _:
            assert_never(spec.path)


def _fleet_card(spec: DeploymentSpec) -> Card:
    """Return what vLLM does for every model that writes text, tools aside."""
    by_engine = (Ability.CHAT, Ability.COMPLETIONS, Ability.RESPONSES, *_BY_VLLM)
    known = _NO_VECTORS | dict.fromkeys(by_engine, True) | _of_weights(spec)
    card = _card(known | _tools_by(spec.engine.options.tool_call_parser), ())
    grammar = engine_of(spec.engine.name).grammar_of(spec.engine.options)
    return replace(card, context_length=spec.engine.max_model_len, grammar=grammar)


def _container_card(spec: DeploymentSpec, resources: Mapping[str, str]) -> Card:
    """Return what JumpStart's container does; the hub tells which it is once it is made."""
    known = {**_NO_VECTORS, Ability.CHAT: True} | _of_weights(spec)
    protocol = protocol_in(resources)
    if protocol is None:
        return _card(known, {Ability.RESPONSES})
    known |= _tools_by(resources.get("tool_call_parser") if protocol.tools else None)
    if protocol.is_vllms:
        return _card(known | dict.fromkeys((Ability.COMPLETIONS, *_BY_VLLM), True), {Ability.RESPONSES})
    if protocol.tools:
        # LMI's own code takes a named function, but no "required".
        known.pop(Ability.TOOL_CHOICE, None)
    return _card(known | _by_own_code(protocol), {Ability.RESPONSES, Ability.COMPLETIONS})


def _by_own_code(protocol: Protocol) -> dict[Ability, bool]:
    """Return what is known of containers that write their answers themselves.

    There is one choice in them, and their log probabilities are in a form of their own. What they do not know of a
    request they pass over, or read in another way, as TGI does formats of answers.
    """
    lacking = {Ability.CHOICES, Ability.PROMPTS, Ability.LOGPROBS}
    return dict.fromkeys(lacking if protocol.tools else lacking | {Ability.JSON_OBJECT, Ability.JSON_SCHEMA}, False)


def _tools_by(parser: str | None) -> dict[Ability, bool]:
    """Return what a parser of calls makes of tools: vLLM refuses them without one."""
    if parser is None:
        return dict.fromkeys(_TOOL_USE, False) | {Ability.STRICT_TOOLS: False}
    return dict.fromkeys(_TOOL_USE - {Ability.PARALLEL_TOOLS}, True)


def _tools_of_import(model_id: str) -> dict[Ability, bool]:
    """Return what the same page says of tools: gpt-oss alone calls them."""
    return {} if "gpt-oss" in model_id.lower() else dict.fromkeys(_TOOL_USE | {Ability.STRICT_TOOLS}, False)


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


def _card(known: Mapping[Ability, bool], mapped: Iterable[Ability]) -> Card:
    """Return a card; ``mapped`` are the endpoints that are answered by way of chat."""
    card = Card(frozenset(ability for ability, can in known.items() if can), frozenset(mapped))
    return card.without(*(ability for ability, can in known.items() if not can))
