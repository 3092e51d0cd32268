"""Every field of OpenAI's types, and what the code's tables say of it on every upstream."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import FunctionToolParam, ResponseTextConfigParam, response_create_params
from openai.types.shared_params import Reasoning

from spillway.adapters.upstreams import completions_as_chat, responses_fields
from spillway.adapters.upstreams.bedrock_embeddings import fields as embeddings_fields
from spillway.adapters.upstreams.converse import fields as converse_fields
from spillway.adapters.upstreams.fields import Field
from spillway.domain.paths.bedrock_embeddings import embedding_model
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.domain.task import Task
from spillway.gateway.request.validation import STATEFUL
from spillway.gateway.upstream import Endpoint, can_answer, speaks

# One target for each wire, under its name in the documentation. The model on Converse thinks, and takes schemas.
TARGETS: Mapping[str, Target] = {
    "fleet": FleetTarget("support-llama"),
    "JumpStart": SageMakerTarget("ep", "ic"),
    "Bedrock's OpenAI API": BedrockTarget("qwen.qwen3-32b-v1:0", "openai"),
    "gpt-oss there": BedrockTarget("openai.gpt-oss-20b-1:0", "openai"),
    "imported": ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"),
    "Converse": BedrockTarget("zai.glm-5", "converse"),
}
EMBEDDING_TARGETS: Mapping[str, Target] = {
    "fleet": FleetTarget("support-llama", Task.EMBED),
    "JumpStart": SageMakerTarget("ep", "ic", task=Task.EMBED),
    "Titan on Bedrock": BedrockTarget("amazon.titan-embed-text-v2:0", None),
    "Cohere there": BedrockTarget("cohere.embed-v4:0", None),
}
ENDPOINTS: tuple[Endpoint, ...] = ("chat/completions", "completions", "responses", "embeddings")

CONVERSE = {**converse_fields.FIELDS, **converse_fields.NESTED}
MAPPED: Mapping[Endpoint, Mapping[str, Field]] = {
    "completions": completions_as_chat.FIELDS,
    "responses": {**responses_fields.FIELDS, **responses_fields.NESTED},
}
_TYPES: Mapping[Endpoint, tuple[Any, ...]] = {
    "chat/completions": (
        chat_create_params.CompletionCreateParamsNonStreaming,
        chat_create_params.CompletionCreateParamsStreaming,
    ),
    "completions": (
        completion_create_params.CompletionCreateParamsNonStreaming,
        completion_create_params.CompletionCreateParamsStreaming,
    ),
    "responses": (
        response_create_params.ResponseCreateParamsNonStreaming,
        response_create_params.ResponseCreateParamsStreaming,
    ),
    "embeddings": (embedding_create_params.EmbeddingCreateParams,),
}
_MORE_FIELDS: Mapping[Endpoint, Iterable[Iterable[str]]] = {
    "chat/completions": (CONVERSE,),
    "embeddings": embeddings_fields.FIELDS.values(),
}
_MODEL = Field("mapped", "the upstream's name of the model, if it has one")


def names_of(prefix: str, *types: Any) -> set[str]:
    """Return the fields of types."""
    return {f"{prefix}{name}" for each in types for name in get_type_hints(each)}


def fields_of(endpoint: Endpoint) -> set[str]:
    """Return the fields of an endpoint's requests in OpenAI's types, those of responses inside of them too."""
    names = names_of("", *_TYPES[endpoint])
    if endpoint != "responses":
        return names
    include = get_type_hints(response_create_params.ResponseCreateParamsStreaming)["include"]
    return (
        names
        | {f"include.{value}" for value in literals_in(include)}
        | names_of("reasoning.", Reasoning)
        | names_of("stream_options.", response_create_params.StreamOptions)
        | names_of("text.", ResponseTextConfigParam)
        | names_of("tools.", FunctionToolParam) - {"tools.type"}
    )


def all_fields_of(endpoint: Endpoint) -> set[str]:
    """Return the fields that the tables have: OpenAI's, and what stands inside of them or is a family's own."""
    return fields_of(endpoint).union(*_MORE_FIELDS.get(endpoint, ()))


def literals_in(hint: Any) -> Iterator[str]:
    """Yield the strings of a hint's literals, however deep."""
    for each in get_args(hint):
        yield from [each] if isinstance(each, str) else literals_in(each)


def types_in(hint: Any) -> Iterator[Any]:
    """Yield the typed dictionaries of a hint's unions and lists."""
    if get_origin(hint) is None and hasattr(hint, "__total__"):
        yield hint
    for each in get_args(hint):
        yield from types_in(each)


def targets_of(endpoint: Endpoint) -> Mapping[str, Target]:
    """Return the targets that an endpoint may be answered by, under their names in the documentation."""
    return EMBEDDING_TARGETS if endpoint == "embeddings" else TARGETS


def field_on(target: Target, endpoint: Endpoint, name: str) -> Field:
    """Return what the tables say of a field on a target."""
    if not can_answer(target, endpoint):
        return Field("refused", "there is no such endpoint")
    if isinstance(target, BedrockTarget) and (embeds := embedding_model(target.model_id)):
        return embeddings_fields.FIELDS[embeds.family][name]
    if name == "model":
        return _MODEL
    if endpoint == "responses" and name in STATEFUL:
        return responses_fields.FIELDS[name]
    is_converse = target == TARGETS["Converse"]
    if speaks(target, endpoint):
        return CONVERSE[name] if is_converse else _direct(target, endpoint, name)
    field = MAPPED[endpoint][name]
    in_chat = field.chat or (name if field.fate == "passed" else None)
    if in_chat is None:
        return field
    if not is_converse:
        return field if field.chat else _direct(target, "chat/completions", name)
    then = CONVERSE[in_chat]
    return field if field.chat and then.fate == "mapped" else then


def _direct(target: Target, endpoint: Endpoint, name: str) -> Field:
    if isinstance(target, BedrockTarget) and endpoint == "chat/completions" and name == "max_tokens":
        return Field("mapped", "`max_completion_tokens`")
    return Field("passed")


def page_of(endpoint: Endpoint) -> Iterator[str]:
    """Yield the documentation's table of an endpoint, with targets that do not differ in one column."""
    names = sorted(all_fields_of(endpoint))
    groups: dict[tuple[str, ...], list[str]] = {}
    for label, target in targets_of(endpoint).items():
        groups.setdefault(tuple(field_on(target, endpoint, name).fate for name in names), []).append(label)
    yield f"| field | {' | '.join(', '.join(labels) for labels in groups.values())} | how |"
    yield "|---" * (len(groups) + 2) + "|"
    for name, fates in zip(names, zip(*groups, strict=True), strict=True):
        hows = dict.fromkeys(field_on(target, endpoint, name).how for target in targets_of(endpoint).values())
        yield f"| `{name}` | {' | '.join(fates)} | {'; '.join(filter(None, hows))} |"
