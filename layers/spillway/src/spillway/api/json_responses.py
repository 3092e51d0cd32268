"""What routes have in common: page sizes, locations, and how their errors are documented."""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse

from spillway.api.models import ErrorBody

# Longer than any name or id that exists: DynamoDB would refuse to look such a key up.
Identifier = Annotated[str, Path(max_length=64)]
Cursor = Annotated[str | None, Query(description="next_cursor of the page before")]
Limit = Annotated[int, Query(ge=1, le=100, description="Items on the page, 1 to 100")]


ERRORS = {
    HTTPStatus.BAD_REQUEST: "A field or parameter is unknown, missing, of another type or out of range",
    HTTPStatus.UNAUTHORIZED: "No key, or one that is not known or over",
    HTTPStatus.FORBIDDEN: "A key without the scope admin",
    HTTPStatus.NOT_FOUND: "What the path names does not exist",
    HTTPStatus.CONFLICT: "It contradicts the present state, or was changed at the same moment",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body's Content-Encoding is none that API Gateway takes, or not the body's",
    HTTPStatus.TOO_MANY_REQUESTS: "More calls than API Gateway lets through",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of Spillway's, of which its logs know more",
    HTTPStatus.SERVICE_UNAVAILABLE: "AWS could not take it now; Retry-After says when to try again",
    HTTPStatus.GATEWAY_TIMEOUT: "No answer within API Gateway's 29 seconds",
}
_ANYWHERE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_WITH_KEY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)


def accepted(location: str, body: dict[str, Any], status: HTTPStatus = HTTPStatus.ACCEPTED) -> Response[Any]:
    """Return an answer that says where to look at what was made or begun."""
    return Response(
        status_code=status, content_type=content_types.APPLICATION_JSON, body=body, headers={"Location": location}
    )


def errors(success: int, *also: int, needs_key: bool = True) -> dict[int, OpenAPIResponse]:
    """Return the OpenAPI responses of a route: its success, and every error that it may answer, in the one shape.

    ``also`` are those of this route; the rest any route may answer, or API Gateway before it.
    """
    statuses = sorted({*_ANYWHERE, *also, *(_WITH_KEY if needs_key else ())})
    return {success: {"description": HTTPStatus(success).phrase}, **{status: _error(status) for status in statuses}}


def _error(status: int) -> OpenAPIResponse:
    return {"description": ERRORS[HTTPStatus(status)], "content": {"application/json": {"model": ErrorBody}}}
