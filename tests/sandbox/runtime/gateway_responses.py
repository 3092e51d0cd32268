"""What API Gateway answers by itself, rendered from the template's gateway responses."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Status and message when the template says nothing else.
DEFAULTS: dict[str, tuple[int, str | None]] = {
    "ACCESS_DENIED": (403, "User is not authorized to access this resource"),
    "API_CONFIGURATION_ERROR": (500, "Internal server error"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, None),
    "AUTHORIZER_FAILURE": (500, None),
    "INTEGRATION_FAILURE": (504, "Internal server error"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long"),
    "UNAUTHORIZED": (401, "Unauthorized"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type"),
    # Not a type that a template can name: what a Lambda proxy integration answers for a failed function.
    "LAMBDA_FAILED": (502, "Internal server error"),
    # Nor is this, which is refused before the API is known; how AWS says it was not seen.
    "HEADERS_TOO_LARGE": (431, "Request Header Fields Too Large"),
}


@dataclass(frozen=True)
class Rendered:
    """An answer of API Gateway's own."""

    status: int
    headers: dict[str, str]
    body: str


def render(kind: str, configured: Mapping[str, Mapping[str, Any]], context: Mapping[str, Any]) -> Rendered:
    """Render an answer of this kind; ``context`` is what ``$context`` gives a template."""
    status, message = DEFAULTS[kind]
    response = configured.get(kind) or configured.get(f"DEFAULT_{status // 100}XX") or {}
    # A default response without a status of its own keeps that of the error.
    status = int(response.get("statusCode") or status)
    error = {"message": message, "messageString": json.dumps(message), "responseType": kind}
    known = {**context, "error": error}
    templates = response.get("responseTemplates") or {"application/json": '{"message":$context.error.messageString}'}
    content_type, template = next(iter(templates.items()))
    headers = {"Content-Type": content_type, "x-amzn-ErrorType": _error_type(kind)}
    for name, value in (response.get("responseParameters") or {}).items():
        headers[name.removeprefix("gatewayresponse.header.")] = value.strip("'")
    return Rendered(status, headers, _filled(template, known))


def _filled(template: str, context: Mapping[str, Any]) -> str:
    def one(found: re.Match[str]) -> str:
        value: Any = context
        for part in found[1].split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return "" if value is None else str(value)

    return re.sub(r"\$context\.([A-Za-z_][\w.]*\w)", one, template)


def _error_type(kind: str) -> str:
    return {
        "ACCESS_DENIED": "AccessDeniedException",
        "MISSING_AUTHENTICATION_TOKEN": "MissingAuthenticationTokenException",
        "UNAUTHORIZED": "UnauthorizedException",
        "UNSUPPORTED_MEDIA_TYPE": "UnsupportedMediaTypeException",
    }.get(kind, "InternalServerErrorException")
