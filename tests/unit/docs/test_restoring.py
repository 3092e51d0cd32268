"""The page's script for copying a table does what the page says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

PAGE = Path(__file__).parents[3] / "docs" / "deploying.md"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadedMotoServer(port=0)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(name, value)
    yield
    server.stop()


@pytest.mark.usefixtures("_aws")
def test_it_copies_pages_of_items_and_leaves_others() -> None:
    dynamodb = boto3.client("dynamodb")
    for table in ("kept", "new"):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
    # More than the megabyte of a page, more than the 25 items of a write.
    for number in range(30):
        dynamodb.put_item(TableName="kept", Item={"id": {"S": f"key_{number}"}, "body": {"S": "x" * 50_000}})
    dynamodb.put_item(TableName="new", Item={"id": {"S": "admin"}})
    (script,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-c", script, "kept", "new"], check=True)
    pages = dynamodb.get_paginator("scan").paginate(TableName="new", ProjectionExpression="id")
    found = {item["id"]["S"] for page in pages for item in page["Items"]}
    assert found == {"admin", *(f"key_{number}" for number in range(30))}
