"""The custom resource that stores the first admin key's hash, answering a real HTTP server."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from functions.seed_admin_key import app
from spillway.adapters.aws.custom_resource import respond
from spillway.adapters.aws.secrets import secret_reader
from spillway.adapters.dynamodb.keys_table import KeysTable
from spillway.bootstrap.access import SeedServices
from spillway.domain.access.keys import Scope, id_of
from spillway.services.seed_admin_key import SeedAdminKey
from tests.builders import NOW, a_key
from tests.fakes import FakeKeys
from tests.unit.services.cloudformation import CloudFormation, listening

SECRET = "a" * 64


class Account:
    """``secret`` is what Secrets Manager gives out, an error when it is one."""

    def __init__(self) -> None:
        self.keys = FakeKeys()
        self.secret: str | Exception = SECRET

    def read_secret(self) -> str:
        if isinstance(self.secret, Exception):
            raise self.secret
        return self.secret


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    services = SeedServices(SeedAdminKey(made.keys, made.read_secret, lambda: NOW), respond)
    monkeypatch.setattr(app, "container", lambda: services)
    return made


@pytest.fixture
def cloud(account: Account) -> Iterator[CloudFormation]:
    made = CloudFormation(app.handler, {"LogicalResourceId": "AdminKey"})
    with listening(made):
        yield made


def test_create_stores_the_hash_of_the_secret_alone(cloud: CloudFormation, account: Account) -> None:
    answer = cloud.send("Create")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", id_of(SECRET))
    assert {answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
        "arn:stack",
        "request",
        "AdminKey",
    }
    (key,) = account.keys.items.values()
    assert (key.name, key.scopes, key.matches(SECRET, NOW)) == ("bootstrap-admin", frozenset({Scope.ADMIN}), True)
    assert SECRET not in repr(key)
    assert SECRET not in json.dumps(answer)
    assert cloud.content_types == [""]


def test_update_with_the_same_secret_is_the_same_resource(cloud: CloudFormation, account: Account) -> None:
    first = cloud.send("Create")["PhysicalResourceId"]
    assert cloud.send("Update", first)["PhysicalResourceId"] == first
    assert len(account.keys.items) == 1


def test_another_secret_is_another_resource_and_the_old_one_goes(cloud: CloudFormation, account: Account) -> None:
    first = cloud.send("Create")["PhysicalResourceId"]
    account.secret = "b" * 64
    second = cloud.send("Update", first)["PhysicalResourceId"]
    assert second != first
    assert cloud.send("Delete", first)["Status"] == "SUCCESS"
    assert list(account.keys.items) == [second]


def test_delete_may_be_repeated_and_leaves_other_keys_alone(cloud: CloudFormation, account: Account) -> None:
    account.keys.put(a_key())
    for physical_id in (id_of(SECRET), "never-made"):
        assert cloud.send("Delete", physical_id)["Status"] == "SUCCESS"
    assert len(account.keys.items) == 1


def test_a_table_that_went_before_the_key_holds_up_no_deletion(
    cloud: CloudFormation, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mock_aws():
        client = boto3.client("dynamodb", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
        services = SeedServices(SeedAdminKey(KeysTable(client, "gone"), account.read_secret, lambda: NOW), respond)
        monkeypatch.setattr(app, "container", lambda: services)
        assert cloud.send("Delete", id_of(SECRET))["Status"] == "SUCCESS"


def test_a_failure_is_told_without_the_secret(cloud: CloudFormation, account: Account) -> None:
    account.secret = RuntimeError(f"could not read {SECRET}")
    with pytest.raises(RuntimeError):
        cloud.send("Create")
    (answer,) = cloud.answers
    assert answer["Status"] == "FAILED"
    assert "abc" in answer["Reason"]
    assert SECRET not in json.dumps(answer)


def test_an_address_that_is_no_http_address_is_not_opened() -> None:
    with pytest.raises(ValueError, match="HTTP"):
        respond({"ResponseURL": "file:///etc/passwd"}, physical_id="a")


def test_the_secret_is_read_from_secrets_manager() -> None:
    with mock_aws():
        client = boto3.client("secretsmanager", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
        arn = client.create_secret(Name="admin", SecretString=SECRET)["ARN"]
        assert secret_reader(client, arn)() == SECRET
