"""Requests and answers in the form that API Gateway's REST APIs exchange with Lambda."""

import base64
import fnmatch
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from multidict import CIMultiDict

from tests.sandbox.runtime.api_routes import Api, Route


class MalformedAnswerError(ValueError):
    """A function's answer is not one that API Gateway takes (it answers 502)."""


@dataclass(frozen=True)
class Incoming:
    """A request as it reached the API, its path without the stage."""

    method: str
    path: str
    query: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    source_ip: str
    host: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def header(self, name: str) -> str | None:
        """Return a header's first value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def request_context(
    incoming: Incoming, api: Api, route: Route, account: str, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the event's ``requestContext``."""
    now = time.time()
    context: dict[str, Any] = {
        "accountId": account,
        "apiId": api.api_id,
        "domainName": incoming.host,
        "domainPrefix": incoming.host.partition(".")[0],
        "extendedRequestId": incoming.request_id[:16],
        "httpMethod": incoming.method,
        "identity": _identity(incoming),
        "path": f"/{api.stage}{incoming.path}",
        "protocol": "HTTP/1.1",
        "requestId": incoming.request_id,
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now * 1000),
        "resourceId": f"{abs(hash(route.resource)) % 10**6:06d}",
        "resourcePath": route.resource,
        "stage": api.stage,
    }
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return context


def proxy_event(
    incoming: Incoming, api: Api, route: Route, parameters: Mapping[str, str], context: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the event of a Lambda proxy integration."""
    headers = multi_values(incoming.headers)
    query = multi_values(parse_qsl(incoming.query, keep_blank_values=True))
    binary = is_binary(api, incoming)
    body = base64.b64encode(incoming.body).decode() if binary else incoming.body.decode("utf-8", "replace")
    return {
        "resource": route.resource,
        "path": incoming.path,
        "httpMethod": incoming.method,
        "headers": {key: values[-1] for key, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {key: values[-1] for key, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": dict(context),
        "body": body if incoming.body else None,
        "isBase64Encoded": binary and bool(incoming.body),
    }


def is_binary(api: Api, incoming: Incoming) -> bool:
    """Whether the API passes a body of this type on as it is; any other becomes text, whatever it was."""
    kind = (incoming.header("content-type") or "").partition(";")[0].strip()
    return any(fnmatch.fnmatch(kind, pattern) for pattern in api.binary_types)


def multi_values(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return all values by name."""
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def read_answer(payload: bytes) -> tuple[int, CIMultiDict[str], bytes]:
    """Return status, headers and body of a function's answer; raise MalformedAnswerError."""
    try:
        answer = json.loads(payload)
        status = int(answer["statusCode"])
    except (ValueError, KeyError, TypeError) as err:
        raise MalformedAnswerError(payload[:200].decode("utf-8", "replace")) from err
    headers: CIMultiDict[str] = CIMultiDict()
    for key, value in (answer.get("headers") or {}).items():
        headers[key] = str(value)
    for key, values in (answer.get("multiValueHeaders") or {}).items():
        headers.popall(key, None)
        for value in values:
            headers.add(key, str(value))
    body = "" if answer.get("body") is None else answer["body"]
    if not isinstance(body, str):
        raise MalformedAnswerError("the body is not a string")
    return status, headers, base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()


def _identity(incoming: Incoming) -> dict[str, Any]:
    unused = ("accessKey", "accountId", "caller", "cognitoIdentityId", "user", "userArn", "principalOrgId")
    return {**dict.fromkeys(unused), "sourceIp": incoming.source_ip, "userAgent": incoming.header("user-agent")}
