"""The control API's resolver: it takes no query parameter that a route does not know, and describes what it answers."""

from collections import Counter
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.models import OpenAPI, Operation

from spillway.api.json_responses import ERRORS
from spillway.api.request_guard import OPEN_PATHS
from spillway.domain.errors import InvalidRequest

DOCS_PATH = "/docs"
_VERBS = ("get", "post", "put", "patch", "delete")
# Powertools' own: here bad input is a 400 and a fault of ours a 500, both in the one shape.
_NEVER_SENT = ("HTTPValidationError", "ValidationError", "ResponseValidationError")


class Resolver(APIGatewayRestResolver):
    """Powertools' resolver, whose document says what this API answers."""

    def get_openapi_schema(self, **settings: Any) -> OpenAPI:
        """Return the document without answers that are never given, and with no key for what needs none."""
        document = super().get_openapi_schema(**settings)
        for path, item in (document.paths or {}).items():
            for verb in _VERBS:
                if operation := getattr(item, verb):
                    _put_right(operation, is_open=path in OPEN_PATHS)
        if document.components and document.components.schemas:
            for name in _NEVER_SENT:
                document.components.schemas.pop(name, None)
        return document


def only_known_queries(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Refuse a parameter that the route does not know, or that is there twice: it would change nothing, unnoticed."""
    route = app.context["_route"]
    if route.responses is None and route.openapi_path != DOCS_PATH:
        # Powertools' stand-in for a route that there is not: that is what is to be said.
        return next_middleware(app)
    # Swagger's own route declares nothing; its page and ours ask for the document itself.
    known = ["format"] if route.openapi_path == DOCS_PATH else [each.alias for each in route.dependant.query_params]
    given = Counter({name: len(values) for name, values in app.current_event.resolved_query_string_parameters.items()})
    for name, times in given.items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InvalidRequest(f"{name} is not a query parameter of this call: {takes}", param=name, allowed=known)
        if times > 1:
            raise InvalidRequest(f"{name} is there {times} times", param=name)
    return next_middleware(app)


def _put_right(operation: Operation, *, is_open: bool) -> None:
    responses = operation.responses or {}
    responses.pop(HTTPStatus.UNPROCESSABLE_ENTITY, None)
    fault = responses[HTTPStatus.BAD_REQUEST].model_copy(
        update={"description": ERRORS[HTTPStatus.INTERNAL_SERVER_ERROR]}
    )
    responses[HTTPStatus.INTERNAL_SERVER_ERROR] = fault
    if HTTPStatus.NO_CONTENT in responses:
        responses[HTTPStatus.NO_CONTENT].content = None
    if is_open:
        operation.security = []
