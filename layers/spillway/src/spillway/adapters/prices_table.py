"""The ``prices`` table in DynamoDB: one item a refreshed table, with source and moment, and one with all overrides."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from spillway.adapters.aws_errors import translated
from spillway.adapters.batch_get import batch_get
from spillway.adapters.price_items import OVERRIDES, reading_id, stored_prices
from spillway.domain.price_layers import Override, PriceTable, Reading, StoredPrices

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class PricesTable:
    """Implements the ``Prices`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> StoredPrices:
        """Read every item by one call."""
        ids = [*map(reading_id, PriceTable), OVERRIDES]
        return stored_prices({item["id"]["S"]: item for item in batch_get(self._client, self._table, "id", ids)})

    def put_reading(self, reading: Reading) -> None:
        """Replace one table's reading."""
        self._put(reading_id(reading.table), json.dumps(dict(reading.usd)), reading.at, reading.source)

    def put_overrides(self, overrides: Sequence[Override], now: datetime) -> None:
        """Replace all overrides."""
        self._put(OVERRIDES, json.dumps([asdict(one) for one in overrides]), now, "the user")

    def _put(self, name: str, body: str, at: datetime, source: str) -> None:
        item = {"id": name, "body": body, "at": at.isoformat(), "source": source}
        with translated():
            self._client.put_item(TableName=self._table, Item={key: {"S": value} for key, value in item.items()})
