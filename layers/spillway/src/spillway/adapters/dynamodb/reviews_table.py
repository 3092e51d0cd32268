"""The ``reviews`` table in DynamoDB: one item a deployment, and one of the stack under a name no deployment has."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.batch_get import batch_get
from spillway.domain.review.record import Review, Shadow

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ReviewsTable:
    """Implements the ``Reviews`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def load(self, names: Sequence[str]) -> Mapping[str, Review]:
        """Read the reviews of these names; one that was never reviewed is left out."""
        items = batch_get(self._client, self._table, "id", names)
        return {item["id"]["S"]: _from_json(json.loads(item["review"]["S"])) for item in items}

    def save(self, name: str, review: Review) -> None:
        """Replace one."""
        item = {"id": {"S": name}, "review": {"S": json.dumps(_to_json(review))}}
        with translated():
            self._client.put_item(TableName=self._table, Item=item)


def _to_json(review: Review) -> dict[str, Any]:
    shadow = review.shadow
    return {
        "at": review.at.isoformat(),
        "open_alerts": sorted(review.open_alerts),
        "shadow": {**asdict(shadow), "at": shadow.at.isoformat()} if shadow else None,
    }


def _from_json(data: dict[str, Any]) -> Review:
    shadow = data["shadow"]
    return Review(
        datetime.fromisoformat(data["at"]),
        frozenset(data["open_alerts"]),
        Shadow(**{**shadow, "at": datetime.fromisoformat(shadow["at"])}) if shadow else None,
    )
