"""The ``limits`` table in DynamoDB: counters of a key's minutes and months, changed by conditional writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spillway.adapters.aws.http import AwsError, AwsHttp, AwsUnreachable
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.limits.store import Change, Outcome
from spillway.gateway.timeouts import TABLE_SECONDS

_NO_COUNTERS = frozenset({"expires_at"})


@dataclass(frozen=True)
class LimitsTable:
    """Implements the gateway's ``Counters``; one write a change, whatever comes of it."""

    aws: AwsHttp
    table: str

    async def change(self, change: Change) -> Outcome:
        """Make a change if its conditions hold; raises StoreUnavailable when nobody knows whether it was made."""
        try:
            answer = await self.aws.call(
                "DYNAMODB",
                "DynamoDB_20120810.UpdateItem",
                update_of(self.table, change),
                TABLE_SECONDS,
                repeatable=change.repeatable,
            )
        except AwsError as err:
            if err.code == "ConditionalCheckFailedException":
                return Outcome(False, _counters(err.fields.get("Item")))
            raise StoreUnavailable(str(err)) from err
        except AwsUnreachable as err:
            raise StoreUnavailable(str(err)) from err
        return Outcome(True, _counters(answer.get("Attributes")))


def update_of(table: str, change: Change) -> dict[str, Any]:
    """Return the change as DynamoDB's ``UpdateItem`` takes it."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {":expires": {"N": str(change.expires_at)}}

    def name(attribute: str) -> str:
        return names.setdefault(attribute, f"#n{len(names)}")

    def value(amount: int) -> str:
        placeholder = f":v{len(values)}"
        values[placeholder] = {"N": str(amount)}
        return placeholder

    update = "SET expires_at = :expires"
    if change.add:
        update += " ADD " + ", ".join(f"{name(a)} {value(amount)}" for a, amount in change.add.items())
    if change.remove:
        update += " REMOVE " + ", ".join(name(attribute) for attribute in change.remove)
    conditions = [
        *(f"(attribute_not_exists({name(a)}) OR {name(a)} <= {value(most)})" for a, most in change.at_most.items()),
        *(f"attribute_exists({name(attribute)})" for attribute in change.present),
        *(f"{name(attribute)} = {value(was)}" for attribute, was in change.remove.items()),
    ]
    payload: dict[str, Any] = {
        "TableName": table,
        "Key": {"id": {"S": change.id}},
        "UpdateExpression": update,
        "ExpressionAttributeValues": values,
        "ReturnValues": "ALL_NEW",
    }
    if names:
        payload["ExpressionAttributeNames"] = {placeholder: attribute for attribute, placeholder in names.items()}
    if conditions:
        payload["ConditionExpression"] = " AND ".join(conditions)
        payload["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return payload


def _counters(item: Mapping[str, Any] | None) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in (item or {}).items() if "N" in value and name not in _NO_COUNTERS}
