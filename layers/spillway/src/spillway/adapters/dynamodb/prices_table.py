"""The ``prices`` table in DynamoDB: an item a refreshed table, with source and moment, and the user's own.

Those are one item with all overrides, and one with the credits.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.batch_get import batch_get
from spillway.adapters.dynamodb.price_items import CREDITS, OVERRIDES, reading_id, stored_prices
from spillway.domain.costs.credits import Credit, CreditLedger
from spillway.domain.pricing.price_layers import Override, PriceTable, Reading, StoredPrices

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

    def credits(self) -> CreditLedger | None:
        """Read the user's credits."""
        for item in batch_get(self._client, self._table, "id", [CREDITS]):
            body = json.loads(item["body"]["S"])
            grants = tuple(Credit.model_validate(grant) for grant in body["grants"])
            return CreditLedger(grants, datetime.fromisoformat(item["at"]["S"]), body["other_usd_per_day"])
        return None

    def put_credits(self, ledger: CreditLedger) -> None:
        """Replace the user's credits."""
        grants = [grant.model_dump(mode="json") for grant in ledger.grants]
        body = {"grants": grants, "other_usd_per_day": ledger.other_usd_per_day}
        self._put(CREDITS, json.dumps(body), ledger.stated_at, "the user")

    def _put(self, name: str, body: str, at: datetime, source: str) -> None:
        item = {"id": name, "body": body, "at": at.isoformat(), "source": source}
        with translated():
            self._client.put_item(TableName=self._table, Item={key: {"S": value} for key, value in item.items()})
