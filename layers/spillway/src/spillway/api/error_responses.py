"""Whatever goes wrong in a route, answered in the one shape and never with more than the client should know."""

import json
import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from spillway.api.credit_routes import StatedCredits
from spillway.api.models import ChangedLimits, NewKey, Rotation
from spillway.api.price_models import PriceOverrides
from spillway.api.validation import invalid_request
from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.errors import InvalidRequest, NotFound, SpillwayError
from spillway.domain.planner.request import PlanRequest
from spillway.http_errors import MethodNotAllowed, error_json, internal_error_json, status_of

logger = logging.getLogger(__name__)

# The body of each call, whose fields an unknown one is answered with; a PATCH of a deployment says it itself.
_BODIES: tuple[tuple[re.Pattern[str], type[BaseModel]], ...] = (
    (re.compile(r"POST /deployments/[^/]+/benchmarks"), BenchmarkSpec),
    (re.compile(r"\w+ /deployments.*"), DeploymentSpec),
    (re.compile(r"POST /keys"), NewKey),
    (re.compile(r"POST /keys/[^/]+/rotate"), Rotation),
    (re.compile(r"PATCH /keys/[^/]+"), ChangedLimits),
    (re.compile(r"POST /plans"), PlanRequest),
    (re.compile(r"PUT /prices/overrides"), PriceOverrides),
    (re.compile(r"PUT /credits"), StatedCredits),
)
_RETRY_AFTER_SECONDS = 5
_VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Failures:
    """Turns exceptions into answers; ``docs_path`` is the one route that the OpenAPI document leaves out."""

    api: APIGatewayRestResolver
    docs_path: str

    def register(self) -> None:
        """Take over every kind of error from the resolver."""
        handle = self.api.exception_handler
        handle(SpillwayError)(self.on_purpose)
        handle([RequestValidationError, ValidationError])(self.invalid)
        handle(NotFoundError)(self.unknown_route)
        handle(RecursionError)(self.too_deep)
        handle(Exception)(self.unexpected)

    def on_purpose(self, err: SpillwayError) -> Response[str]:
        """Answer an error that says itself whose fault it is."""
        status = status_of(err)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.warning("not served", extra={"error": type(err).__name__, "sentence": str(err)})
        unavailable = status == HTTPStatus.SERVICE_UNAVAILABLE
        return _answer(status, error_json(err), {"Retry-After": str(_RETRY_AFTER_SECONDS)} if unavailable else None)

    def invalid(self, err: RequestValidationError | ValidationError) -> Response[str]:
        """Answer what pydantic found wrong with the request."""
        called = f"{self.api.current_event.http_method} {self.api.current_event.path}"
        body = next((model for call, model in _BODIES if call.fullmatch(called)), None)
        return self.on_purpose(invalid_request(err.errors(), body))

    def too_deep(self, _err: RecursionError) -> Response[str]:
        """Answer a body that could be read, but is nested too deep to be looked at."""
        return self.on_purpose(InvalidRequest("The body is nested too deep."))

    def unknown_route(self, _err: NotFoundError) -> Response[str]:
        """Answer a path that does not exist, or not for this method."""
        method, path = self.api.current_event.http_method, self.api.current_event.path
        methods = self._methods_at(path)
        if methods:
            err = MethodNotAllowed(f"{path} has no {method}.", allowed=methods)
            return _answer(err.status, error_json(err), {"Allow": ", ".join(methods)})
        sentence = f"There is no {method} {path} here. The API is described at {self.docs_path}."
        return self.on_purpose(NotFound(sentence, code="unknown_route"))

    def unexpected(self, err: Exception) -> Response[str]:
        """Answer a fault of ours with nothing but where to look for it."""
        logger.error("unexpected error", exc_info=err)
        request_id = self.api.lambda_context.aws_request_id
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, internal_error_json(request_id))

    def _methods_at(self, path: str) -> list[str]:
        """Return the methods that a path has, by the API's own description of itself."""
        described = self.api.get_openapi_schema().paths or {}
        methods = {"GET"} if path == self.docs_path else set()
        for template, operations in described.items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                methods |= {verb.upper() for verb in _VERBS if getattr(operations, verb) is not None}
        return sorted(methods)


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response[str]:
    return Response(
        status_code=status,
        content_type=content_types.APPLICATION_JSON,
        body=json.dumps(body),
        headers={**(headers or {})},
    )
