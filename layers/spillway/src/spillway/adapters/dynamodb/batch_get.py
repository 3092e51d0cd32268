"""DynamoDB's BatchGetItem, carried on until every key is read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.domain.errors import Retryable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEYS_PER_CALL = 100  # BatchGetItem's limit
_CALLS_WITHOUT_PROGRESS = 5


def batch_get(client: "DynamoDBClient", table: str, attribute: str, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Read the items whose partition key ``attribute`` is one of ``keys``, consistently, 100 a call.

    Raises Retryable when DynamoDB leaves keys unread again and again.
    """
    unique = list(dict.fromkeys(keys))
    for start in range(0, len(unique), _KEYS_PER_CALL):
        part: Any = [{attribute: {"S": key}} for key in unique[start : start + _KEYS_PER_CALL]]
        yield from _read(client, table, part)


def _read(client: "DynamoDBClient", table: str, keys: Any) -> Iterator[dict[str, Any]]:
    barren = 0
    while keys:
        with translated():
            answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        found = answer["Responses"].get(table, [])
        yield from found
        unprocessed: Any = answer.get("UnprocessedKeys", {})
        keys = unprocessed.get(table, {}).get("Keys", [])
        # DynamoDB refuses a call of which it could do nothing, and the SDK waits before it repeats that one;
        # answers without any item are therefore rare, and a row of them is a fault.
        barren = 0 if found else barren + 1
        if keys and barren >= _CALLS_WITHOUT_PROGRESS:
            raise Retryable(f"DynamoDB left {len(keys)} items of {table} unread")
