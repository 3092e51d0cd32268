"""Where the gateway sends a deployment's requests, and why."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from spillway.domain.paths.targets import Target, target_from_json, target_to_json


class RouteState(StrEnum):
    """What the control plane knows about the primary target."""

    COLD = "cold"
    WARMING = "warming"
    READY = "ready"
    SATURATED = "saturated"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class Route:
    """One small item of the ``routes`` table, read by the gateway every two seconds at most.

    ``spill_share`` (0 to 1) of the requests go to the spill target while the state is ``saturated``.
    ``first_byte_seconds`` is how long the primary may take to its first event before the request spills.
    ``retry_after_seconds`` is what a client is told when nothing can answer: the measured cold start.
    ``wakes`` says whether a request to a cold primary asks for its wake.
    ``deployment_version`` is that of the record that the route follows from: an older one must not replace it.
    ``ready`` and ``starting`` instances are what was last seen. Until ``lost_until`` (epoch seconds) the primary counts
    as lost although it may still seem to be there: AWS said so. ``logs_text`` has prompts and answers logged.
    ``default_max_tokens`` limits answers of Bedrock whose client set no limit; None where one is learned.
    """

    name: str
    state: RouteState
    primary: Target | None
    spill: Target | None
    code: str
    reason: str
    spill_share: float = 0.0
    first_byte_seconds: float = 2.0
    retry_after_seconds: int = 300
    wakes: bool = False
    context_length: int | None = None
    created: int = 0
    version: int = 0
    deployment_version: int = 0
    ready: int = 0
    starting: int = 0
    lost_until: int = 0
    logs_text: bool = False
    default_max_tokens: int | None = None


@dataclass(frozen=True)
class Choice:
    """One place to try, ``role`` being ``primary`` or ``spill``, and the code of the reason for it."""

    target: Target
    role: str
    code: str


@dataclass(frozen=True)
class Plan:
    """The places to try, in order, and whether the request should ask for a wake.

    ``coming`` says that the primary cannot answer yet but is, or could be, on its way.
    """

    choices: tuple[Choice, ...]
    wake: bool
    coming: bool = False


def plan(route: Route, draw: float, only: str | None = None) -> Plan:
    """Return where a request goes by the route's state; ``draw`` is a uniform random number in [0, 1).

    ``only`` is the one role that may answer. An empty plan means that nothing can answer now.
    """
    primary = Choice(route.primary, "primary", route.code) if route.primary else None
    spill = Choice(route.spill, "spill", route.code) if route.spill else None
    match route.state:
        case RouteState.READY:
            order = (primary, spill)
        case RouteState.SATURATED:
            order = (spill, primary) if draw < route.spill_share else (primary, spill)
        case RouteState.COLD | RouteState.WARMING | RouteState.DRAINING | RouteState.FAILED:
            order = (spill, None)
    choices = tuple(choice for choice in order if choice is not None and only in (None, choice.role))
    is_cold = route.state is RouteState.COLD
    return Plan(choices, wake=route.wakes and is_cold, coming=is_cold or route.state is RouteState.WARMING)


def route_to_json(route: Route) -> dict[str, Any]:
    """Return a route as a JSON object."""
    return {
        **vars(route),
        "primary": target_to_json(route.primary) if route.primary else None,
        "spill": target_to_json(route.spill) if route.spill else None,
    }


def route_from_json(data: dict[str, Any]) -> Route:
    """Read back what :func:`route_to_json` wrote; what a newer version wrote beside it is left out."""
    return Route(
        **{
            **{field: value for field, value in data.items() if field in Route.__dataclass_fields__},
            "state": RouteState(data["state"]),
            "primary": target_from_json(data["primary"]) if data["primary"] else None,
            "spill": target_from_json(data["spill"]) if data["spill"] else None,
        }
    )
