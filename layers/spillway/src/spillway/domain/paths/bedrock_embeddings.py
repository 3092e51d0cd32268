"""Bedrock's models of text embeddings: what each takes of a request; light, the gateway knows it too.

Compiled 2026-12-01 from Bedrock's user guide ("Amazon Titan Embeddings G1 - Text", "Amazon Titan Text Embeddings
models", "Cohere Embed v3", "Cohere Embed v4"). Nothing here was tried against an account.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from spillway.domain.paths.bedrock_models import bedrock_model, own_id
from spillway.domain.task import Task


@dataclass(frozen=True)
class EmbeddingModel:
    """``family`` is the form of its bodies, ``sizes`` the lengths that its vectors can have, its default first.

    ``context_length`` is in tokens, of one text.
    """

    family: Literal["titan", "cohere"]
    sizes: tuple[int, ...]
    context_length: int


_MODELS = {
    "amazon.titan-embed-text-v1": EmbeddingModel("titan", (1536,), 8_192),
    "amazon.titan-embed-text-v2:0": EmbeddingModel("titan", (1024, 512, 256), 8_192),
    "cohere.embed-english-v3": EmbeddingModel("cohere", (1024,), 512),
    "cohere.embed-multilingual-v3": EmbeddingModel("cohere", (1024,), 512),
    "cohere.embed-v4:0": EmbeddingModel("cohere", (1536, 1024, 512, 256), 128_000),
}
_RERANKERS = ("amazon.rerank-", "cohere.rerank-")


@lru_cache(maxsize=1024)
def embedding_model(identifier: str) -> EmbeddingModel | None:
    """Return what is known of an embedding model, by its id or by that of a cross-region profile."""
    return _MODELS.get(own_id(identifier))


@lru_cache(maxsize=1024)
def bedrock_task(identifier: str) -> Task | None:
    """Return what a model of Bedrock's is for, by its id or by that of a cross-region profile; None if unknown."""
    if embedding_model(identifier) is not None:
        return Task.EMBED
    if own_id(identifier).startswith(_RERANKERS):
        return Task.RERANK
    return None if bedrock_model(identifier) is None else Task.CHAT
