"""Everything around the routes: who may call, what exists, what is documented."""

import io
import json
import re
from typing import Any

import pytest

from spillway.logs import function_logger
from tests.builders import a_deployment
from tests.unit.api import bodies
from tests.unit.api.conftest import World, document


@pytest.mark.parametrize("scopes", ["invoke", "", "administrator", "invoke,adminx"])
def test_a_key_without_the_scope_is_forbidden(world: World, scopes: str) -> None:
    answer = world.call("POST", "/deployments", {}, scopes=scopes)
    assert answer.status == 403
    assert answer.error == {
        "message": "This call needs a key with the scope admin.",
        "type": "permission_error",
        "param": None,
        "code": "insufficient_scope",
        "allowed": ["admin"],
    }


def test_a_key_with_both_scopes_may_call(world: World) -> None:
    assert world.call("GET", "/deployments", scopes="admin,invoke").status == 200


def test_no_key_is_unauthorized(world: World) -> None:
    answer = world.call("GET", "/deployments", scopes=None)
    assert (answer.status, answer.error["type"]) == (401, "authentication_error")


def test_health_needs_no_key(world: World) -> None:
    answer = world.call("GET", "/healthz", scopes=None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/nowhere", "/deployments/a1/b2/c3", "/v1/models", "/keys/a/b"])
def test_an_unknown_route_is_not_found(world: World, path: str) -> None:
    answer = world.call("GET", path)
    assert answer.status == 404
    assert answer.error["code"] == "unknown_route"
    assert answer.error["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/deployments", ["GET", "POST"]),
        ("PUT", "/deployments/support-llama", ["DELETE", "GET", "PATCH"]),
        ("GET", "/deployments/support-llama/wake", ["POST"]),
        ("GET", "/keys/key_1", ["DELETE", "PATCH"]),
        ("POST", "/healthz", ["GET"]),
        ("POST", "/docs", ["GET"]),
    ],
)
def test_a_wrong_method_says_which_ones_there_are(world: World, method: str, path: str, allowed: list[str]) -> None:
    answer = world.call(method, path)
    assert answer.status == 405
    assert answer.error["code"] == "method_not_allowed"
    assert answer.error["allowed"] == allowed
    assert answer.headers["Allow"] == ", ".join(allowed)


# Powertools leaves its files for the garbage collector to close.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_docs_are_open_and_describe_every_route(world: World) -> None:
    page = world.call("GET", "/docs", scopes=None)
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    document = world.call("GET", "/docs?format=json", scopes=None).json
    described = {(verb, path) for path, verbs in document["paths"].items() for verb in verbs}
    assert described == {
        ("post", "/deployments"),
        ("get", "/deployments"),
        ("get", "/deployments/{name}"),
        ("patch", "/deployments/{name}"),
        ("delete", "/deployments/{name}"),
        ("get", "/deployments/{name}/decisions"),
        ("post", "/deployments/{name}/benchmarks"),
        ("get", "/deployments/{name}/benchmarks"),
        ("get", "/deployments/{name}/benchmarks/{benchmark_id}"),
        ("delete", "/deployments/{name}/benchmarks/{benchmark_id}"),
        ("post", "/deployments/{name}/wake"),
        ("post", "/deployments/{name}/sleep"),
        ("post", "/keys"),
        ("get", "/keys"),
        ("patch", "/keys/{key_id}"),
        ("post", "/keys/{key_id}/rotate"),
        ("delete", "/keys/{key_id}"),
        ("get", "/alerts"),
        ("get", "/costs"),
        ("post", "/plans"),
        ("get", "/prices"),
        ("get", "/prices/overrides"),
        ("put", "/prices/overrides"),
        ("get", "/credits"),
        ("put", "/credits"),
        ("get", "/healthz"),
    }
    assert document["servers"] == [{"url": "/live"}]
    assert "DeploymentSpec" in document["components"]["schemas"]


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(verb, path, each) for path, verbs in document()["paths"].items() for verb, each in verbs.items()]


def test_bad_input_is_a_400_to_the_document_too_and_every_error_has_the_one_shape() -> None:
    named = {"HTTPValidationError", "ValidationError", "ResponseValidationError"} & document()["components"][
        "schemas"
    ].keys()
    assert named == set()
    shape = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    for verb, path, operation in operations():
        errors = {int(status): each for status, each in operation["responses"].items() if int(status) >= 400}
        assert {400, 413, 429, 500, 504} <= errors.keys(), f"{verb} {path}"
        assert 422 not in errors, f"{verb} {path}"
        assert all(each["content"] == shape for each in errors.values()), f"{verb} {path}"


def test_the_document_says_who_is_let_in() -> None:
    assert document()["security"] == [{"bearer": []}]
    for verb, path, operation in operations():
        is_open = path == "/healthz"
        assert operation.get("security") == ([] if is_open else None), f"{verb} {path}"
        assert ({401, 403, 503} <= {int(status) for status in operation["responses"]}) is not is_open, f"{verb} {path}"


@pytest.mark.parametrize(
    ("path", "types"),
    [("/costs", {"application/json", "text/csv"}), ("/plans", {"application/json", "image/svg+xml"})],
)
def test_the_document_names_what_an_answer_may_be_written_in(path: str, types: set[str]) -> None:
    (operation,) = document()["paths"][path].values()
    assert operation["responses"]["200"]["content"].keys() == types


def test_no_route_takes_a_query_parameter_that_it_does_not_know(world: World) -> None:
    for verb, template, operation in operations():
        path = re.sub(r"\{\w+\}", "x", template)
        asked = (each for each in bodies.REQUESTS if (each.method.lower(), each.template) == (verb, template))
        body: Any = {} if "requestBody" in operation else None
        answer = world.call(verb.upper(), f"{path}?colour=red", next((each.body for each in asked), body))
        known = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
        assert (answer.status, answer.error["param"]) == (400, "colour"), f"{verb} {template}: {answer.text}"
        assert answer.error.get("allowed", []) == known, f"{verb} {template}"
    assert world.nothing_changed()
    assert world.call("GET", "/docs?format=json&colour=red", scopes=None).error["allowed"] == ["format"]


def test_a_query_of_what_does_not_exist_is_still_a_wrong_path_or_method(world: World) -> None:
    assert world.call("GET", "/nowhere?colour=red").status == 404
    assert world.call("PUT", "/deployments?limit=1").status == 405


def test_a_query_parameter_that_is_there_twice_is_refused(world: World) -> None:
    answer = world.call("GET", "/deployments?limit=1&limit=2")
    assert (answer.status, answer.error["param"]) == (400, "limit")


def test_nothing_secret_is_logged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    # Other functions' modules, imported by other tests, took the package's loggers for themselves.
    for handler in function_logger("control_api").handlers:
        monkeypatch.setattr(handler, "stream", stream)
    headers = {"Authorization": "Bearer sk-spillway-callers-own"}
    secret = world.call("POST", "/keys", {"name": "ci"}, headers=headers).json["secret"]
    logged = stream.getvalue()
    assert "key created" in logged
    assert secret not in logged
    assert "callers-own" not in logged
    for line in logged.splitlines():
        assert json.loads(line)["service"] == "control_api"


def test_a_fault_of_ours_shows_no_inside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deployments.items["support-llama"] = a_deployment()
    monkeypatch.setattr(world.usage, "month", lambda *_: 1 / 0)
    answer = world.call("GET", "/deployments/support-llama")
    assert answer.status == 500
    assert "request-1" in answer.error["message"]
    assert "division" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("call", "body", "known"),
    [
        ("POST /deployments", {"name": "a1", "path": "bedrock", "model": {"id": "x.y"}}, {"name", "model", "path"}),
        ("POST /deployments/support-llama/benchmarks", {}, {"mix", "concurrency", "seconds_per_step"}),
        ("POST /keys", {"name": "x", "scopes": ["invoke"]}, {"name", "scopes", "expires_at"}),
        ("POST /keys/key_1/rotate", {}, {"overlap_seconds"}),
        ("PATCH /keys/key_1", {}, {"requests_per_minute", "tokens_per_minute", "usd_per_month"}),
        ("PUT /credits", {"grants": []}, {"grants", "other_usd_per_day"}),
        ("PUT /prices/overrides", {"overrides": []}, {"overrides"}),
    ],
)
def test_an_unknown_field_is_answered_with_those_of_that_call(
    world: World, call: str, body: dict[str, Any], known: set[str]
) -> None:
    method, path = call.split(" ")
    answer = world.call(method, path, {**body, "zzz": 1})
    assert (answer.status, answer.error["param"]) == (400, "zzz")
    assert known <= set(answer.error["allowed"])
    assert ("model" in answer.error["allowed"]) is ("model" in known)


@pytest.mark.parametrize("span", ["to=9999-12-31T23:59:59Z", "from=0001-01-01", "from=9999-12-31T00:00:00Z"])
def test_a_moment_at_the_end_of_time_is_refused(world: World, span: str) -> None:
    answer = world.call("GET", f"/costs?{span}")
    assert (answer.status, answer.error["param"]) == (400, span.partition("=")[0])
