"""What becomes of each field of an OpenAI embeddings request on Bedrock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spillway.adapters.upstreams.fields import Field
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.bedrock_embeddings import EmbeddingModel

# OpenAI's own limit of a request.
MOST_INPUTS = 2048
INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")
_FORMATS = ("float", "base64")

_OF_BOTH = {
    "encoding_format": Field("mapped", "made here"),
    "input": Field("mapped", "texts; tokens are refused"),
    "model": Field("mapped", "the deployment's model on Bedrock"),
    "user": Field("dropped", "a hint that Bedrock has no place for"),
}
# By the family of the model. What is not here is dropped, and named.
FIELDS: Mapping[str, Mapping[str, Field]] = {
    "cohere": {
        **_OF_BOTH,
        "dimensions": Field("mapped", "`output_dimension`; lengths that a model has not are refused"),
        "input_type": Field("passed", "`search_document` where it is left out"),
    },
    "titan": {
        **_OF_BOTH,
        "dimensions": Field("passed"),
        "input_type": Field("dropped", "Titan makes the same vectors of all"),
    },
}
_TAKEN = {
    family: frozenset(name for name, field in fields.items() if field.fate != "dropped")
    for family, fields in FIELDS.items()
}


@dataclass(frozen=True)
class Asked:
    """A request to an embedding model, checked; ``size`` is None for the vectors' default length."""

    texts: tuple[str, ...]
    encoding: Literal["float", "base64"]
    size: int | None
    input_type: str
    dropped: tuple[str, ...]


def asked_of(body: Mapping[str, Any], model: EmbeddingModel) -> Asked:
    """Return what a body asks for; raises InvalidRequest with the field for what the model has no form for."""
    given = {name: value for name, value in body.items() if value is not None and name != "stream"}
    return Asked(
        texts=_texts(given["input"]),
        encoding=_one_of(given, "encoding_format", _FORMATS, "float"),
        size=_size(given.get("dimensions"), model),
        input_type=_one_of(given, "input_type", INPUT_TYPES, INPUT_TYPES[0]) if model.family == "cohere" else "",
        dropped=tuple(sorted(given.keys() - _TAKEN[model.family])),
    )


def _texts(given: str | list[Any]) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else given
    if len(texts) > MOST_INPUTS:
        raise InvalidRequest(f"input must have at most {MOST_INPUTS} texts, and has {len(texts)}", param="input")
    for index, text in enumerate(texts):
        if isinstance(text, int | list):
            raise InvalidRequest(
                "a model on Bedrock takes text alone, no tokens: send input as a string or a list of strings",
                param="input",
                code="invalid_type",
                allowed=["a string", "a list of strings"],
            )
        if not isinstance(text, str) or not text:
            raise InvalidRequest("a text must be a string and not empty", param=f"input.{index}", code="invalid_type")
    return tuple(texts)


def _size(wanted: Any, model: EmbeddingModel) -> int | None:
    if wanted is None:
        return None
    if type(wanted) is not int or wanted not in model.sizes:
        allowed = ", ".join(map(str, model.sizes))
        raise InvalidRequest(
            f"the vectors of this model have {allowed} dimensions", param="dimensions", allowed=[*map(str, model.sizes)]
        )
    return wanted if len(model.sizes) > 1 else None


def _one_of(given: Mapping[str, Any], field: str, allowed: tuple[str, ...], default: str) -> Any:
    value = given.get(field, default)
    if value not in allowed:
        raise InvalidRequest(f"{field} must be one of {', '.join(allowed)}", param=field, allowed=allowed)
    return value
