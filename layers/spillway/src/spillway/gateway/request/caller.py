"""Who is asking: behind API Gateway, what its authoriser found out, as Lambda Web Adapter passes it on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import orjson

from spillway.domain.access.keys import Scope
from spillway.domain.access.limits import NO_LIMITS, KeyLimits, limits_from
from spillway.domain.errors import Forbidden, Unauthorized

CONTEXT_HEADER = b"x-amzn-request-context"
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
# What the authorizer says of a key beside its id.
_SAID = ("scopes", "deployments", *KeyLimits.__dataclass_fields__)


@dataclass(frozen=True)
class Caller:
    """An authorised caller; an empty ``deployments`` means all of them."""

    key_id: str
    scopes: frozenset[str]
    deployments: frozenset[str]
    limits: KeyLimits = NO_LIMITS

    def may_invoke(self) -> None:
        """Raise Forbidden for a key without the scope to send requests to models."""
        if not self.scopes & {Scope.INVOKE, Scope.ADMIN}:
            raise Forbidden("this key may not send requests to models", allowed=[Scope.INVOKE, Scope.ADMIN])

    def sees(self, deployment: str) -> bool:
        """Whether the key's list of deployments covers this one."""
        return not self.deployments or deployment in self.deployments

    def may_use(self, deployment: str) -> None:
        """Raise Forbidden for a deployment outside of the key's list, whether it exists or not."""
        if not self.sees(deployment):
            raise Forbidden(
                "this key may not use this model",
                param="model",
                code="model_not_allowed",
                allowed=sorted(self.deployments),
            )


class Authenticator(Protocol):
    """Where requests come in: what is known of them, and who sends them."""

    def context(self, headers: Headers) -> Mapping[str, Any]:
        """Return API Gateway's request context, empty where there is none that can be trusted."""
        ...

    async def caller(self, headers: Headers, context: Mapping[str, Any]) -> Caller:
        """Return the caller; raises Unauthorized, or Unavailable when nobody can tell."""
        ...


class BehindApiGateway:
    """Lambda's door: an authorizer has looked at the key, and nobody else reaches the process."""

    def context(self, headers: Headers) -> Mapping[str, Any]:
        """Return what Lambda Web Adapter passes on."""
        return request_context(headers)

    async def caller(self, headers: Headers, context: Mapping[str, Any]) -> Caller:
        """Return whom the authorizer found."""
        del headers
        return caller_of(context)


BEHIND_API_GATEWAY = BehindApiGateway()


def request_context(headers: Headers) -> Mapping[str, Any]:
    """Return API Gateway's request context, empty when there is none that can be trusted.

    The adapter overwrites what a client sends under this name; two of them mean that something did not.
    """
    found = [value for name, value in headers if name == CONTEXT_HEADER]
    if len(found) != 1:
        return {}
    try:
        context = orjson.loads(found[0])
    except orjson.JSONDecodeError:
        return {}
    return context if isinstance(context, dict) else {}


def caller_of(context: Mapping[str, Any]) -> Caller:
    """Return the caller; raises Unauthorized when no authoriser has spoken, or what it said can't be understood.

    The adapter's newer event types nest the authoriser's fields under ``lambda``, as HTTP APIs do.
    """
    fields = context.get("authorizer")
    if isinstance(fields, dict) and isinstance(fields.get("lambda"), dict):
        fields = fields["lambda"]
    key_id = fields.get("key_id") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(key_id, str) or not key_id:
        raise Unauthorized("send an API key as 'Authorization: Bearer <key>'")
    said = [(name, str(value)) for name in _SAID if (value := fields.get(name)) is not None]
    return _caller(key_id, tuple(said))


# All requests of a key say the same of it.
@lru_cache(maxsize=1024)
def _caller(key_id: str, said: tuple[tuple[str, str], ...]) -> Caller:
    fields = dict(said)
    try:
        limits = limits_from(fields)
    except ValueError as err:
        raise Unauthorized("this key's limits cannot be read") from err
    return Caller(key_id, _listed(fields.get("scopes")), _listed(fields.get("deployments")), limits)


def _listed(value: str | None) -> frozenset[str]:
    return frozenset(part.strip() for part in (value or "").split(",") if part.strip())
