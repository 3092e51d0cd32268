"""Bedrock's OpenAI-compatible endpoint."""

from dataclasses import dataclass

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.failures import Refusal
from spillway.adapters.upstreams.http_channel import Call, Whole, open_channel
from spillway.domain.paths.targets import BedrockTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.streaming.sse import whole_events
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

# Bedrock says "validation" also for what the operator got wrong: a model id that is none, or one without on-demand use.
_OPERATORS_MISTAKES = ("model identifier", "on-demand throughput", "inference profile", "model id")


@dataclass(frozen=True)
class BedrockOpenAiUpstream:
    """Chat completions and responses in OpenAI's own form, under the model's id on Bedrock."""

    aws: AwsHttp

    async def open(self, target: BedrockTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open."""
        call = Call(
            url=self.aws.url("BEDROCK_RUNTIME", f"/openai/v1/{request.endpoint}"),
            signed_as="bedrock",
            body=request.upstream_body(model=target.model_id),
            headers={},
            connect_seconds=connect_seconds,
        )
        return await open_channel(self.aws, call, whole_events if request.stream else Whole, judge)


def judge(refusal: Refusal) -> UpstreamRejected | UpstreamUnavailable:
    """Return what Bedrock's refusal means: a quota (400 too) and the operator's mistakes are not the client's."""
    said = refusal.message.lower()
    if refusal.kind == "ServiceQuotaExceededException" or any(words in said for words in _OPERATORS_MISTAKES):
        return refusal.unavailable()
    return refusal.error()
