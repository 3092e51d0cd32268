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


def accepted(location: str, body: dict[str, Any], status: HTTPStatus = HTTPStatus.ACCEPTED) -> Response[Any]:
    """Return an answer that says where to look at what was made or begun."""
    return Response(
        status_code=status, content_type=content_types.APPLICATION_JSON, body=body, headers={"Location": location}
    )


def errors(success: int) -> dict[int, OpenAPIResponse]:
    """Return the OpenAPI responses of a route: its success, and the one shape of everything else."""
    error: OpenAPIResponse = {
        "description": "Any error, in the one shape",
        "content": {"application/json": {"model": ErrorBody}},
    }
    return {success: {"description": HTTPStatus(success).phrase}, 400: error, 403: error, 404: error, 409: error}
