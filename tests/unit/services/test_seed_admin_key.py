"""The custom resource that stores the first admin key's hash, answering a real HTTP server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from functions.seed_admin_key import app
from spillway.adapters.aws.custom_resource import respond
from spillway.adapters.aws.secrets import secret_reader
from spillway.bootstrap.access import SeedServices
from spillway.domain.access.keys import Scope, id_of
from spillway.services.seed_admin_key import SeedAdminKey
from tests.builders import NOW, a_key
from tests.fakes import FakeKeys
from tests.unit.api.conftest import Context

SECRET = "a" * 64


class SeedContext(Context):
    log_stream_name = "2026/11/24/[$LATEST]abc"


class CloudFormation:
    """Takes the answers; ``secret`` is what Secrets Manager gives out, an error when it is one."""

    def __init__(self) -> None:
        self.keys = FakeKeys()
        self.answers: list[dict[str, Any]] = []
        self.content_types: list[str | None] = []
        self.secret: str | Exception = SECRET
        self.url = ""

    def read_secret(self) -> str:
        if isinstance(self.secret, Exception):
            raise self.secret
        return self.secret

    def send(self, kind: str, physical_id: str | None = None) -> dict[str, Any]:
        event = {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "arn:stack",
            "RequestId": "request",
            "LogicalResourceId": "AdminKey",
            **({"PhysicalResourceId": physical_id} if physical_id else {}),
        }
        app.handler(event, cast(LambdaContext, SeedContext()))
        return self.answers[-1]


@contextmanager
def listening(cloud: CloudFormation) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            cloud.answers.append(json.loads(body))
            cloud.content_types.append(self.headers["Content-Type"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.server_port}/answer?signature=1"
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudFormation]:
    made = CloudFormation()
    services = SeedServices(SeedAdminKey(made.keys, made.read_secret, lambda: NOW), respond)
    monkeypatch.setattr(app, "container", lambda: services)
    with listening(made):
        yield made


def test_create_stores_the_hash_of_the_secret_alone(cloud: CloudFormation) -> None:
    answer = cloud.send("Create")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", id_of(SECRET))
    assert {answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
        "arn:stack",
        "request",
        "AdminKey",
    }
    (key,) = cloud.keys.items.values()
    assert (key.name, key.scopes, key.matches(SECRET, NOW)) == ("bootstrap-admin", frozenset({Scope.ADMIN}), True)
    assert SECRET not in repr(key)
    assert SECRET not in json.dumps(answer)
    assert cloud.content_types == [""]


def test_update_with_the_same_secret_is_the_same_resource(cloud: CloudFormation) -> None:
    first = cloud.send("Create")["PhysicalResourceId"]
    assert cloud.send("Update", first)["PhysicalResourceId"] == first
    assert len(cloud.keys.items) == 1


def test_another_secret_is_another_resource_and_the_old_one_goes(cloud: CloudFormation) -> None:
    first = cloud.send("Create")["PhysicalResourceId"]
    cloud.secret = "b" * 64
    second = cloud.send("Update", first)["PhysicalResourceId"]
    assert second != first
    assert cloud.send("Delete", first)["Status"] == "SUCCESS"
    assert list(cloud.keys.items) == [second]


def test_delete_may_be_repeated_and_leaves_other_keys_alone(cloud: CloudFormation) -> None:
    cloud.keys.put(a_key())
    for physical_id in (id_of(SECRET), "never-made"):
        assert cloud.send("Delete", physical_id)["Status"] == "SUCCESS"
    assert len(cloud.keys.items) == 1


def test_a_failure_is_told_without_the_secret(cloud: CloudFormation) -> None:
    cloud.secret = RuntimeError(f"could not read {SECRET}")
    with pytest.raises(RuntimeError):
        cloud.send("Create")
    (answer,) = cloud.answers
    assert answer["Status"] == "FAILED"
    assert "abc" in answer["Reason"]
    assert SECRET not in json.dumps(answer)


def test_an_address_that_is_no_http_address_is_not_opened() -> None:
    with pytest.raises(ValueError, match="HTTP"):
        respond({"ResponseURL": "file:///etc/passwd"}, physical_id="a")


def test_the_secret_is_read_from_secrets_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        arn = client.create_secret(Name="admin", SecretString=SECRET)["ARN"]
        assert secret_reader(client, arn)() == SECRET
