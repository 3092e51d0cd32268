"""The ``usage`` table in DynamoDB: what each hour used.

The gateway adds to the counters of requests. Billed instance time is written here, as the hour's whole so far: whoever
writes it again changes nothing, and the longer time wins.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.usage_keys import INSTANCES, KEPT_FOR, check_key, instance_key, parts_of
from spillway.domain.errors import Retryable
from spillway.domain.observations.hours import hour_of
from spillway.domain.observations.usage import (
    CHECKS,
    HourOfInstances,
    HourOfTraffic,
    Hours,
    InstanceTime,
    InstanceUse,
    Traffic,
    Usage,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_REASON = "reason_"
_ITEMS_PER_TRANSACTION = 100

_OUTDATED = "ConditionalCheckFailed"


class UsageTable:
    """Implements the ``UsageLog`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def month(self, deployment: str, month: str) -> Usage:
        """Sum one month's counters."""
        traffic: dict[tuple[str, str], Counter[str]] = {}
        instances: dict[tuple[str, str], Counter[str]] = {}
        # The sort keys of a month lie between its name and the character after the dash.
        for item in self._items(deployment, f"{month}-", f"{month}."):
            _hour, role, path, rest = parts_of(item["bucket"]["S"])
            # Keys and instances are summed over, instance types are kept apart.
            sums, group = (instances, (path, rest)) if role == INSTANCES else (traffic, (role, path))
            sums.setdefault(group, Counter()).update(_counters_of(item))
        return Usage(
            traffic={group: _traffic(counters) for group, counters in traffic.items()},
            instances={group: _use(counters) for group, counters in instances.items()},
        )

    def hours(self, deployment: str, since: datetime, until: datetime) -> Hours:
        """Return every counter of the hours from ``since`` on and before ``until``."""
        traffic: list[HourOfTraffic] = []
        instances: dict[tuple[datetime, str, str], Counter[str]] = {}
        for item in self._items(deployment, hour_of(since), hour_of(until)):
            hour, role, path, rest = parts_of(item["bucket"]["S"])
            counters = _counters_of(item)
            if role == INSTANCES:
                instances.setdefault((hour, path, rest), Counter()).update(counters)
            else:
                traffic.append(HourOfTraffic(hour, role, path, rest, _traffic(counters)))
        return Hours(
            tuple(traffic),
            tuple(HourOfInstances(*of, _use(counters)) for of, counters in instances.items()),
        )

    def put_instance_times(self, batch: Sequence[InstanceTime]) -> None:
        """Store a batch, 100 items a call; an hour of which more is stored already stays as it is."""
        # A transaction may touch an item only once.
        times = list({(time.deployment, instance_key(time)): time for time in batch}.values())
        for start in range(0, len(times), _ITEMS_PER_TRANSACTION):
            self._put(times[start : start + _ITEMS_PER_TRANSACTION])

    def add_check(self, hour: datetime, lambda_mb_ms: int) -> None:
        """Count one run of the check, under a name that no deployment can have."""
        with translated():
            self._client.update_item(
                TableName=self._table,
                Key={"deployment": {"S": CHECKS}, "bucket": {"S": check_key(hour)}},
                UpdateExpression="SET expires_at = :expires_at ADD requests :one, lambda_mb_ms :lambda_mb_ms",
                ExpressionAttributeValues={
                    ":expires_at": {"N": str(int((hour + KEPT_FOR).timestamp()))},
                    ":one": {"N": "1"},
                    ":lambda_mb_ms": {"N": str(lambda_mb_ms)},
                },
            )

    def _put(self, part: Sequence[InstanceTime]) -> None:
        while part:
            with translated():
                try:
                    self._client.transact_write_items(TransactItems=[self._update(time) for time in part])
                    return
                except self._client.exceptions.TransactionCanceledException as err:
                    reasons = [reason.get("Code", "None") for reason in err.response["CancellationReasons"]]
                    if not set(reasons) <= {"None", _OUTDATED} or _OUTDATED not in reasons:
                        raise Retryable(f"instance time was not stored: {err}") from err
            part = [time for time, reason in zip(part, reasons, strict=True) if reason != _OUTDATED]

    def _items(self, deployment: str, first: str, end: str) -> Iterator[Mapping[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            with translated():
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="#deployment = :deployment AND #bucket BETWEEN :first AND :end",
                    ExpressionAttributeNames={"#deployment": "deployment", "#bucket": "bucket"},
                    ExpressionAttributeValues={
                        ":deployment": {"S": deployment},
                        ":first": {"S": first},
                        ":end": {"S": end},
                    },
                    **start,
                )
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _update(self, time: InstanceTime) -> Any:
        counters = {
            "instance_seconds": time.seconds,
            "micro_usd": time.micro_usd,
            "unpriced_seconds": time.unpriced_seconds,
            "warm_up_seconds": time.warm_up_seconds,
            "warm_up_micro_usd": time.warm_up_micro_usd,
            "expires_at": int((time.hour + KEPT_FOR).timestamp()),
        }
        is_newer = "attribute_not_exists(instance_seconds) OR instance_seconds <= :instance_seconds"
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"deployment": {"S": time.deployment}, "bucket": {"S": instance_key(time)}},
                "UpdateExpression": "SET " + ", ".join(f"{name} = :{name}" for name in counters),
                "ConditionExpression": is_newer,
                "ExpressionAttributeValues": {f":{name}": {"N": str(value)} for name, value in counters.items()},
            }
        }


def _counters_of(item: Mapping[str, Any]) -> Counter[str]:
    return Counter({name: int(value["N"]) for name, value in item.items() if "N" in value})


def _traffic(counters: Counter[str]) -> Traffic:
    return Traffic(
        requests=counters["requests"],
        failed=counters["failed"],
        prompt_tokens=counters["prompt_tokens"],
        cached_tokens=counters["cached_tokens"],
        completion_tokens=counters["completion_tokens"],
        reasoning_tokens=counters["reasoning_tokens"],
        lambda_mb_ms=counters["lambda_mb_ms"],
        reasons={name.removeprefix(_REASON): n for name, n in counters.items() if name.startswith(_REASON)},
    )


def _use(counters: Counter[str]) -> InstanceUse:
    return InstanceUse(
        counters["instance_seconds"],
        counters["micro_usd"],
        counters["unpriced_seconds"],
        counters["warm_up_seconds"],
        counters["warm_up_micro_usd"],
    )
