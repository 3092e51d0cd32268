"""Bedrock's OpenAI-compatible endpoint."""

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Any

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.bedrock.learned_limits import Lessons, open_learning
from spillway.adapters.upstreams.bedrock.refusals import judge
from spillway.adapters.upstreams.http_channel import Call, Whole, open_channel
from spillway.adapters.upstreams.thoughts_in_text import apart_in_answer, apart_in_stream
from spillway.domain.paths.bedrock_models import bedrock_model
from spillway.domain.paths.targets import BedrockTarget
from spillway.gateway.streaming.sse import whole_events
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream


@dataclass(frozen=True)
class BedrockOpenAiUpstream:
    """Chat completions and responses in OpenAI's own form, under the model's id on Bedrock.

    ``lessons`` are what models have said of themselves, by their id.
    """

    aws: AwsHttp
    lessons: dict[str, Lessons] = field(default_factory=dict)

    async def open(self, target: BedrockTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open."""
        body, lessons = _body(target, request), self.lessons.setdefault(target.model_id, Lessons())

        def send(fitted: dict[str, Any]) -> Awaitable[UpstreamStream]:
            call = Call(
                url=self.aws.url("BEDROCK_RUNTIME", f"/openai/v1/{request.endpoint}"),
                signed_as="bedrock",
                body=fitted,
                headers={},
                connect_seconds=connect_seconds,
            )
            return open_channel(self.aws, call, whole_events if request.stream else Whole, judge)

        stream = await open_learning(lessons, lambda: lessons.fitted_openai(body), send)
        known = bedrock_model(target.known_id)
        if known is None or not known.thoughts_in_text or request.endpoint != "chat/completions":
            return stream
        apart = apart_in_stream if request.stream else apart_in_answer
        return replace(stream, blocks=apart(stream.blocks))


def _body(target: BedrockTarget, request: UpstreamRequest) -> dict[str, Any]:
    """Return the body with a chat's limit under its newer name: gpt-oss on Bedrock refuses ``max_tokens``."""
    body = request.upstream_body(model=target.model_id)
    if request.endpoint == "chat/completions" and (limit := body.pop("max_tokens", None)) is not None:
        body["max_completion_tokens"] = body.get("max_completion_tokens") or limit
    return body
