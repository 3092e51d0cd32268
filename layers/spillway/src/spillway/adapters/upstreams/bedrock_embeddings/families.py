"""The bodies of each family of embedding models, as Bedrock's user guide has them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

from spillway.adapters.upstreams.bedrock_embeddings.fields import Asked
from spillway.domain.paths.bedrock_embeddings import EmbeddingModel

Vector: TypeAlias = list[float]

# What Cohere takes in one call; Titan takes one text.
_COHERES_TEXTS = 96


def bodies_of(asked: Asked, model: EmbeddingModel) -> Iterator[dict[str, Any]]:
    """Yield a body for each call that a request needs, in the order of its texts."""
    size = asked.size
    match model.family:
        case "titan":
            for text in asked.texts:
                yield {"inputText": text} | ({"dimensions": size} if size else {})
        case "cohere":
            for first in range(0, len(asked.texts), _COHERES_TEXTS):
                yield {
                    "texts": asked.texts[first : first + _COHERES_TEXTS],
                    "input_type": asked.input_type,
                    # A text that is too long is refused, not cut.
                    "truncate": "NONE",
                    "embedding_types": ["float"],
                } | ({"output_dimension": size} if size else {})
        case _:
            assert_never(model.family)


def vectors_in(answer: Mapping[str, Any], sent: Mapping[str, Any]) -> Sequence[Vector] | None:
    """Return the vectors for the texts of a body that was ``sent``; None for an answer that is none to it."""
    vectors: Any
    if "inputText" in sent:
        vectors = [answer.get("embedding")]
    else:
        found = answer.get("embeddings")
        vectors = found.get("float") if isinstance(found, dict) else found
    if not isinstance(vectors, list) or len(vectors) != len(sent.get("texts", ("one",))):
        return None
    return vectors if all(isinstance(vector, list) and vector for vector in vectors) else None
