"""The routes of an API as the template's OpenAPI body defines them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.sandbox.runtime.intrinsics import TemplateError

ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_FUNCTION = re.compile(r"/functions/(arn:[^/]+)/")
DEFAULT_TIMEOUT_SECONDS = 29.0


@dataclass(frozen=True)
class Route:
    """One method of one resource."""

    method: str
    resource: str
    kind: str
    function: str
    streams: bool
    timeout_seconds: float
    authorizer: str | None


@dataclass(frozen=True)
class Authorizer:
    """A Lambda authorizer."""

    name: str
    function: str
    kind: str
    identity_headers: tuple[str, ...]
    ttl_seconds: float


# What ANY stands for (API Gateway's guide); TRACE and others lead nowhere.
_ANY = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


@dataclass(frozen=True)
class Api:
    """A REST API: its routes, most specific first, its authorizers and its own answers."""

    api_id: str
    stage: str
    routes: tuple[Route, ...]
    authorizers: Mapping[str, Authorizer]
    gateway_responses: Mapping[str, Mapping[str, Any]]
    binary_types: tuple[str, ...]

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route for a request and its path parameters, or None."""
        for route in self.routes:
            if method in (_ANY if route.method == "ANY" else (route.method,)):
                parameters = _parameters(route.resource, path)
                if parameters is not None:
                    return route, parameters
        return None


def read_api(body: Mapping[str, Any], api_id: str, stage: str) -> Api:
    """Read a resolved OpenAPI body; raise TemplateError for an integration that the sandbox does not know."""
    definitions = body.get("securityDefinitions") or body.get("components", {}).get("securitySchemes", {})
    authorizers = {name: read for name, each in definitions.items() if (read := _authorizer(name, each))}
    routes = [
        _route(path, method, operation, authorizers)
        for path, methods in body.get("paths", {}).items()
        for method, operation in methods.items()
        if isinstance(operation, Mapping) and _INTEGRATION in operation
    ]
    return Api(
        api_id=api_id,
        stage=stage,
        routes=tuple(sorted(routes, key=_generality)),
        authorizers=authorizers,
        gateway_responses=body.get("x-amazon-apigateway-gateway-responses", {}),
        binary_types=tuple(body.get("x-amazon-apigateway-binary-media-types", ())),
    )


def _route(path: str, method: str, operation: Mapping[str, Any], authorizers: Mapping[str, Authorizer]) -> Route:
    integration = operation[_INTEGRATION]
    kind = str(integration["type"]).lower()
    found = _FUNCTION.search(str(integration.get("uri", "")))
    if kind == "aws_proxy" and found is None:
        raise TemplateError(f"{method} {path}: the integration names no function: {integration.get('uri')}")
    if kind not in ("aws_proxy", "http_proxy", "mock"):
        raise TemplateError(f"{method} {path}: the sandbox knows no {kind} integration")
    wanted = [name for requirement in operation.get("security", []) for name in requirement]
    unknown = [name for name in wanted if name not in authorizers and name not in ("NONE", "AWS_IAM")]
    if unknown:
        raise TemplateError(f"{method} {path}: no authorizer {unknown[0]}")
    return Route(
        method="ANY" if method == ANY else method.upper(),
        resource=path,
        kind=kind,
        function=found[1] if found else "",
        streams=integration.get("responseTransferMode") == "STREAM",
        timeout_seconds=int(integration.get("timeoutInMillis", DEFAULT_TIMEOUT_SECONDS * 1000)) / 1000,
        authorizer=next((name for name in wanted if name != "NONE"), None),
    )


def _authorizer(name: str, definition: Mapping[str, Any]) -> Authorizer | None:
    settings = definition.get("x-amazon-apigateway-authorizer")
    if not settings or "authorizerUri" not in settings:
        return None
    function = _FUNCTION.search(settings["authorizerUri"])
    if function is None:
        raise TemplateError(f"authorizer {name} names no function: {settings['authorizerUri']}")
    kind = settings["type"].upper()
    source = settings.get("identitySource") or f"method.request.header.{definition.get('name', 'Authorization')}"
    headers = tuple(part.strip().rpartition(".")[2] for part in source.split(",") if ".header." in part)
    return Authorizer(name, function[1], kind, headers, float(settings.get("authorizerResultTtlInSeconds", 300)))


def _generality(route: Route) -> tuple[Any, ...]:
    """Sort as API Gateway matches: a fixed segment before a parameter, a greedy one last, a named method before ANY."""
    ranks = [(2 if part.endswith("+}") else 1 if part.startswith("{") else 0) for part in route.resource.split("/")]
    return (ranks, route.method == "ANY", route.resource)


def _parameters(resource: str, path: str) -> dict[str, str] | None:
    wanted, given = resource.strip("/").split("/"), path.strip("/").split("/")
    found: dict[str, str] = {}
    for index, part in enumerate(wanted):
        if part.endswith("+}"):
            rest = "/".join(given[index:])
            return found | {part[1:-2]: unquote(rest)} if rest else None
        if index >= len(given) or (not given[index] and part):
            return None
        if part.startswith("{"):
            found[part[1:-1]] = unquote(given[index])
        elif part != given[index]:
            return None
    return found if len(wanted) == len(given) else None
