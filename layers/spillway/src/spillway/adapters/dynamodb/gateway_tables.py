"""What the gateway reads and writes in DynamoDB and on the event bus, without an SDK."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from spillway.adapters.aws.http import AwsError, AwsHttp, AwsUnreachable
from spillway.adapters.dynamodb.load_keys import LOADS_KEPT_SECONDS, block_of, counter, traffic_id
from spillway.adapters.dynamodb.price_items import OVERRIDES, reading_id, stored_prices
from spillway.adapters.dynamodb.usage_keys import KEPT_FOR, traffic_key
from spillway.domain.observations.hours import hour_of
from spillway.domain.pricing.price_layers import PriceTable, StoredPrices
from spillway.domain.routing.route import Route, route_from_json
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.request_record import TrafficMinute, UsageBucket
from spillway.gateway.timeouts import SCAN_SECONDS, TABLE_SECONDS

_KEPT_SECONDS = int(KEPT_FOR.total_seconds())


@dataclass(frozen=True)
class GatewayRoutes:
    """Reads the ``routes`` table, eventually consistent: half the price, and a route may be two seconds old anyway."""

    aws: AwsHttp
    table: str

    async def get(self, name: str) -> Route | None:
        """Return one route; raises StoreUnavailable."""
        payload = {"TableName": self.table, "Key": {"name": {"S": name}}}
        item = (await dynamo(self.aws, "GetItem", payload)).get("Item")
        return _route(item) if _is_route(item) else None

    async def scan(self) -> Sequence[Route]:
        """Return all routes that this version can read, page by page; raises StoreUnavailable."""
        payload: dict[str, Any] = {"TableName": self.table}
        routes: list[Route] = []
        while True:
            page = await dynamo(self.aws, "Scan", payload, SCAN_SECONDS)
            for item in filter(_is_route, page.get("Items", [])):
                with suppress(StoreUnavailable):
                    routes.append(_route(item))
            if not (last := page.get("LastEvaluatedKey")):
                return routes
            payload["ExclusiveStartKey"] = last


@dataclass(frozen=True)
class GatewayPrices:
    """Reads what keys' budgets need of the ``prices`` table, eventually consistent: a price may be a minute old."""

    aws: AwsHttp
    table: str

    async def read(self) -> StoredPrices:
        """Return Bedrock's latest reading and all overrides, by one call; raises StoreUnavailable."""
        keys = [{"id": {"S": name}} for name in (reading_id(PriceTable.BEDROCK), OVERRIDES)]
        answer = await dynamo(self.aws, "BatchGetItem", {"RequestItems": {self.table: {"Keys": keys}}})
        if answer.get("UnprocessedKeys"):
            raise StoreUnavailable("the prices were not all read")
        try:
            return stored_prices({item["id"]["S"]: item for item in answer["Responses"][self.table]})
        except (AttributeError, LookupError, TypeError, ValueError) as err:
            raise StoreUnavailable(f"a stored price cannot be read: {err}") from err


@dataclass(frozen=True)
class DynamoUsageCounters:
    """Adds to the ``usage`` table."""

    aws: AwsHttp
    table: str

    async def add(self, bucket: UsageBucket, counts: Mapping[str, int], moment: int) -> None:
        """Add to the counters of one bucket; raises StoreUnavailable."""
        deployment, hour, role, path, key_id = bucket
        key = {"deployment": deployment, "bucket": traffic_key(_hour(hour), role, path, key_id)}
        await dynamo(self.aws, "UpdateItem", _addition(self.table, key, counts, moment + _KEPT_SECONDS))


@dataclass(frozen=True)
class DynamoTrafficCounters:
    """Adds to the ``loads`` table."""

    aws: AwsHttp
    table: str

    async def add(self, bucket: TrafficMinute, counts: Mapping[str, int], moment: int) -> None:
        """Add to the counters of one minute; raises StoreUnavailable."""
        named = {counter(name, bucket.minute): count for name, count in counts.items()}
        key = {"id": traffic_id(bucket.deployment, block_of(bucket.minute))}
        await dynamo(self.aws, "UpdateItem", _addition(self.table, key, named, moment + LOADS_KEPT_SECONDS))


@dataclass(frozen=True)
class DynamoWakeDesk:
    """Claims wakes by a conditional write on the route, and announces them on our event bus."""

    aws: AwsHttp
    table: str
    event_bus: str

    async def claim(self, deployment: str, now: datetime, every: timedelta) -> bool:
        """Claim the wake; False when it was claimed less than ``every`` ago. Raises StoreUnavailable."""
        payload = {
            "TableName": self.table,
            "Key": {"name": {"S": deployment}},
            "UpdateExpression": "SET wake_requested_at = :now",
            "ConditionExpression": "attribute_exists(#name) AND "
            "(attribute_not_exists(wake_requested_at) OR wake_requested_at < :before)",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {
                ":now": {"N": str(int(now.timestamp()))},
                ":before": {"N": str(int((now - every).timestamp()))},
            },
        }
        try:
            await dynamo(self.aws, "UpdateItem", payload)
        except _ConditionFailed:
            return False
        return True

    async def announce(self, deployment: str) -> None:
        """Put the ``WakeRequested`` event; raises StoreUnavailable."""
        entry = {
            "Source": "spillway",
            "DetailType": "WakeRequested",
            "Detail": orjson.dumps({"deployment": deployment}).decode(),
            "EventBusName": self.event_bus,
        }
        try:
            answer = await self.aws.call("EVENTBRIDGE", "AWSEvents.PutEvents", {"Entries": [entry]}, TABLE_SECONDS)
        except (AwsError, AwsUnreachable) as err:
            raise StoreUnavailable(str(err)) from err
        if answer.get("FailedEntryCount"):
            raise StoreUnavailable(str(answer.get("Entries")))


class _ConditionFailed(Exception):
    """The write's condition did not hold."""


async def dynamo(aws: AwsHttp, operation: str, payload: Mapping[str, Any], seconds: float = TABLE_SECONDS) -> Any:
    """Call DynamoDB; raises StoreUnavailable."""
    try:
        return await aws.call("DYNAMODB", f"DynamoDB_20120810.{operation}", payload, seconds)
    except AwsError as err:
        if err.code == "ConditionalCheckFailedException":
            raise _ConditionFailed from err
        raise StoreUnavailable(str(err)) from err
    except AwsUnreachable as err:
        raise StoreUnavailable(str(err)) from err


def _addition(table: str, key: Mapping[str, str], counts: Mapping[str, int], expires: int) -> dict[str, Any]:
    names = {f"#c{index}": name for index, name in enumerate(counts)}
    values = {f":c{index}": {"N": str(count)} for index, count in enumerate(counts.values())}
    added = ", ".join(f"#c{index} :c{index}" for index in range(len(counts)))
    return {
        "TableName": table,
        "Key": {name: {"S": value} for name, value in key.items()},
        "UpdateExpression": f"ADD {added} SET expires_at = :expires",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {**values, ":expires": {"N": str(expires)}},
    }


@lru_cache(maxsize=4)
def _hour(number: int) -> str:
    """Return the name of an hour since the epoch."""
    return hour_of(datetime.fromtimestamp(number * 3600, UTC))


def _is_route(item: Mapping[str, Any] | None) -> bool:
    """Whether there is a route at all: a wake request that raced a deletion may leave an item with its mark only."""
    return item is not None and "body" in item


def _route(item: Mapping[str, Any]) -> Route:
    """Read a stored route; one that this version cannot read counts as unread, so that the last one stays."""
    try:
        return route_from_json(orjson.loads(item["body"]["S"]))
    except (KeyError, TypeError, ValueError) as err:
        raise StoreUnavailable(f"a stored route cannot be read: {err}") from err
