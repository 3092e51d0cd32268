"""The gateway's reads and writes against moto's DynamoDB and event bus."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.aws.log_group import LogGroup
from spillway.adapters.dynamodb.gateway_tables import DynamoUsageCounters, DynamoWakeDesk, GatewayPrices, GatewayRoutes
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.domain.pricing.price_layers import Override, PriceTable, Reading, StoredPrices
from spillway.domain.routing.route import route_to_json
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.text_log import Event
from spillway.gateway.request_record import UsageBucket
from spillway.settings import Settings
from tests.builders import NOW, a_route
from tests.unit.gateway.servers import ENVIRONMENT

EVERY = timedelta(seconds=60)


def store(dynamo: Any, *names: str) -> None:
    for name in names:
        body = json.dumps(route_to_json(a_route(name)))
        dynamo.put_item(TableName="routes", Item={"name": {"S": name}, "body": {"S": body}, "version": {"N": "1"}})


async def test_routes_are_read_back(aws: AwsHttp, dynamo: Any) -> None:
    store(dynamo, "a-model", "b-model")
    dynamo.put_item(TableName="routes", Item={"name": {"S": "gone"}, "wake_requested_at": {"N": "1"}})
    routes = GatewayRoutes(aws, "routes")
    assert await routes.get("a-model") == a_route("a-model")
    assert await routes.get("nobody") is None
    assert await routes.get("gone") is None
    assert sorted(route.name for route in await routes.scan()) == ["a-model", "b-model"]


async def test_a_scan_reads_every_page(aws: AwsHttp, dynamo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store(dynamo, *(f"model-{index}" for index in range(5)))
    call = AwsHttp.call
    calls = []

    async def two_a_page(self: AwsHttp, service: str, target: str, payload: Any, seconds: float) -> Any:
        calls.append(target)
        return await call(self, service, target, {**payload, "Limit": 2}, seconds)

    monkeypatch.setattr(AwsHttp, "call", two_a_page)
    assert len(await GatewayRoutes(aws, "routes").scan()) == 5
    assert len(calls) == 3


async def test_what_budgets_need_of_the_prices_is_read_as_the_control_plane_wrote_it(aws: AwsHttp, dynamo: Any) -> None:
    prices = GatewayPrices(aws, "prices")
    assert await prices.read() == StoredPrices([], [])
    stored = PricesTable(dynamo, "prices")
    tokens = Reading(PriceTable.BEDROCK, {"a.model": (0.1, 0.2)}, "a test", NOW)
    mine = [Override(PriceTable.BEDROCK, "a.model", usd=(0.3, 0.4)), Override(PriceTable.EC2, discount=0.3)]
    stored.put_reading(tokens)
    stored.put_reading(Reading(PriceTable.EC2, {"g5.xlarge": (1.0,)}, "a test", NOW))
    stored.put_overrides(mine, NOW)
    assert await prices.read() == StoredPrices([tokens], mine, NOW)


@pytest.mark.parametrize("body", ["{", "[]", '{"a.model": 1}'])
async def test_prices_that_cannot_be_read_count_as_unread(aws: AwsHttp, dynamo: Any, body: str) -> None:
    item = {"id": "read#bedrock", "body": body, "source": "x", "at": NOW.isoformat()}
    dynamo.put_item(TableName="prices", Item={name: {"S": value} for name, value in item.items()})
    with pytest.raises(StoreUnavailable):
        await GatewayPrices(aws, "prices").read()


async def test_texts_reach_a_stream_of_their_own_in_their_group(aws: AwsHttp, endpoint: str) -> None:
    logs: Any = boto3.client(
        "logs", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="AKIA", aws_secret_access_key="s"
    )
    group = LogGroup(aws, "texts", lambda: "2026/11/24/one")
    now = int(time.time() * 1000)
    events = [Event(now, '{"n":1}', "a-model", 33), Event(now + 1, '{"n":2}', "a-model", 33)]
    with pytest.raises(StoreUnavailable, match="ResourceNotFound"):
        await group.put(events, 5)
    logs.create_log_group(logGroupName="texts")
    for _ in range(2):
        await group.put(events, 5)
    found = logs.get_log_events(logGroupName="texts", logStreamName="2026/11/24/one", startFromHead=True)["events"]
    assert [event["message"] for event in found] == ['{"n":1}', '{"n":1}', '{"n":2}', '{"n":2}']
    await LogGroup(aws, "texts", lambda: "2026/11/24/one").put(events, 5)  # made before: no error
    logs.delete_log_group(logGroupName="texts")
    with pytest.raises(StoreUnavailable):
        await group.put(events, 5)
    logs.create_log_group(logGroupName="texts")
    await group.put(events, 5)
    old = [Event(now - 30 * 86_400_000, "old", "a-model", 29)]
    with pytest.raises(StoreUnavailable, match="refused"):
        await group.put(old, 5)
    logs.delete_log_group(logGroupName="texts")
    logs.close()


async def test_usage_adds_up(aws: AwsHttp, dynamo: Any) -> None:
    counters = DynamoUsageCounters(aws, "usage")
    moment = int(datetime(2026, 11, 24, 9, 59, 59, tzinfo=UTC).timestamp())
    for _ in range(2):
        bucket = UsageBucket("a-model", moment // 3600, "primary", "fleet", "key_1")
        await counters.add(bucket, {"requests": 1, "reason_ready": 1}, moment)
    key = {"deployment": {"S": "a-model"}, "bucket": {"S": "2026-11-24T09Z#primary#fleet#key_1"}}
    item = dynamo.get_item(TableName="usage", Key=key)["Item"]
    assert (item["requests"], item["reason_ready"]) == ({"N": "2"}, {"N": "2"})
    assert item["expires_at"] == {"N": str(moment + 400 * 86_400)}


async def test_a_wake_is_claimed_once_a_minute_and_only_where_there_is_a_route(aws: AwsHttp, dynamo: Any) -> None:
    store(dynamo, "a-model")
    desk = DynamoWakeDesk(aws, "routes", "default")
    claims = [await desk.claim("a-model", NOW + timedelta(seconds=after), EVERY) for after in (0, 1, 60, 61)]
    assert claims == [True, False, False, True]
    assert not await desk.claim("nobody", NOW, EVERY)
    assert "Item" not in dynamo.get_item(TableName="routes", Key={"name": {"S": "nobody"}})
    assert (await GatewayRoutes(aws, "routes").get("a-model")) == a_route("a-model")


async def test_a_wake_is_announced(aws: AwsHttp) -> None:
    await DynamoWakeDesk(aws, "routes", "default").announce("a-model")


@pytest.mark.parametrize("item", [{"body": {"S": "{"}}, {"body": {"S": "{}"}}, {"body": {"S": '{"state":"new"}'}}])
async def test_a_route_that_cannot_be_read_counts_as_unread(aws: AwsHttp, dynamo: Any, item: dict[str, Any]) -> None:
    dynamo.put_item(TableName="routes", Item={"name": {"S": "odd"}, **item})
    with pytest.raises(StoreUnavailable):
        await GatewayRoutes(aws, "routes").get("odd")
    store(dynamo, "a-model")
    assert [route.name for route in await GatewayRoutes(aws, "routes").scan()] == ["a-model"]


async def test_a_missing_table_and_a_missing_server_are_unavailable(aws: AwsHttp) -> None:
    nowhere = Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    for routes in (GatewayRoutes(aws, "nope"), GatewayRoutes(AwsHttp(aws.connections, nowhere, lambda: NOW), "routes")):
        with pytest.raises(StoreUnavailable):
            await routes.get("a-model")


async def test_addresses_follow_the_sdks_variables(aws: AwsHttp) -> None:
    plain = AwsHttp(aws.connections, Settings(ENVIRONMENT), lambda: NOW)
    mixed = Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://all/", "AWS_ENDPOINT_URL_DYNAMODB": "http://own"})
    special = AwsHttp(aws.connections, mixed, lambda: NOW)
    assert plain.url("SAGEMAKER_RUNTIME", "/x") == "https://runtime.sagemaker.eu-west-1.amazonaws.com/x"
    assert plain.url("EVENTBRIDGE") == "https://events.eu-west-1.amazonaws.com/"
    assert special.url("DYNAMODB") == "http://own/"
    assert special.url("BEDROCK_RUNTIME", "/y") == "http://all/y"
