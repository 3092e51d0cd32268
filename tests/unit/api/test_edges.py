"""Everything around the routes: who may call, what exists, what is documented."""

import io
import json

import pytest

from spillway.logs import function_logger
from tests.builders import a_deployment
from tests.unit.api.conftest import World


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
