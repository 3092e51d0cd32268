"""A moto account, and the tables of the template in it or in another DynamoDB."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tests.table_engine import boto3_environment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MakeTable = Callable[..., str]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        for name, value in boto3_environment().items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture
def dynamodb(aws: None) -> "DynamoDBClient":
    return boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def make_table(dynamodb: "DynamoDBClient") -> MakeTable:
    def make(partition: str, sort: str | None = None) -> str:
        keys = [name for name in (partition, sort) if name]
        dynamodb.create_table(
            TableName="table",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[
                {"AttributeName": name, "KeyType": "RANGE" if position else "HASH"}
                for position, name in enumerate(keys)
            ],
        )
        return "table"

    return make
