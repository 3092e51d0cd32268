"""Routes, authorizers and API Gateway's own answers, read from an API's document."""

import json
from typing import Any

import pytest

from tests.sandbox.runtime.api_routes import Api, Authorizer, read_api
from tests.sandbox.runtime.gateway_responses import render
from tests.sandbox.runtime.intrinsics import TemplateError
from tests.sandbox.runtime.lambda_runtime import Invocation
from tests.sandbox.runtime.proxy_event import Incoming, MalformedAnswerError, read_answer
from tests.sandbox.runtime.request_authorizer import RefusedError, RequestAuthorizer, allows

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:{}"
URI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{}/invocations"
ARN = "arn:aws:execute-api:us-east-1:123456789012:api1/live"


def integration(function: str, **more: Any) -> dict[str, Any]:
    uri = URI.format(FUNCTION.format(function))
    return {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": uri, **more}}


def api(paths: dict[str, Any], **more: Any) -> Api:
    return read_api({"paths": paths, **more}, "api1", "live")


def test_the_most_specific_route_wins() -> None:
    paths = {
        "/things/{proxy+}": {"x-amazon-apigateway-any-method": integration("greedy")},
        "/things/{id}": {"x-amazon-apigateway-any-method": integration("one"), "get": integration("get")},
        "/things/all": {"get": integration("all")},
    }
    found = {
        path: api(paths).match(method, path)
        for method, path in (
            ("GET", "/things/all"),
            ("GET", "/things/a%20b"),
            ("PUT", "/things/x"),
            ("GET", "/things/x/y"),
        )
    }
    named = {path: (match[0].function.rpartition(":")[2], match[1]) for path, match in found.items() if match}
    assert named == {
        "/things/all": ("all", {}),
        "/things/a%20b": ("get", {"id": "a b"}),
        "/things/x": ("one", {"id": "x"}),
        "/things/x/y": ("greedy", {"proxy": "x/y"}),
    }
    assert api(paths).match("GET", "/things") is None


def test_any_is_the_seven_methods_that_api_gateway_means_by_it() -> None:
    found = api({"/things": {"x-amazon-apigateway-any-method": integration("one")}})
    taken = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
    assert {each for each in (*taken, "TRACE", "QUERY", "CONNECT", "ANY") if found.match(each, "/things")} == taken


def test_a_route_with_an_authorizer_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TemplateError, match="no authorizer Keys"):
        api({"/": {"get": {**integration("one"), "security": [{"Keys": []}]}}})


def test_streaming_and_its_timeout_come_from_the_integration() -> None:
    (route,) = api({"/": {"get": integration("one", responseTransferMode="STREAM", timeoutInMillis=900000)}}).routes
    assert (route.streams, route.timeout_seconds) == (True, 900.0)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (f"{ARN}/GET/v1/models", True),
        (f"{ARN}/*/v1/*", True),
        (f"{ARN}/*/deployments*", False),
        ("arn:aws:execute-api:us-east-1:123456789012:api2/*", False),
    ],
)
def test_policies_are_matched_against_the_methods_arn(resource: str, allowed: bool) -> None:
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [resource]}
    assert allows({"Statement": [statement]}, f"{ARN}/GET/v1/models") is allowed


def test_an_explicit_deny_wins() -> None:
    both = [{"Action": "execute-api:*", "Effect": effect, "Resource": "*"} for effect in ("Allow", "Deny")]
    assert not allows({"Statement": both}, f"{ARN}/GET/v1/models")


class Function:
    """An authorizer's function that answers what it is told to, and counts."""

    def __init__(self, answer: object, error: str | None = None) -> None:
        self.calls = 0
        self._invocation = Invocation(json.dumps(answer).encode(), error)

    async def __call__(self, function: str, payload: bytes) -> Invocation:
        self.calls += 1
        return self._invocation


def authorization(headers: list[tuple[str, str]]) -> Incoming:
    return Incoming("GET", "/v1/models", "", headers, b"", "127.0.0.1", "localhost")


async def ask(authorizer: RequestAuthorizer, headers: list[tuple[str, str]]) -> dict[str, Any]:
    known = Authorizer("Keys", FUNCTION.format("keys"), "REQUEST", ("Authorization",), 60.0)
    return await authorizer.authorize(known, api({}), f"{ARN}/GET/v1/models", authorization(headers), {"headers": {}})


ALLOWED = {
    "principalId": "key_1",
    "policyDocument": {"Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{ARN}/*"}]},
    "context": {"scopes": "invoke", "number": 5, "flag": True},
}
KEY = [("authorization", "Bearer one")]


async def test_an_answer_is_cached_for_its_time_and_its_context_is_text() -> None:
    now = [0.0]
    function = Function(ALLOWED)
    authorizer = RequestAuthorizer(function, lambda: now[0])
    context = await ask(authorizer, KEY)
    assert {name: context[name] for name in ("principalId", "scopes", "number", "flag")} == {
        "principalId": "key_1",
        "scopes": "invoke",
        "number": "5",
        "flag": "true",
    }
    await ask(authorizer, KEY)
    assert function.calls == 1
    now[0] = 61.0
    await ask(authorizer, KEY)
    assert function.calls == 2


@pytest.mark.parametrize(
    ("answer", "error", "kind"),
    [
        ({"errorMessage": "Unauthorized", "errorType": "Exception"}, "Unhandled", "UNAUTHORIZED"),
        ({"errorMessage": "boom", "errorType": "KeyError"}, "Unhandled", "AUTHORIZER_FAILURE"),
        ({"principalId": "key_1"}, None, "AUTHORIZER_CONFIGURATION_ERROR"),
        ({**ALLOWED, "context": {"nested": []}}, None, "AUTHORIZER_CONFIGURATION_ERROR"),
        ({**ALLOWED, "policyDocument": {"Statement": []}}, None, "ACCESS_DENIED"),
    ],
)
async def test_refusals_have_api_gateways_names(answer: object, error: str | None, kind: str) -> None:
    with pytest.raises(RefusedError) as refused:
        await ask(RequestAuthorizer(Function(answer, error), lambda: 0.0), KEY)
    assert refused.value.kind == kind


async def test_without_the_identity_header_the_function_is_not_asked() -> None:
    function = Function(ALLOWED)
    with pytest.raises(RefusedError, match="UNAUTHORIZED"):
        await ask(RequestAuthorizer(function, lambda: 0.0), [])
    assert function.calls == 0


def test_own_answers_come_from_the_template_with_the_context_filled_in() -> None:
    configured: dict[str, dict[str, Any]] = {
        "MISSING_AUTHENTICATION_TOKEN": {
            "statusCode": "404",
            "responseTemplates": {"application/json": '{"m": "no $context.path", "e": $context.error.messageString}'},
            "responseParameters": {"gatewayresponse.header.Retry-After": "'1'"},
        },
        "DEFAULT_5XX": {"responseTemplates": {"application/json": "default"}},
    }
    rendered = render("MISSING_AUTHENTICATION_TOKEN", configured, {"path": "/live/x"})
    assert (rendered.status, rendered.headers["Retry-After"]) == (404, "1")
    assert json.loads(rendered.body) == {"m": "no /live/x", "e": "Missing Authentication Token"}
    assert (render("INTEGRATION_TIMEOUT", configured, {}).status, render("LAMBDA_FAILED", configured, {}).body) == (
        504,
        "default",
    )
    assert json.loads(render("UNAUTHORIZED", {}, {}).body) == {"message": "Unauthorized"}


def test_a_functions_answer_is_read_with_all_its_headers() -> None:
    answer = {
        "statusCode": 201,
        "headers": {"A": 1},
        "multiValueHeaders": {"B": ["x", "y"]},
        "body": "aGk=",
        "isBase64Encoded": True,
    }
    status, headers, body = read_answer(json.dumps(answer).encode())
    assert (status, headers["a"], headers.getall("b"), body) == (201, "1", ["x", "y"], b"hi")


@pytest.mark.parametrize("answer", [b"null", b"[]", b'{"body": "x"}', b'{"statusCode": 200, "body": {}}', b"nonsense"])
def test_a_malformed_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        read_answer(answer)
