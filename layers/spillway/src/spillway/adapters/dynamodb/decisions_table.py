"""The ``decisions`` table in DynamoDB: newest first, dropped by DynamoDB after 90 days."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.newest_first import newest_first
from spillway.domain.decision import Decision, decision_from_json, decision_to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_FOR = timedelta(days=90)


class DecisionsTable:
    """Implements the ``Decisions`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def add(self, deployment: str, decision: Decision, now: datetime) -> None:
        """Store a decision; the same one at the same moment is one item."""
        body = json.dumps(decision_to_json(decision), sort_keys=True)
        with translated():
            self._client.put_item(
                TableName=self._table,
                Item={
                    "deployment": {"S": deployment},
                    "at": {"S": _sort_key(now, body)},
                    "body": {"S": body},
                    "expires_at": {"N": str(int((now + KEPT_FOR).timestamp()))},
                },
            )

    def page(
        self, deployment: str, limit: int, cursor: str | None
    ) -> tuple[Sequence[tuple[datetime, Decision]], str | None]:
        """Return one page, newest first; InvalidRequest for a cursor that is none."""
        items, following = newest_first(self._client, self._table, "at", deployment, limit, cursor)
        return [_entry_of(item) for item in items], following


def _sort_key(now: datetime, body: str) -> str:
    """Return a key that sorts by time (so its width is fixed) and is unique to the decision."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{moment}#{hashlib.sha256(body.encode()).hexdigest()[:8]}"


def _entry_of(item: dict[str, Any]) -> tuple[datetime, Decision]:
    moment = item["at"]["S"].partition("#")[0]
    return datetime.fromisoformat(moment), decision_from_json(json.loads(item["body"]["S"]))
