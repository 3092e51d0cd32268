"""What DynamoDB refuses and moto takes, in the words of AWS's own DynamoDB Local 3.3.0, which was asked the same."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from tests.sandbox.cloud.calls import AwsError

BATCH_WRITES = 25
DIGITS = 38
EXPRESSION_BYTES = 4096
# Of a partition key's value and of a sort key's.
KEY_BYTES = {"HASH": 2048, "RANGE": 1024}

Item = Mapping[str, Any]

_INVALID = "One or more parameter values were invalid:"
_HOLDERS = frozenset({"Item", "Key", "Keys", "ExpressionAttributeValues", "ExclusiveStartKey"})


def check(operation: str, params: Mapping[str, Any], account: str, region: str) -> None:
    """Raise AwsError for a call that DynamoDB does not take; ``params`` are as they go over the wire."""
    for value in _values(params):
        _check_value(value)
    for name, text in params.items():
        if name.endswith("Expression") and len(text.encode()) > EXPRESSION_BYTES:
            raise _refused(f"Invalid {name}: Expression size has exceeded the maximum allowed size;")
    tables = dynamodb_backends[account][region].tables
    keys = [(tables[name], key) for name, key in _keys(operation, params) if name in tables]
    if any(not _fits(table, key) for table, key in keys):
        if operation.startswith("Transact"):
            reasons = "Transaction cancelled, please refer cancellation reasons for specific reasons [ValidationError]"
            raise AwsError("TransactionCanceledException", reasons)
        raise _refused(f"{_INVALID} Type mismatch for key")
    if operation == "BatchWriteItem":
        if sum(map(len, params["RequestItems"].values())) > BATCH_WRITES:
            raise _refused("Too many items requested for the BatchWriteItem call")
        written = [(table.name, *_identity(table, item)) for table, item in keys]
        if len(set(written)) < len(written):
            raise _refused("Provided list of item keys contains duplicates")


def _keys(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """Yield the table and the key, or the item with its key, of everything that a call reads or writes."""
    match operation:
        case "BatchGetItem":
            yield from ((name, key) for name, asked in params["RequestItems"].items() for key in asked["Keys"])
        case "BatchWriteItem":
            for name, writes in params["RequestItems"].items():
                yield from ((name, _item(each)) for write in writes for each in write.values())
        case "TransactWriteItems" | "TransactGetItems":
            for action in params["TransactItems"]:
                yield from ((each["TableName"], _item(each)) for each in action.values())
        case "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem":
            yield params["TableName"], _item(params)


def _item(holder: Mapping[str, Any]) -> Item:
    found: Item = holder.get("Key") or holder.get("Item") or {}
    return found


def _fits(table: Any, key: Item) -> bool:
    """Whether a key's parts are of their types; raises AwsError for one that is too long."""
    types = {each["AttributeName"]: each["AttributeType"] for each in table.attr}
    parts = [(part, *given) for part in table.schema for given in key.get(part["AttributeName"], {}).items()]
    for part, kind, value in parts:
        if kind == "S" and len(value.encode()) > KEY_BYTES[part["KeyType"]]:
            raise _refused(
                f"Hash primary key values must be under {KEY_BYTES['HASH']} bytes, "
                f"and range primary key values must be under {KEY_BYTES['RANGE']} bytes"
            )
    return all(kind == types[part["AttributeName"]] for part, kind, _ in parts)


def _identity(table: Any, item: Item) -> Iterator[object]:
    """Yield an item's key, in which equal numbers are equal."""
    for part in table.schema:
        for kind, text in item.get(part["AttributeName"], {}).items():
            yield Decimal(text) if kind == "N" else text


def _values(params: Any) -> Iterator[Item]:
    """Yield every attribute value of a call, those inside of others too."""
    for name, member in params.items():
        for each in member if isinstance(member, list) else [member]:
            if name in _HOLDERS and isinstance(each, Mapping):
                yield from _with_inner(each.values())
            elif isinstance(each, Mapping):
                yield from _values(each)


def _with_inner(values: Iterable[Item]) -> Iterator[Item]:
    for value in values:
        yield value
        yield from _with_inner(value.get("L", ()))
        yield from _with_inner(value.get("M", {}).values())


def _check_value(value: Item) -> None:
    if len(value) != 1:
        raise _refused(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    for number in [value["N"]] if "N" in value else value.get("NS", ()):
        _check_number(number)
    for kind in ("SS", "NS", "BS"):
        if len(set(found := value.get(kind, ()))) < len(found):
            raise _refused(f"{_INVALID} Input collection [{', '.join(found)}] contains duplicates")


def _check_number(text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return
    if not number.is_finite():
        return
    if len("".join(map(str, number.as_tuple().digits)).strip("0")) > DIGITS:
        raise _refused(f"DynamoDB only supports precision up to {DIGITS} digits")
    if number.adjusted() > 125:
        raise _refused("Number overflow. Attempting to store a number with magnitude larger than supported range")


def _refused(message: str) -> AwsError:
    return AwsError("ValidationException", message)
