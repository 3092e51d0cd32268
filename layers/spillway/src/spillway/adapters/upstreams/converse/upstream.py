"""Bedrock's Converse API, for models that the OpenAI-compatible endpoint does not serve."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.bedrock.learned_limits import Lessons, open_learning
from spillway.adapters.upstreams.bedrock.refusals import judge, judge_event
from spillway.adapters.upstreams.converse.answer import Head, completion_of
from spillway.adapters.upstreams.converse.request import Asked, Terms, converse_request
from spillway.adapters.upstreams.converse.stream import StreamTranslator
from spillway.adapters.upstreams.emulation.replay import as_stream
from spillway.adapters.upstreams.event_stream import Decoder
from spillway.adapters.upstreams.http_channel import Call, Chunks, Whole, open_channel
from spillway.domain.decision import Code
from spillway.domain.paths.converse_families import family_of
from spillway.domain.paths.targets import BedrockTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.streaming.sse import parsed
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream


@dataclass(frozen=True)
class ConverseUpstream:
    """Translates chat completions to Converse and its answers back; ``now`` dates the answers.

    ``lessons`` are what models have said of themselves, by their id.
    """

    aws: AwsHttp
    now: Callable[[], datetime]
    lessons: dict[str, Lessons] = field(default_factory=dict)

    async def open(self, target: BedrockTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open; raises InvalidRequest for what Converse, or the model, has no form for."""
        lessons = self.lessons.get(target.model_id)
        if lessons is None:
            lessons = self.lessons[target.model_id] = Lessons(family_of(target.known_id))
        return await open_learning(
            lessons,
            lambda: converse_request(request.body, lessons),
            lambda asked: self._send(target, request, asked, connect_seconds),
        )

    async def _send(
        self,
        target: BedrockTarget,
        request: UpstreamRequest,
        asked: Asked,
        connect_seconds: float,
    ) -> UpstreamStream:
        streams = request.stream and asked.may_stream
        operation = "converse-stream" if streams else "converse"
        head = Head(f"chatcmpl-{request.request_id}", int(self.now().timestamp()), request.deployment)

        def read(chunks: Chunks) -> Chunks:
            if streams:
                return _streamed(chunks, head, asked.terms)
            return (_at_once if request.stream else _completed)(chunks, head, asked.terms)

        call = Call(
            url=self.aws.url("BEDROCK_RUNTIME", f"/model/{quote(target.model_id, safe='')}/{operation}"),
            signed_as="bedrock",
            body=asked.body,
            headers={},
            connect_seconds=connect_seconds,
        )
        stream = await open_channel(self.aws, call, read, judge)
        return replace(stream, dropped=asked.dropped) if asked.dropped else stream


async def _completions(chunks: Chunks, head: Head, terms: Terms) -> AsyncIterator[dict[str, Any]]:
    async for body in Whole(chunks):
        answer = parsed(body)
        if answer is None or not isinstance(answer.get("output"), dict):
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the answer is not Converse's")
        yield completion_of(answer, head, terms)


async def _completed(chunks: Chunks, head: Head, terms: Terms) -> AsyncIterator[bytes]:
    async for completion in _completions(chunks, head, terms):
        yield orjson.dumps(completion)


async def _at_once(chunks: Chunks, head: Head, terms: Terms) -> AsyncIterator[bytes]:
    """Yield a stream of one piece, from a model that answers this request only as a whole."""
    async for completion in _completions(chunks, head, terms):
        yield as_stream(completion)


async def _streamed(chunks: Chunks, head: Head, terms: Terms) -> AsyncIterator[bytes]:
    """Yield what each read amounts to in one block, before what it breaks off with, if it does."""
    translator, decoder = StreamTranslator(head, terms), Decoder()
    async for chunk in chunks:
        block = b""
        try:
            for event in decoder.feed(chunk):
                if event.is_error:
                    raise judge_event(event)
                block += translator.translate(event.name, event.fields())
                if translator.cut:
                    break
        except (UpstreamRejected, UpstreamUnavailable):
            if block:
                yield block
            raise
        if block:
            yield block
        if translator.cut:
            # Whoever reads hangs up after the end mark: what the model would go on to say is not waited for.
            break
    if translator.stopped or translator.cut:
        yield b"data: [DONE]\n\n"
