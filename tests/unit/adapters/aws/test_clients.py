"""What clients know of services beyond an old SDK's own models, against what the SDK of the lock knows."""

import json
from collections.abc import Iterator
from copy import deepcopy
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.loaders import Loader
from botocore.utils import deep_merge

from spillway.adapters.aws import clients

ADDED = sorted(Path(str(files("spillway.data"))).glob("sdk/*/*/*"))
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "elbv2",
        "CreateRule",
        {
            "ListenerArn": "listener",
            "Priority": 7,
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["*/fleets/a/*"]}}],
            "Transforms": [
                {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a&b/(.*)$", "Replace": "/$1"}]}}
            ],
            "Actions": [{"Type": "forward", "TargetGroupArn": "group"}],
        },
    ),
    (
        "sagemaker",
        "CreateEndpointConfig",
        {
            "EndpointConfigName": "a",
            "ProductionVariants": [{"VariantName": "a", "ManagedInstanceScaling": {"MinInstanceCount": 0}}],
        },
    ),
    ("bedrock", "GetFoundationModelAvailability", {"modelId": "meta.llama3-1-8b-instruct-v1:0"}),
    ("bedrock", "ListInferenceProfiles", {"typeEquals": "SYSTEM_DEFINED"}),
]


class Sent(BaseException):
    """Stops a request that is ready to go."""

    def __init__(self, request: Any) -> None:
        self.request = request


def stop(request: Any, **_: object) -> None:
    raise Sent(request)


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield
    clients._session.cache_clear()


def without(model: Any, added: Any) -> Any:
    """Return a model as it was before something was added to it; what has a word of its own was added whole."""
    kept = dict(model)
    for name, part in added.items():
        if all(isinstance(each, dict) for each in part.values()):
            kept[name] = without(model[name], part)
        else:
            del kept[name]
    return kept


@pytest.fixture
def older_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK whose own models have nothing of what is added."""
    load = Loader.load_data_with_path
    added = {
        file.parent.relative_to(file.parents[2]).as_posix(): json.loads(file.read_text())["merge"] for file in ADDED
    }

    def cut(self: Loader, name: str) -> Any:
        found, path = load(self, name)
        parts = name.replace("\\", "/").rpartition("/")
        if parts[2] == "service-2" and parts[0] in added:
            return without(found, added[parts[0]]), path
        return found, path

    monkeypatch.setattr(Loader, "load_data_with_path", cut)


def sent(service: str, operation: str, params: dict[str, Any]) -> tuple[str, str, Any]:
    clients._session.cache_clear()
    made = clients.client(service)
    made.meta.events.register("before-send", stop)
    with pytest.raises(Sent) as caught:
        made._make_api_call(operation, params)
    request = caught.value.request
    body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
    return request.method, request.url, json.loads(body) if body.startswith("{") else parse_qs(body)


@pytest.mark.parametrize("file", ADDED, ids=lambda file: file.parts[-3])
def test_what_is_added_is_what_newer_sdks_say_themselves(file: Path) -> None:
    service, version = file.parts[-3:-1]
    own = Loader().load_data(f"{service}/{version}/service-2")
    assert Loader().determine_latest_version(service, "service-2") == version
    completed = deepcopy(own)
    deep_merge(completed, json.loads(file.read_text())["merge"])
    assert completed == own


def test_no_file_of_the_sdks_own_stands_before_ours() -> None:
    for file in ADDED:
        name = "/".join(file.parts[-3:]).removesuffix(".json")
        assert not any((Path(path) / f"{name}.json").exists() for path in Loader().search_paths)


@pytest.mark.parametrize(("service", "operation", "params"), CALLS)
def test_an_older_sdk_sends_the_same(
    service: str, operation: str, params: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    expected = sent(service, operation, params)
    request.getfixturevalue("older_sdk")
    assert sent(service, operation, params) == expected


def test_an_older_sdk_hears_what_an_imported_model_costs(older_sdk: None) -> None:
    made = clients.client("bedrock")
    answer = {"modelArn": "arn", "customModelUnits": {"customModelUnitsPerModelCopy": 2}}
    made.meta.events.register("before-send", lambda **_: _answered(answer))
    assert made.get_imported_model(modelIdentifier="a")["customModelUnits"] == {"customModelUnitsPerModelCopy": 2}


def _answered(answer: dict[str, Any]) -> AWSResponse:
    raw: Any = BytesIO(json.dumps(answer).encode())
    raw.stream = lambda amt=None, decode_content=None: iter([raw.getvalue()])
    return AWSResponse("https://bedrock", 200, HTTPHeaders(), raw)


def test_the_older_sdk_of_these_tests_knows_none_of_it(older_sdk: None) -> None:
    loader = Loader()
    balancer, bedrock = (loader.load_service_model(name, "service-2") for name in ("elbv2", "bedrock"))
    assert "Transforms" not in balancer["shapes"]["CreateRuleInput"]["members"]
    assert "GetFoundationModelAvailability" not in bedrock["operations"]
    assert "customModelUnits" not in bedrock["shapes"]["GetImportedModelResponse"]["members"]
    assert "typeEquals" not in bedrock["shapes"]["ListInferenceProfilesRequest"]["members"]
