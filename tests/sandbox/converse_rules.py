"""What Converse refuses: what is no request by botocore's model of it, what does not pair, what a family lacks.

The words are those of public reports; where there is none, they follow the form of those that there are.
"""

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.sandbox.aws_errors import AwsError
from tests.sandbox.constraints import violation
from tests.sandbox.converse_families import Family, family_of

_ALTERNATE = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between "
    "user and assistant roles and try again."
)
_FIRST = "A conversation must start with a user message. Try again with a conversation that starts with a user message."
_LAST = "A conversation must end with a user message. Try again with a conversation that ends with a user message."
_NO_SYSTEM = (
    "This model doesn't support system messages. Try again without a system message or use a model that supports "
    "system messages."
)
NO_IMAGE = (
    "This model doesn't support the image content block that you provided. Update the content block and try again."
)
_NOT_BESIDE = "Conversation blocks and tool result blocks cannot be provided in the same turn."
_NO_CONFIG = "The toolConfig field must be defined when using toolUse and toolResult content blocks."


def check_converse(model_id: str, body: Mapping[str, Any], *, streams: bool) -> None:
    """Raise :class:`AwsError` for the first thing that Bedrock would not take of a request to a foundation model."""
    _check_shape(body, "ConverseStream" if streams else "Converse")
    messages = body.get("messages") or []
    if not messages:
        raise _invalid("The messages field must be a list of at least one message.")
    for problem in (*_wrong_turns(messages), *_wrong_tools(body), *_wrong_pairs(messages)):
        raise _invalid(problem)
    for problem in _lacking(family_of(model_id), body, streams):
        raise _invalid(problem)


def _check_shape(body: Mapping[str, Any], operation: str) -> None:
    model = _model()
    params = {**body, "modelId": "m"}
    shape = model.operation_model(operation).input_shape
    if shape is None:
        raise LookupError(f"botocore has no input for {operation}")
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise AwsError(400, "SerializationException", report.generate_report())
    if problem := violation(model, operation, params):
        raise _invalid(problem)
    for place, block in _blocks(body.get("messages") or []):
        for kind in ("image", "document"):
            _check_base64((block.get(kind) or {}).get("source") or {}, f"{place}.{kind}")


def _check_base64(source: Mapping[str, Any], place: str) -> None:
    try:
        base64.b64decode(source.get("bytes", ""), validate=True)
    except (TypeError, ValueError) as error:
        raise AwsError(400, "SerializationException", f"{place}.source.bytes is not base64") from error


def _wrong_turns(messages: list[dict[str, Any]]) -> Iterator[str]:
    roles = [message["role"] for message in messages]
    if roles[0] != "user":
        yield _FIRST
    if any(one == following for one, following in pairwise(roles)):
        yield _ALTERNATE
    if roles[-1] != "user":
        yield _LAST
    for index, message in enumerate(messages):
        if not message["content"]:
            yield (
                f"The content field in the Message object at messages.{index} is empty. "
                "Add a ContentBlock object to the content field and try again."
            )
    for place, block in _blocks(messages):
        if "text" in block and not block["text"].strip():
            yield (
                f"The text field in the ContentBlock object at {place} is blank. "
                "Add text to the text field, and try again."
            )


def _wrong_pairs(messages: list[dict[str, Any]]) -> Iterator[str]:
    asked: list[str] = []
    for index, message in enumerate(messages):
        place = f"messages.{index}.content"
        uses, results = _ids(message, "toolUse"), _ids(message, "toolResult")
        for kind, ids in (("toolUse", uses), ("toolResult", results)):
            if twice := [each for each, times in Counter(ids).items() if times > 1]:
                yield f"The {kind} blocks at {place} contain duplicate Ids: {', '.join(twice)}"
        if missing := [each for each in asked if each not in results]:
            yield f"Expected toolResult blocks at {place} for the following Ids: {', '.join(missing)}"
        if any(each not in asked for each in results):
            yield f"The number of toolResult blocks at {place} exceeds the number of toolUse blocks of previous turn."
        asked = uses


def _wrong_tools(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body["messages"]
    if not body.get("toolConfig") and any(
        "toolUse" in block or "toolResult" in block for _, block in _blocks(messages)
    ):
        yield _NO_CONFIG
    for place, block in _blocks(messages):
        if "toolUse" in block and not isinstance(block["toolUse"]["input"], dict):
            yield _no_object(f"{place}.toolUse.input")
        for number, inner in enumerate(block.get("toolResult", {}).get("content", ())):
            if "json" in inner and not isinstance(inner["json"], dict):
                yield _no_object(f"{place}.toolResult.content.{number}.json")
    for index, tool in enumerate((body.get("toolConfig") or {}).get("tools", ())):
        place = f"toolConfig.tools.{index}.toolSpec.inputSchema.json"
        schema = tool.get("toolSpec", {}).get("inputSchema", {}).get("json")
        if not isinstance(schema, dict):
            yield _no_object(place)
        elif schema.get("type") != "object":
            yield f"The value at {place}.type must be one of the following: object."


def _lacking(family: Family, body: Mapping[str, Any], streams: bool) -> Iterator[str]:
    if body.get("system") and not family.system:
        yield _NO_SYSTEM
    if "stopSequences" in body.get("inferenceConfig", {}) and not family.stop:
        yield _no_field("stopSequences")
    if "outputConfig" in body and not family.schema:
        yield _no_field("outputConfig")
    for name in body.get("additionalModelRequestFields") or {}:
        if name not in family.extra:
            yield (
                f"Malformed input request: extraneous key [{name}] is not permitted, "
                "please reformat your input and try again."
            )
    yield from _lacking_tools(family, body.get("toolConfig"), streams)
    yield from _lacking_content(family, body["messages"])


def _lacking_tools(family: Family, config: Mapping[str, Any] | None, streams: bool) -> Iterator[str]:
    if config is None:
        return
    if not family.tools:
        yield "This model doesn't support tool use."
    if streams and not family.tools_in_streams:
        yield "This model doesn't support tool use in streaming mode."
    for choice in config.get("toolChoice") or {}:
        if choice not in family.choices:
            yield _no_field(f"toolConfig.toolChoice.{choice}")
    if not family.strict_tools and any("strict" in tool.get("toolSpec", {}) for tool in config["tools"]):
        yield _no_field("toolConfig.tools.toolSpec.strict")


def _lacking_content(family: Family, messages: list[dict[str, Any]]) -> Iterator[str]:
    for _, block in _blocks(messages):
        if "image" in block and not family.images:
            yield NO_IMAGE
        for inner in block.get("toolResult", {}).get("content", ()):
            if "image" in inner and not family.images_in_results:
                yield NO_IMAGE
            if family.results_as_json and "json" not in inner:
                yield "This model doesn't support the text content block in toolResult. Use json and try again."
    for index, message in enumerate(messages):
        beside = ["toolResult" in block for block in message["content"]]
        if any(beside) and not all(beside) and not family.results_beside_text:
            yield f"messages.{index}.content: {_NOT_BESIDE}"


def _blocks(messages: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, message in enumerate(messages):
        for number, block in enumerate(message["content"]):
            yield f"messages.{index}.content.{number}", block


def _ids(message: Mapping[str, Any], kind: str) -> list[str]:
    return [block[kind]["toolUseId"] for block in message["content"] if kind in block]


def _no_field(name: str) -> str:
    return f"This model doesn't support the {name} field. Remove {name} and try again."


def _no_object(place: str) -> str:
    return f"The format of the value at {place} is invalid. Provide a json object for the field and try again."


def _invalid(message: str) -> AwsError:
    return AwsError(400, "ValidationException", message)


@cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")
