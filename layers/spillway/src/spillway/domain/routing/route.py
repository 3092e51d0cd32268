"""Where the gateway sends a deployment's requests, and why."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from spillway.domain.capabilities.card import UNKNOWN, Card, card_from_json, card_to_json
from spillway.domain.paths.path import Billing
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
    ``primary_card`` and ``spill_card`` are what the targets can do, unknown in a route that an older version wrote.
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
    primary_card: Card = UNKNOWN
    spill_card: Card = UNKNOWN

    def choices(self, only: str | None = None) -> "tuple[Choice, ...]":
        """Return all its targets, whatever the state; ``only`` is the one role that may answer."""
        primary = Choice(self.primary, "primary", self.code, self.primary_card) if self.primary else None
        spill = Choice(self.spill, "spill", self.code, self.spill_card) if self.spill else None
        return tuple(choice for choice in (primary, spill) if choice is not None and only in (None, choice.role))

    @property
    def may_wake(self) -> bool:
        """Whether its primary has instances that a request can have woken."""
        return self.state is RouteState.COLD and self._is_billed_by(Billing.HOUR)

    @property
    def leaves_primary_alone(self) -> bool:
        """Whether the primary could answer but does not pay: Bedrock starts an imported model's copy by itself."""
        return self.state is RouteState.COLD and self._is_billed_by(Billing.WINDOW)

    def _is_billed_by(self, billing: Billing) -> bool:
        return self.primary is not None and self.primary.path.billing is billing


@dataclass(frozen=True)
class Choice:
    """One place to try, ``role`` being ``primary`` or ``spill``, and the code of the reason for it.

    ``card`` is what the control plane knows of what it can do.
    """

    target: Target
    role: str
    code: str
    card: Card = UNKNOWN


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
    choices = route.choices(only)
    match route.state:
        case RouteState.READY:
            pass
        case RouteState.SATURATED:
            choices = choices[::-1] if draw < route.spill_share else choices
        case RouteState.COLD | RouteState.WARMING | RouteState.DRAINING | RouteState.FAILED:
            choices = tuple(choice for choice in choices if choice.role == "spill")
    is_cold = route.state is RouteState.COLD
    return Plan(choices, wake=route.wakes and is_cold, coming=is_cold or route.state is RouteState.WARMING)


def route_to_json(route: Route) -> dict[str, Any]:
    """Return a route as a JSON object."""
    return {
        **vars(route),
        "primary": target_to_json(route.primary) if route.primary else None,
        "spill": target_to_json(route.spill) if route.spill else None,
        "primary_card": card_to_json(route.primary_card),
        "spill_card": card_to_json(route.spill_card),
    }


def route_from_json(data: dict[str, Any]) -> Route:
    """Read back what :func:`route_to_json` wrote; what a newer version wrote beside it is left out."""
    return Route(
        **{
            **{field: value for field, value in data.items() if field in Route.__dataclass_fields__},
            "state": RouteState(data["state"]),
            "primary": target_from_json(data["primary"]) if data["primary"] else None,
            "spill": target_from_json(data["spill"]) if data["spill"] else None,
            "primary_card": card_from_json(data.get("primary_card")),
            "spill_card": card_from_json(data.get("spill_card")),
        }
    )
