"""The ``benchmarks`` table in DynamoDB: one item a benchmark, newest first, dropped by DynamoDB after 400 days."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.newest_first import newest_first
from spillway.domain.benchmarks.record import OPEN, Benchmark
from spillway.domain.errors import Conflict, NotFound, Superseded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_FOR = timedelta(days=400)
_IS_OPEN = "#state IN (:requested, :running)"
_OPEN_VALUES: dict[str, Any] = {f":{state}": {"S": state.value} for state in OPEN}


class BenchmarksTable:
    """Implements ``BenchmarkRecords``; the stop button is an attribute of its own, so that no save undoes it."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create(self, benchmark: Benchmark) -> None:
        """Store a new record."""
        with translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "deployment": {"S": benchmark.deployment},
                        "id": {"S": benchmark.id},
                        "state": {"S": benchmark.state},
                        "body": {"S": benchmark.model_dump_json()},
                        "expires_at": {"N": str(int((benchmark.created_at + KEPT_FOR).timestamp()))},
                    },
                    ConditionExpression="attribute_not_exists(#id) OR #body = :body",
                    ExpressionAttributeNames={"#id": "id", "#body": "body"},
                    # The SDK repeats a call whose answer was lost: our own write is in nobody's way.
                    ExpressionAttributeValues={":body": {"S": benchmark.model_dump_json()}},
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                raise Conflict(f"{benchmark.deployment} has a benchmark {benchmark.id} already") from err

    def get(self, deployment: str, benchmark: str) -> Benchmark:
        """Read consistently: what follows is decided on it."""
        return Benchmark.model_validate_json(self._item(deployment, benchmark)["body"]["S"])

    def save(self, benchmark: Benchmark) -> None:
        """Replace the body of a record that has not ended."""
        with translated():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(benchmark.deployment, benchmark.id),
                    UpdateExpression="SET #state = :state, #body = :body",
                    ConditionExpression=f"{_IS_OPEN} OR #body = :body",
                    ExpressionAttributeNames={"#state": "state", "#body": "body"},
                    ExpressionAttributeValues={
                        **_OPEN_VALUES,
                        ":state": {"S": benchmark.state},
                        ":body": {"S": benchmark.model_dump_json()},
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                raise Superseded(f"benchmark {benchmark.id} of {benchmark.deployment} has ended") from err

    def delete(self, deployment: str, benchmark: str) -> None:
        """Remove a record, or find it gone."""
        with translated():
            self._client.delete_item(TableName=self._table, Key=_key(deployment, benchmark))

    def ask_to_stop(self, deployment: str, benchmark: str, now: datetime) -> None:
        """Mark a record that has not ended; a second press changes nothing."""
        with translated():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(deployment, benchmark),
                    UpdateExpression="SET stop_asked_at = if_not_exists(stop_asked_at, :now)",
                    ConditionExpression=_IS_OPEN,
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues={**_OPEN_VALUES, ":now": {"N": str(int(now.timestamp()))}},
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                raise Conflict(f"benchmark {benchmark} of {deployment} has ended already") from err

    def is_to_stop(self, deployment: str, benchmark: str) -> bool:
        """Read consistently."""
        return "stop_asked_at" in self._item(deployment, benchmark)

    def page(self, deployment: str, limit: int, cursor: str | None) -> tuple[Sequence[Benchmark], str | None]:
        """Return one page, newest first; InvalidRequest for a cursor that is none."""
        items, following = newest_first(self._client, self._table, "id", deployment, limit, cursor)
        return [Benchmark.model_validate_json(item["body"]["S"]) for item in items], following

    def _item(self, deployment: str, benchmark: str) -> dict[str, Any]:
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=_key(deployment, benchmark), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"{deployment} has no benchmark '{benchmark}'", param="id")
        return dict(answer["Item"])


def _key(deployment: str, benchmark: str) -> Any:
    return {"deployment": {"S": deployment}, "id": {"S": benchmark}}
