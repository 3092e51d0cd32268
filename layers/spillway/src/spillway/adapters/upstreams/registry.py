"""The upstream for each kind of target."""

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import assert_never

from spillway.adapters.upstreams.bedrock.answer_limits import AnswerLimits
from spillway.adapters.upstreams.bedrock_embeddings.upstream import BedrockEmbeddingsUpstream
from spillway.adapters.upstreams.bedrock_openai import BedrockOpenAiUpstream
from spillway.adapters.upstreams.chat_fallback import open_as_chat
from spillway.adapters.upstreams.converse.upstream import ConverseUpstream
from spillway.adapters.upstreams.emulation.emulate import open_emulated
from spillway.adapters.upstreams.emulation.together import open_prompts
from spillway.adapters.upstreams.fleet import FleetUpstream
from spillway.adapters.upstreams.imported import ImportedUpstream
from spillway.adapters.upstreams.sagemaker.upstream import SageMakerUpstream
from spillway.domain.capabilities.card import Ability
from spillway.domain.decision import Code
from spillway.domain.paths.targets import (
    BedrockApi,
    BedrockTarget,
    FleetTarget,
    ImportedTarget,
    SageMakerTarget,
    Target,
)
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream, speaks

_SEVERAL = frozenset({Ability.CHOICES, Ability.PROMPTS})


@dataclass(frozen=True)
class UpstreamsByTarget:
    """Opens an answer on whatever kind of target it is given.

    ``apis`` are those by which models have answered of which nothing was known, by their id.
    """

    fleet: FleetUpstream
    sagemaker: SageMakerUpstream
    bedrock_openai: BedrockOpenAiUpstream
    converse: ConverseUpstream
    imported: ImportedUpstream
    embeddings: BedrockEmbeddingsUpstream
    limits: AnswerLimits = field(default_factory=AnswerLimits)
    apis: dict[str, BedrockApi] = field(default_factory=dict)

    async def open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open; what a target lacks is mapped or made up, and Bedrock is given a limit."""
        limited = self.limits.limited(target, request)
        if limited is None:
            return await self._open_any(target, request, connect_seconds)
        try:
            stream = await self._open_any(target, limited.request, connect_seconds)
        except UpstreamRejected as err:
            # The client never asked for the limit: what it may be refused for is answered without it.
            if "token" not in err.message.lower():
                raise
            limited.refused(err.message)
            return await self._open_any(target, request, connect_seconds)
        if request.emulated & _SEVERAL:
            # The tokens of all choices together tell nothing of what one needs.
            return stream
        return replace(stream, used=limited.heard)

    async def _open_any(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """An endpoint that the target lacks is mapped onto chat, other abilities are made up."""

        def open_one(each: UpstreamRequest) -> Awaitable[UpstreamStream]:
            return self._open(target, each, connect_seconds)

        async def open_any(each: UpstreamRequest) -> UpstreamStream:
            # What is made up of a response is made up of its chat.
            if speaks(target, each.endpoint) and not (each.emulated and each.endpoint == "responses"):
                return await open_emulated(open_one, each)
            return await open_as_chat(lambda chat: open_emulated(open_one, chat), each)

        if Ability.PROMPTS in request.emulated:
            return await open_prompts(open_any, request)
        return await open_any(request)

    async def _open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        match target:
            case FleetTarget():
                return await self.fleet.open(target, request, connect_seconds)
            case SageMakerTarget():
                return await self.sagemaker.open(target, request, connect_seconds)
            case BedrockTarget() if request.endpoint == "embeddings":
                return await self.embeddings.open(target, request, connect_seconds)
            case BedrockTarget(api="openai"):
                return await self.bedrock_openai.open(target, request, connect_seconds)
            case BedrockTarget(api="converse"):
                return await self.converse.open(target, request, connect_seconds)
            case BedrockTarget():
                return await self._open_by_either(target, request, connect_seconds)
            case ImportedTarget():
                return await self.imported.open(target, request, connect_seconds)
            case _:
                assert_never(target)

    async def _open_by_either(
        self, target: BedrockTarget, request: UpstreamRequest, connect_seconds: float
    ) -> UpstreamStream:
        """Open on the API that a model has answered by before, or else on the first that answers.

        The OpenAI-compatible endpoint comes first, because it loses less of a request; what Converse says of one that
        both refuse is what counts, because it serves more models.
        """
        if (known := self.apis.get(target.model_id)) is not None:
            return await self._open(replace(target, api=known), request, connect_seconds)
        api: BedrockApi = "openai"
        try:
            stream = await self._open(replace(target, api=api), request, connect_seconds)
        except (UpstreamRejected, UpstreamUnavailable) as err:
            if isinstance(err, UpstreamUnavailable) and err.code is not Code.PRIMARY_FAILED:
                raise
            api = "converse"
            stream = await self._open(replace(target, api=api), request, connect_seconds)
        self.apis[target.model_id] = api
        return stream
