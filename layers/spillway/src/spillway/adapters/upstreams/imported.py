"""Models of the user's own in Bedrock (Custom Model Import): OpenAI's bodies inside InvokeModel."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.bedrock.learned_limits import Lessons, open_learning
from spillway.adapters.upstreams.bedrock.refusals import judge, judge_event
from spillway.adapters.upstreams.event_stream import decoded
from spillway.adapters.upstreams.failures import Refusal
from spillway.adapters.upstreams.http_channel import Call, Chunks, Whole, open_channel
from spillway.adapters.upstreams.imported_stream import StreamUnwrapper
from spillway.domain.decision import Code
from spillway.domain.paths.targets import ImportedTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream


@dataclass(frozen=True)
class ImportedUpstream:
    """Chat and text completions in OpenAI's own form. The model is named by the address, so ``model`` is left out."""

    aws: AwsHttp
    lessons: dict[str, Lessons] = field(default_factory=dict)

    async def open(self, target: ImportedTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open."""
        operation = "invoke-with-response-stream" if request.stream else "invoke"
        body, lessons = request.upstream_body(model=None), self.lessons.setdefault(target.model_arn, Lessons())

        def send(fitted: dict[str, Any]) -> Awaitable[UpstreamStream]:
            call = Call(
                url=self.aws.url("BEDROCK_RUNTIME", f"/model/{quote(target.model_arn, safe='')}/{operation}"),
                signed_as="bedrock",
                body=fitted,
                headers={},
                connect_seconds=connect_seconds,
            )
            return open_channel(self.aws, call, _streamed if request.stream else Whole, _judge)

        return await open_learning(lessons, lambda: lessons.fitted_openai(body), send)


async def _streamed(chunks: Chunks) -> AsyncIterator[bytes]:
    unwrapper = StreamUnwrapper()
    async for event in decoded(chunks):
        if event.is_error:
            raise judge_event(event)
        if block := unwrapper.unwrap(event.fields()):
            yield block
    if end := unwrapper.end():
        yield end


def _judge(refusal: Refusal) -> UpstreamRejected | UpstreamUnavailable:
    """Tell a model that has no copy yet, for which the request starts one, from a throttled one: both are 429.

    What the model itself refused comes as 424, with the model's own status inside.
    """
    if refusal.kind == "ModelNotReadyException":
        return refusal.unavailable(Code.STARTING)
    original = (refusal.fields or {}).get("originalStatusCode")
    if refusal.status == 424 and isinstance(original, int):
        return replace(refusal, status=original).error()
    return judge(refusal)
