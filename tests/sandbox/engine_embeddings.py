"""vLLM's ``/v1/embeddings`` and ``/v1/rerank``, each of which only an engine has that was started for it."""

import base64
import struct
import zlib
from typing import Any, Literal

from pydantic import BaseModel

from tests.sandbox.engine_config import EngineConfig
from tests.sandbox.engine_wire import ApiError, read_json, validated
from tests.sandbox.wording import count_tokens

_DIMENSIONS = 8


class EmbeddingBody(BaseModel):
    """The fields of a request that change the answer."""

    model: str | None = None
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class RerankBody(BaseModel):
    """The fields of a request that change the answer."""

    model: str | None = None
    query: str
    documents: list[str]
    top_n: int = 0


def embed(content_type: str, raw: bytes, config: EngineConfig, number: int, created: int) -> dict[str, Any]:
    """Return the answer to a body. Raises :class:`ApiError`."""
    body = validated(EmbeddingBody, read_json(content_type, raw))
    _check_model(body.model, config)
    texts = _texts(body.input)
    for text in texts:
        _check_room(count_tokens(text), config)
    data = [
        {"index": index, "object": "embedding", "embedding": _vector(text, body)} for index, text in enumerate(texts)
    ]
    prompt = sum(count_tokens(text) for text in texts)
    usage = {"prompt_tokens": prompt, "total_tokens": prompt, "completion_tokens": 0, "prompt_tokens_details": None}
    head = {
        "id": f"embd-{number:016x}",
        "object": "list",
        "created": created,
        "model": body.model or config.model_names[0],
    }
    return {**head, "data": data, "usage": usage}


def rank(content_type: str, raw: bytes, config: EngineConfig, number: int, _created: int) -> dict[str, Any]:
    """Return the documents by their scores, the best first: the share of the query's words that each has."""
    body = validated(RerankBody, read_json(content_type, raw))
    _check_model(body.model, config)
    asked, read = set(body.query.lower().split()), [count_tokens(f"{body.query} {text}") for text in body.documents]
    for tokens in read:
        _check_room(tokens, config)
    scores = [len(asked & set(text.lower().split())) / len(asked) for text in body.documents]
    best = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[: body.top_n or None]
    results = [
        {
            "index": index,
            "document": {"text": body.documents[index], "multi_modal": None},
            "relevance_score": scores[index],
        }
        for index in best
    ]
    usage = {"prompt_tokens": sum(read), "total_tokens": sum(read)}
    head = {"id": f"score-{number:016x}", "model": body.model or config.model_names[0]}
    return {**head, "usage": usage, "results": results}


def _check_model(model: str | None, config: EngineConfig) -> None:
    if model is not None and model not in config.model_names:
        raise ApiError(404, f"The model `{model}` does not exist.", kind="NotFoundError", param="model")


def _check_room(tokens: int, config: EngineConfig) -> None:
    if tokens > config.max_model_len:
        message = (
            f"This model's maximum context length is {config.max_model_len} tokens. However, you requested {tokens} "
            "tokens in the input. Please reduce the length of the input."
        )
        raise ApiError(400, message, param="input")


def _texts(given: str | list[str] | list[int] | list[list[int]]) -> list[str]:
    if isinstance(given, str):
        return [given]
    if all(isinstance(item, int) for item in given):
        return [str(given)]
    return [str(item) for item in given]


def _vector(text: str, body: EmbeddingBody) -> list[float] | str:
    size = body.dimensions or _DIMENSIONS
    values = [zlib.crc32(f"{position}{text}".encode()) / 2**31 - 1 for position in range(size)]
    return base64.b64encode(struct.pack(f"<{size}f", *values)).decode() if body.encoding_format == "base64" else values
