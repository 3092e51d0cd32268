"""One page of what a table keeps of a deployment, newest first: its sort key begins with the time."""

from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.cursor import decode_cursor, encode_cursor

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def newest_first(
    client: "DynamoDBClient", table: str, sort_key: str, deployment: str, limit: int, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return items and the cursor of the next page; InvalidRequest for a cursor that is none."""
    start: dict[str, Any] = {}
    if cursor:
        start["ExclusiveStartKey"] = decode_cursor(cursor, sort_key, deployment=deployment)
    with translated():
        answer = client.query(
            TableName=table,
            KeyConditionExpression="#deployment = :deployment",
            ExpressionAttributeNames={"#deployment": "deployment"},
            ExpressionAttributeValues={":deployment": {"S": deployment}},
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
            **start,
        )
    return answer["Items"], encode_cursor(answer.get("LastEvaluatedKey"))
