"""Bedrock's Converse API, for models that the OpenAI-compatible endpoint does not serve."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from spillway.adapters.aws_http import AwsHttp
from spillway.adapters.upstreams.bedrock_openai import judge
from spillway.adapters.upstreams.channel import Call, Chunks, Whole, open_channel
from spillway.adapters.upstreams.converse_answer import Head, completion_of
from spillway.adapters.upstreams.converse_request import converse_body
from spillway.adapters.upstreams.converse_stream import StreamTranslator
from spillway.adapters.upstreams.event_stream import Event, decoded, failure
from spillway.domain.decision import Code
from spillway.domain.targets import BedrockTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.sse import parsed
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

# "The maximum tokens you requested exceeds the model limit of 2048. Try again …": an engine of that model takes more.
_MOST_TOKENS = re.compile(r"maximum tokens .* model limit of (\d+)")


@dataclass(frozen=True)
class ConverseUpstream:
    """Translates chat completions to Converse and its answers back; ``now`` dates the answers.

    ``most_tokens`` is what models have said to be the most that they answer with, by their id.
    """

    aws: AwsHttp
    now: Callable[[], datetime]
    most_tokens: dict[str, int] = field(default_factory=dict)

    async def open(self, target: BedrockTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstream.open; raises InvalidRequest for what Converse has no form for."""
        body = converse_body(request.body)
        asked = body.get("inferenceConfig", {}).get("maxTokens")
        try:
            return await self._send(target, request, self._capped(body, target), connect_seconds)
        except UpstreamRejected as err:
            found = _MOST_TOKENS.search(err.message)
            if found is None or not isinstance(asked, int) or asked <= (most := int(found[1])):
                raise
            self.most_tokens[target.model_id] = most
        return await self._send(target, request, self._capped(body, target), connect_seconds)

    def _capped(self, body: dict[str, Any], target: BedrockTarget) -> dict[str, Any]:
        """Return the request with no higher limit than the model is known to take."""
        config, most = body.get("inferenceConfig", {}), self.most_tokens.get(target.model_id)
        asked = config.get("maxTokens")
        if most is None or not isinstance(asked, int) or asked <= most:
            return body
        return body | {"inferenceConfig": config | {"maxTokens": most}}

    async def _send(
        self, target: BedrockTarget, request: UpstreamRequest, body: Mapping[str, Any], connect_seconds: float
    ) -> UpstreamStream:
        operation = "converse-stream" if request.stream else "converse"
        head = Head(f"chatcmpl-{request.request_id}", int(self.now().timestamp()), request.deployment)

        def read(chunks: Chunks) -> Chunks:
            return _streamed(chunks, head) if request.stream else _completed(chunks, head)

        call = Call(
            url=self.aws.url("BEDROCK_RUNTIME", f"/model/{quote(target.model_id, safe='')}/{operation}"),
            signed_as="bedrock",
            body=body,
            headers={},
            connect_seconds=connect_seconds,
        )
        return await open_channel(self.aws, call, read, judge)


async def _completed(chunks: Chunks, head: Head) -> AsyncIterator[bytes]:
    async for body in Whole(chunks):
        answer = parsed(body)
        if answer is None or not isinstance(answer.get("output"), dict):
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the answer is not Converse's")
        yield orjson.dumps(completion_of(answer, head))


async def _streamed(chunks: Chunks, head: Head) -> AsyncIterator[bytes]:
    translator = StreamTranslator(head)
    async for event in decoded(chunks):
        if event.is_error:
            raise _stream_error(event)
        if block := translator.translate(event.name, event.fields()):
            yield block
    if translator.stopped:
        yield b"data: [DONE]\n\n"


def _stream_error(event: Event) -> UpstreamUnavailable | UpstreamRejected:
    if event.name == "validationException":
        return UpstreamRejected(400, str(event.fields().get("message") or "the model rejected the request"))
    return failure(event)
