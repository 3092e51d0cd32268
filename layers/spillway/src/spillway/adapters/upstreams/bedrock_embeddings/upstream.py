"""Bedrock's embedding models by InvokeModel: several calls where a request has more texts than one takes."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.bedrock.refusals import judge
from spillway.adapters.upstreams.bedrock_embeddings.families import Vector, bodies_of, vectors_in
from spillway.adapters.upstreams.bedrock_embeddings.fields import Asked, asked_of
from spillway.adapters.upstreams.http_channel import Call, whole_answer
from spillway.domain.decision import Code
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.bedrock_embeddings import embedding_model
from spillway.domain.paths.targets import BedrockTarget
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.sse import parsed
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

# Calls in flight of one request: it must not use up the quota of all others.
_AT_ONCE = 8
# Every answer of InvokeModel's has it; Cohere's bodies count nothing.
_TOKENS_HEADER = "x-amzn-bedrock-input-token-count"


@dataclass(frozen=True)
class _Part:
    """The vectors of one call; ``tokens`` is None where the answer did not tell."""

    vectors: Sequence[Vector]
    tokens: int | None


@dataclass(frozen=True)
class BedrockEmbeddingsUpstream:
    """Answers once all vectors are there: all of them come from one model, or none."""

    aws: AwsHttp

    async def open(self, target: BedrockTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open; raises InvalidRequest for what the model has no form for."""
        model = embedding_model(target.known_id)
        if model is None:
            raise InvalidRequest(f"{target.known_id} is no embedding model that is known here", param="model")
        asked = asked_of(request.body, model)
        url = self.aws.url("BEDROCK_RUNTIME", f"/model/{quote(target.model_id, safe='')}/invoke")
        calls = [Call(url, "bedrock", body, {}, connect_seconds) for body in bodies_of(asked, model)]
        body = orjson.dumps(_answer(await self._all(calls), asked, request.deployment))

        async def blocks() -> AsyncIterator[bytes]:
            yield body

        return UpstreamStream(blocks(), _nothing_to_close, dropped=asked.dropped)

    async def _all(self, calls: Sequence[Call]) -> Sequence[_Part]:
        """Make all calls, a few at a time; raises what the first failure means, and gives the others up."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(call: Call) -> _Part:
            async with free:
                return await self._invoke(call)

        making = [asyncio.create_task(one(call)) for call in calls]
        try:
            return await asyncio.gather(*making)
        finally:
            for task in making:
                task.cancel()

    async def _invoke(self, call: Call) -> _Part:
        headers, body = await whole_answer(self.aws, call, judge)
        answer = parsed(body)
        vectors = None if answer is None else vectors_in(answer, call.body)
        if answer is None or vectors is None:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the answer has not a vector for each text")
        counted = headers.get(_TOKENS_HEADER, "")
        tokens = int(counted) if counted.isdigit() else answer.get("inputTextTokenCount")
        return _Part(vectors, tokens if isinstance(tokens, int) else None)


async def _nothing_to_close() -> None:
    return None


def _answer(parts: Sequence[_Part], asked: Asked, deployment: str) -> dict[str, Any]:
    """Return the answer in OpenAI's form; without a usage where a call did not tell its tokens."""
    vectors = [vector for part in parts for vector in part.vectors]
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector, asked.encoding)}
        for index, vector in enumerate(vectors)
    ]
    return {"object": "list", "data": data, "model": deployment, **_usage(parts)}


def _usage(parts: Sequence[_Part]) -> Mapping[str, Any]:
    counts = [part.tokens for part in parts if part.tokens is not None]
    if len(counts) < len(parts):
        return {}
    return {"usage": {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}}


def _encoded(vector: Vector, encoding: str) -> Vector | str:
    """Return a vector as it is, or as the 32-bit floats, little end first, that OpenAI's clients read."""
    if encoding == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
