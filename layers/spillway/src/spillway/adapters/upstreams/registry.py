"""The upstream for each kind of target."""

from dataclasses import dataclass, field, replace
from typing import assert_never

from spillway.adapters.upstreams.bedrock.answer_limits import AnswerLimits
from spillway.adapters.upstreams.bedrock_openai import BedrockOpenAiUpstream
from spillway.adapters.upstreams.chat_fallback import open_as_chat
from spillway.adapters.upstreams.converse import ConverseUpstream
from spillway.adapters.upstreams.fleet import FleetUpstream
from spillway.adapters.upstreams.imported import ImportedUpstream
from spillway.adapters.upstreams.sagemaker import SageMakerUpstream
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.gateway.errors import UpstreamRejected
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream, speaks


@dataclass(frozen=True)
class UpstreamsByTarget:
    """Opens an answer on whatever kind of target it is given."""

    fleet: FleetUpstream
    sagemaker: SageMakerUpstream
    bedrock_openai: BedrockOpenAiUpstream
    converse: ConverseUpstream
    imported: ImportedUpstream
    limits: AnswerLimits = field(default_factory=AnswerLimits)

    async def open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open; an endpoint that the target lacks is mapped onto chat, Bedrock is given a limit."""
        limited = self.limits.limited(target, request)
        if limited is None:
            return await self._open_endpoint(target, request, connect_seconds)
        try:
            stream = await self._open_endpoint(target, limited.request, connect_seconds)
        except UpstreamRejected as err:
            # The client never asked for the limit: what it may be refused for is answered without it.
            if "token" not in err.message.lower():
                raise
            limited.refused(err.message)
            return await self._open_endpoint(target, request, connect_seconds)
        return replace(stream, used=limited.heard)

    async def _open_endpoint(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        if not speaks(target, request.endpoint):
            return await open_as_chat(lambda chat: self._open(target, chat, connect_seconds), request)
        return await self._open(target, request, connect_seconds)

    async def _open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        match target:
            case FleetTarget():
                return await self.fleet.open(target, request, connect_seconds)
            case SageMakerTarget():
                return await self.sagemaker.open(target, request, connect_seconds)
            case BedrockTarget(api="openai"):
                return await self.bedrock_openai.open(target, request, connect_seconds)
            case BedrockTarget():
                return await self.converse.open(target, request, connect_seconds)
            case ImportedTarget():
                return await self.imported.open(target, request, connect_seconds)
            case _:
                assert_never(target)
