"""SageMaker real-time endpoints whose container speaks OpenAI's protocol, as the vLLM and LMI ones do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.event_stream import decoded, failure
from spillway.adapters.upstreams.failures import CLIENTS_MISTAKES, Refusal, refusal_of
from spillway.adapters.upstreams.http_channel import Call, Chunks, Whole, open_channel
from spillway.domain.paths.targets import SageMakerTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.streaming.sse import whole_events
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream


@dataclass(frozen=True)
class SageMakerUpstream:
    """Invokes one inference component. The container knows its model by another name, so ``model`` is left out."""

    aws: AwsHttp

    async def open(self, target: SageMakerTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open."""
        operation = "invocations-response-stream" if request.stream else "invocations"
        call = Call(
            url=self.aws.url("SAGEMAKER_RUNTIME", f"/endpoints/{quote(target.endpoint, safe='')}/{operation}"),
            signed_as="sagemaker",
            body=request.upstream_body(model=None),
            headers={"x-amzn-sagemaker-inference-component": target.component} if target.component else {},
            connect_seconds=connect_seconds,
        )
        return await open_channel(self.aws, call, _stream_blocks if request.stream else Whole, _judge)


def _stream_blocks(chunks: Chunks) -> Chunks:
    return whole_events(_payload_parts(chunks))


async def _payload_parts(chunks: Chunks) -> AsyncIterator[bytes]:
    """Yield the engine's bytes, which SageMaker splits anywhere; raises UpstreamUnavailable for its own errors."""
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
    if refusal.status == 424 and isinstance(original, int) and original in CLIENTS_MISTAKES:
        return refusal_of(original, {}, str(fields.get("OriginalMessage") or "").encode()).error()
    return refusal.unavailable()
