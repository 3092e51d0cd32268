"""The ``keys`` table in DynamoDB: hashes of bearer secrets, never a secret.

A key's item lies under the id of its first secret. Later secrets have an item each that only points to it.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import gone_is_fine, translated
from spillway.adapters.dynamodb.cursor import decode_cursor, encode_cursor
from spillway.adapters.dynamodb.key_items import item_of, key_of, pointer, points_to
from spillway.domain.access.keys import Key
from spillway.domain.errors import NotFound, Superseded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NAMES = {"#id": "id"}


class KeysTable:
    """Implements the ``Keys`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, key_id: str) -> Key | None:
        """Read consistently: a key deleted a moment ago opens nothing."""
        item = self._item(key_id)
        return None if item is None or points_to(item) else key_of(item)

    def find(self, secret_id: str) -> Key | None:
        """Return the key that a secret's id leads to, at one more read for one that was rotated to."""
        item = self._item(secret_id)
        if item is None:
            return None
        key_id = points_to(item)
        return self.get(key_id) if key_id else key_of(item)

    def put(self, key: Key) -> None:
        """Store a key; its id is derived from its secret, so the same secret again is the same item."""
        with translated():
            self._client.put_item(TableName=self._table, Item=item_of(key))

    def replace(self, key: Key) -> None:
        """Store the next version of a key; raises Superseded when somebody else has stored it before.

        Pointers are written before the key and taken away after it: one too many leads nowhere.
        """
        before = self.get(key.id)
        if before is None or before.version != key.version - 1:
            raise Superseded(f"'{key.id}' has changed")
        for secret_id in key.secret_ids - before.secret_ids - {key.id}:
            with translated():
                self._client.put_item(TableName=self._table, Item=pointer(secret_id, key.id))
        with translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item_of(key),
                    # Keys from before there were versions have none.
                    ConditionExpression="attribute_exists(#id) AND (version = :before OR "
                    "(attribute_not_exists(version) AND :before = :first))",
                    ExpressionAttributeNames=_NAMES,
                    ExpressionAttributeValues={":before": {"N": str(before.version)}, ":first": {"N": "0"}},
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                raise Superseded(f"'{key.id}' has changed") from err
        self._forget(before.secret_ids - key.secret_ids - {key.id})

    def delete(self, key_id: str) -> None:
        """Delete a key that exists, and what points to it."""
        key: Key | None = None
        with gone_is_fine():  # a table that is gone holds no key
            key = self.get(key_id)
        if key is None:
            raise NotFound(f"no key has the id '{key_id}'", param="id")
        with translated():
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key={"id": {"S": key_id}},
                    ConditionExpression="attribute_exists(#id)",
                    ExpressionAttributeNames=_NAMES,
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                raise NotFound(f"no key has the id '{key_id}'", param="id") from err
        self._forget(key.secret_ids - {key.id})

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Key], str | None]:
        """Return one page in the table's own order; InvalidRequest for a cursor that is none."""
        for found, next_cursor in self._scan(limit, cursor):
            # Pointers take places on DynamoDB's pages: an empty one is not the end.
            if found or next_cursor is None:
                return found, next_cursor
        return [], None

    def _scan(self, limit: int, cursor: str | None) -> Iterator[tuple[list[Key], str | None]]:
        start: dict[str, Any] = {"ExclusiveStartKey": decode_cursor(cursor, "id")} if cursor else {}
        while True:
            with translated():
                answer = self._client.scan(TableName=self._table, Limit=limit, ConsistentRead=True, **start)
            last = answer.get("LastEvaluatedKey")
            yield [key_of(item) for item in answer["Items"] if not points_to(item)], encode_cursor(last)
            if not last:
                return
            start = {"ExclusiveStartKey": last}

    def _item(self, item_id: str) -> dict[str, Any] | None:
        with translated():
            answer = self._client.get_item(TableName=self._table, Key={"id": {"S": item_id}}, ConsistentRead=True)
        return answer.get("Item")

    def _forget(self, secret_ids: frozenset[str]) -> None:
        for secret_id in secret_ids:
            with translated():
                self._client.delete_item(TableName=self._table, Key={"id": {"S": secret_id}})
