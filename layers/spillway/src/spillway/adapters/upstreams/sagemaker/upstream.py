"""SageMaker real-time endpoints whose container speaks OpenAI's protocol, or nearly so."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.event_stream import decoded, failure
from spillway.adapters.upstreams.failures import CLIENTS_MISTAKES, Refusal, refusal_of
from spillway.adapters.upstreams.http_channel import Call, Chunks, Whole, open_channel
from spillway.adapters.upstreams.sagemaker.collect import collected
from spillway.adapters.upstreams.sagemaker.request import container_body
from spillway.adapters.upstreams.sagemaker.stream import openai_events
from spillway.domain.paths.containers import protocol_of
from spillway.domain.paths.targets import SageMakerTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

# LMI's own sentence for a body that it can't read, under status 424: "Input parsing failed: …", before 0.33 with a
# capital P.
_UNREADABLE = re.compile(r"^Input parsing failed", re.IGNORECASE)
# vLLM refuses them in streams.
_WITHOUT_STREAM = frozenset({"prompt_logprobs", "use_beam_search"})


@dataclass(frozen=True)
class SageMakerUpstream:
    """Invokes one inference component, as a stream wherever there can be one.

    A container behind InvokeEndpoint has 60 seconds for its whole answer, behind InvokeEndpointWithResponseStream for
    its first bytes: a client that wants no stream gets one that was collected.
    """

    aws: AwsHttp

    async def open(self, target: SageMakerTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open."""
        protocol = protocol_of(target.framework, target.version)
        if request.endpoint == "embeddings" or not _WITHOUT_STREAM.isdisjoint(request.body):
            call = self._call(target, "invocations", request.upstream_body(model=None), connect_seconds)
            return await open_channel(self.aws, call, Whole, _judge)
        asked = request if request.stream else request.streamed()

        def read(chunks: Chunks) -> Chunks:
            return openai_events(_payload_parts(chunks), asked, passes=protocol is None or protocol.is_vllms)

        call = self._call(target, "invocations-response-stream", container_body(asked, protocol), connect_seconds)
        stream = await open_channel(self.aws, call, read, _judge)
        return stream if request.stream else replace(stream, blocks=collected(stream.blocks))

    def _call(self, target: SageMakerTarget, operation: str, body: dict[str, object], connect_seconds: float) -> Call:
        return Call(
            url=self.aws.url("SAGEMAKER_RUNTIME", f"/endpoints/{quote(target.endpoint, safe='')}/{operation}"),
            signed_as="sagemaker",
            body=body,
            headers={"x-amzn-sagemaker-inference-component": target.component} if target.component else {},
            connect_seconds=connect_seconds,
        )


async def _payload_parts(chunks: Chunks) -> AsyncIterator[bytes]:
    """Yield the container's bytes, which SageMaker splits anywhere; raises UpstreamUnavailable for its own errors."""
    async for event in decoded(chunks):
        if event.is_error:
            raise failure(event)
        yield event.payload


def _judge(refusal: Refusal) -> UpstreamRejected | UpstreamUnavailable:
    """Tell the container's refusals from SageMaker's own.

    The container's come as 424 with its status and body inside. SageMaker's own 400 is never the client's mistake:
    an endpoint that is not there, or a component without a copy ("has no capacity to process this request").
    """
    fields = refusal.fields or {}
    original = fields.get("OriginalStatusCode")
    if refusal.status != 424 or not isinstance(original, int):
        return refusal.unavailable()
    told = refusal_of(original, {}, str(fields.get("OriginalMessage") or "").encode())
    if _UNREADABLE.match(told.message):
        return UpstreamRejected(400, told.message)
    return told.error() if original in CLIENTS_MISTAKES else refusal.unavailable()
