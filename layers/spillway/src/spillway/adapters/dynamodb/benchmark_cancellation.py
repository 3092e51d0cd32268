"""Whether a benchmark is still wanted, asked by its load workers about once a second."""

from dataclasses import dataclass

from spillway.adapters.aws.http import AwsError, AwsHttp, AwsUnreachable

_SECONDS = 2.0


@dataclass(frozen=True)
class BenchmarkCancellation:
    """Reads two attributes of one item of the ``benchmarks`` table, consistently: a press must be seen at once."""

    aws: AwsHttp
    table: str

    async def is_wanted(self, deployment: str, benchmark: str) -> bool:
        """Return whether it runs and nobody asked it to stop; while the table does not answer, the work goes on."""
        payload = {
            "TableName": self.table,
            "Key": {"deployment": {"S": deployment}, "id": {"S": benchmark}},
            "ProjectionExpression": "#state, stop_asked_at",
            "ExpressionAttributeNames": {"#state": "state"},
            "ConsistentRead": True,
        }
        try:
            answer = await self.aws.call("DYNAMODB", "DynamoDB_20120810.GetItem", payload, _SECONDS)
        except (AwsError, AwsUnreachable):
            return True
        item = answer.get("Item", {})
        return item.get("state", {}).get("S") == "running" and "stop_asked_at" not in item
