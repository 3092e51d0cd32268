"""DynamoDB and an event bus, on a moto server, for what speaks to them over HTTP; and time for what does not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.settings import Settings
from tests.builders import NOW
from tests.table_engine import OTHER_DYNAMODB
from tests.unit.gateway.servers import ENVIRONMENT
from tests.waiting import run_ahead

TABLES = {
    "routes": ["name"],
    "usage": ["deployment", "bucket"],
    "prices": ["id"],
    "keys": ["id"],
    "limits": ["id"],
    "loads": ["id"],
}


@pytest.fixture
async def virtual_time() -> None:
    """Seconds take no time; for tests that play in memory."""
    run_ahead(asyncio.get_running_loop())


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    server._server.server_close()  # stopping leaves its socket open


@pytest.fixture
def dynamo(endpoint: str) -> Iterator[Any]:
    client: Any = boto3.client(
        "dynamodb",
        endpoint_url=OTHER_DYNAMODB or endpoint,
        region_name="eu-west-1",
        aws_access_key_id="AKIA",
        aws_secret_access_key="s",
    )
    for table, keys in TABLES.items():
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ["HASH", "RANGE"], strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )
    yield client
    for table in TABLES:
        client.delete_table(TableName=table)
    client.close()


@pytest.fixture
async def aws(endpoint: str, dynamo: Any) -> AsyncIterator[AwsHttp]:
    async with Connections() as connections:
        addresses = {"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_DYNAMODB": OTHER_DYNAMODB or endpoint}
        yield AwsHttp(connections, Settings({**ENVIRONMENT, **addresses}), lambda: NOW)
