"""What a request may ask of the gateway itself, by headers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from spillway.domain.errors import InvalidRequest, Rejected
from spillway.gateway.timeouts import LONGEST_WAIT_SECONDS

Role: TypeAlias = Literal["primary", "spill"]
ROLES: tuple[Role, ...] = ("primary", "spill")
HEADERS_LIMIT_BYTES = 32 * 1024
_PREFIX = b"x-spillway-"


class HeadersTooLarge(Rejected):
    """The request's headers are over the limit."""

    status = 431
    code = "headers_too_large"


@dataclass(frozen=True)
class RoutingHeaders:
    """``target`` is the only one to use; ``max_wait_seconds`` how long the primary may keep the request waiting."""

    target: Role | None = None
    max_wait_seconds: float | None = None


NO_ROUTING_HEADERS = RoutingHeaders()


def routing_headers_of(headers: Sequence[tuple[bytes, bytes]]) -> RoutingHeaders:
    """Return what is asked for in a request's headers; raises InvalidRequest with what is allowed, HeadersTooLarge."""
    asked: dict[str, str] = {}
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
        if name.startswith(_PREFIX):
            wish = name.decode("latin-1")
            if wish in asked:
                raise InvalidRequest(f"{wish[:64]} is sent twice", param=wish[:64])
            asked[wish] = value.decode("latin-1").strip().lower()
    if size > HEADERS_LIMIT_BYTES:
        raise HeadersTooLarge(f"the headers are over the limit of {HEADERS_LIMIT_BYTES} bytes")
    if not asked:
        return NO_ROUTING_HEADERS
    return RoutingHeaders(_target(asked.get("x-spillway-target")), _seconds(asked.get("x-spillway-max-wait")))


def _target(value: str | None) -> Role | None:
    if value is None:
        return None
    if value not in ROLES:
        raise InvalidRequest("no such target can be asked for", param="x-spillway-target", allowed=ROLES)
    return value


def _seconds(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value[:32])
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_WAIT_SECONDS:
        raise InvalidRequest(
            f"the wait must be a number of seconds from 0 to {LONGEST_WAIT_SECONDS:g}", param="x-spillway-max-wait"
        )
    return seconds
