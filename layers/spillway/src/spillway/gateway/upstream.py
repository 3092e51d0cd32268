"""The seam between the gateway and the places that answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias, assert_never

from spillway.domain.capabilities.card import Ability
from spillway.domain.capabilities.demand import NO_DEMAND, Demand
from spillway.domain.paths.bedrock_models import bedrock_model
from spillway.domain.paths.containers import protocol_of
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.domain.task import Task

Endpoint: TypeAlias = Literal["chat/completions", "completions", "embeddings", "rerank", "responses"]
# By what a model is for; those that a target lacks among a chat model's are mapped onto its chat.
ENDPOINTS: Mapping[Task, tuple[Endpoint, ...]] = {
    Task.CHAT: ("chat/completions", "completions", "responses"),
    Task.EMBED: ("embeddings",),
    Task.RERANK: ("rerank",),
}


@dataclass(frozen=True)
class UpstreamRequest:
    """One request to a model as the client sent it; ``body`` is never changed in place.

    ``stream`` and ``wants_usage`` are what the client asked for: upstream, usage is always asked for.
    ``size`` is its bytes without the media that are inlined in it. ``default_max_tokens`` is its deployment's limit for
    answers of Bedrock whose client set none; without it, one is learned. ``demand`` is what it takes to answer it, and
    ``emulated`` what of that is to be made up because the target that is asked lacks it.
    """

    deployment: str
    endpoint: Endpoint
    body: dict[str, Any]
    stream: bool
    wants_usage: bool
    request_id: str
    size: int
    default_max_tokens: int | None = None
    demand: Demand = NO_DEMAND
    emulated: frozenset[Ability] = frozenset()

    def whole(self) -> "UpstreamRequest":
        """Return the request for an answer in one piece."""
        body = {name: value for name, value in self.body.items() if name not in ("stream", "stream_options")}
        return replace(self, body=body, stream=False)

    def streamed(self) -> "UpstreamRequest":
        """Return the request for an answer in chunks."""
        return replace(self, body=self.body | {"stream": True}, stream=True)

    def upstream_body(self, **changes: Any) -> dict[str, Any]:
        """Return the body for an engine that speaks OpenAI's protocol; a value of None removes its field.

        Responses always carry their usage; nothing is kept of them, whatever the upstream's default is.
        """
        body = self.body | changes
        if self.endpoint == "responses":
            body["store"] = False
        elif self.stream:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        for field, value in changes.items():
            if value is None:
                body.pop(field, None)
        return body


@dataclass(frozen=True)
class UpstreamStream:
    """An answer that has begun with status 200.

    ``blocks`` yields whole server-sent events in OpenAI's form, one or several at a time; for a request that does
    not stream, the JSON body in one piece. It raises UpstreamUnavailable when the upstream breaks off. ``used`` takes
    the tokens of the answer once it has ended, and returns what the log should say of them. ``dropped`` names
    the fields of the request that the answer takes no account of.
    """

    blocks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]
    used: Callable[[int], str | None] | None = None
    dropped: tuple[str, ...] = ()


class Upstreams(Protocol):
    """Opens an answer on whatever kind of target it is given."""

    async def open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """Send the request and return once the answer has begun.

        Raises UpstreamUnavailable when this target cannot answer, UpstreamRejected when no target would.
        """
        ...


def can_answer(target: Target, endpoint: Endpoint) -> bool:
    """Whether a target can answer an endpoint at all, by itself or mapped onto chat."""
    return endpoint in ENDPOINTS[target.task]


def speaks(target: Target, endpoint: Endpoint) -> bool:
    """Whether a target has an endpoint itself; what it lacks is mapped onto its chat completions."""
    match target:
        case FleetTarget():
            return True
        case SageMakerTarget():
            protocol = protocol_of(target.framework, target.version)
            if endpoint == "completions" and protocol is not None:
                return protocol.completions
            return endpoint != "responses"
        case ImportedTarget():
            return endpoint != "responses"
        case BedrockTarget():
            if endpoint == "responses" and target.api == "openai":
                known = bedrock_model(target.known_id)
                return known is not None and known.responses
            return endpoint in ("chat/completions", "embeddings")
        case _:
            assert_never(target)
