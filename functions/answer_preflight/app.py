"""Browsers' preflights of requests to the gateway, which must neither need a key nor be an empty stream."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.gateway.request.cors import Cors
from spillway.settings import Settings


@cache
def container() -> Cors:
    """Build what answers on first use."""
    return Cors(Settings().cors_origins)


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return API Gateway's answer to an OPTIONS request."""
    asked = [(name.lower().encode(), value.encode()) for name, value in (event.get("headers") or {}).items()]
    return {
        "statusCode": 204,
        "headers": {name.decode(): value.decode() for name, value in container().preflight(asked)},
    }
