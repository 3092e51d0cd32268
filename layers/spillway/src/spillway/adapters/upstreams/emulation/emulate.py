"""A request, opened with everything made up that its target lacks."""

from dataclasses import replace

from spillway.adapters.upstreams.chat_fallback import OpenChat
from spillway.adapters.upstreams.emulation.json_object import open_json_object
from spillway.adapters.upstreams.emulation.replay import replayed
from spillway.adapters.upstreams.emulation.together import open_choices
from spillway.domain.capabilities.card import Ability
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream


async def open_emulated(open_one: OpenChat, request: UpstreamRequest) -> UpstreamStream:
    """Open a request whose ``emulated`` abilities its target lacks, the outermost first."""
    if Ability.CHOICES in request.emulated:
        return await open_choices(*_next(Ability.CHOICES, open_one, request))
    if Ability.JSON_OBJECT in request.emulated:
        return await open_json_object(*_next(Ability.JSON_OBJECT, open_one, request))
    if Ability.STREAMED_TOOLS in request.emulated and request.stream:
        return replayed(await open_one(request.whole()))
    return await open_one(request)


def _next(ability: Ability, open_one: OpenChat, request: UpstreamRequest) -> tuple[OpenChat, UpstreamRequest]:
    """Return what makes up the rest, and the request without the ability that is being made up."""

    async def inner(each: UpstreamRequest) -> UpstreamStream:
        return await open_emulated(open_one, each)

    return inner, replace(request, emulated=request.emulated - {ability})
