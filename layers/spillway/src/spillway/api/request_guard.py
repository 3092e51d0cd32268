"""What a request must be before any route sees it: small enough, and made with the right key."""

from collections.abc import Mapping
from typing import Any

from spillway.domain.access.keys import Scope
from spillway.domain.errors import Forbidden, Rejected, Unauthorized
from spillway.http_errors import TooLarge

BODY_LIMIT_BYTES = 256 * 1024
_CONTENT_TYPE = "Content-Type"
_JSON = "application/json"
# The template leaves these without an authorizer.
OPEN_PATHS = frozenset({"/healthz", "/docs"})


def refusal(event: Mapping[str, Any]) -> Rejected | None:
    """Return why a request goes no further, None when it may."""
    body = event.get("body") or ""
    size = len(body) * 3 // 4 if event.get("isBase64Encoded") else len(body.encode("utf-8", "surrogatepass"))
    if size > BODY_LIMIT_BYTES:
        return TooLarge(f"The body has {size} bytes; {BODY_LIMIT_BYTES} are allowed.")
    if event.get("path") in OPEN_PATHS:
        return None
    scopes = authorizer_of(event).get("scopes")
    if scopes is None:
        return Unauthorized("Missing or unknown API key. Send the header 'Authorization: Bearer <key>'.")
    # The authorizer's policy says the same; a mistake there must not open the control API.
    if Scope.ADMIN not in str(scopes).split(","):
        return Forbidden("This call needs a key with the scope admin.", allowed=[Scope.ADMIN])
    return None


def as_json(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request with its body declared as JSON, the only form there is: ``curl -d`` calls it a form."""
    headers = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() != "content-type"}
    many = {name: v for name, v in (event.get("multiValueHeaders") or {}).items() if name.lower() != "content-type"}
    declared = {"headers": {**headers, _CONTENT_TYPE: _JSON}, "multiValueHeaders": {**many, _CONTENT_TYPE: [_JSON]}}
    return {**event, **declared}


def authorizer_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the authorizer said about the request's key, an empty mapping for an open path."""
    return (event.get("requestContext") or {}).get("authorizer") or {}
