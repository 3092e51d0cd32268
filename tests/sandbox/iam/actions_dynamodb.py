"""What DynamoDB's calls ask of IAM, with the attributes that each touches."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.sandbox.iam.request import Place, Request, UnknownOperation

_ON_ONE_TABLE = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "DescribeTable"})
_TRANSACTED = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_EXPRESSIONS = (
    "UpdateExpression",
    "ConditionExpression",
    "ProjectionExpression",
    "KeyConditionExpression",
    "FilterExpression",
)
_KEYWORDS = frozenset({"set", "remove", "add", "delete", "and", "or", "not", "between", "in"})
# A word that starts a path: not a value (:v), not a later part of a path (.x), not a function's name.
_PATH = re.compile(r"(?<![\w:.#])(#?[A-Za-z_]\w*)(?!\w|\s*\()")


def requests_of(operation: str, params: Mapping[str, Any], place: Place) -> list[Request]:
    """Return the requests of one call; a transaction's are those of its parts."""
    if operation in _ON_ONE_TABLE:
        return [_request(operation, params, place)]
    match operation:
        case "BatchGetItem" | "BatchWriteItem":
            return [Request(f"dynamodb:{operation}", _table(name, place)) for name in params["RequestItems"]]
        case "TransactWriteItems" | "TransactGetItems":
            return [
                _request(_TRANSACTED[kind], part, place, operation)
                for item in params["TransactItems"]
                for kind, part in item.items()
            ]
        case _:
            raise UnknownOperation(f"tests/sandbox/iam does not know what dynamodb {operation} asks of IAM")


def _request(operation: str, params: Mapping[str, Any], place: Place, enclosing: str | None = None) -> Request:
    context: dict[str, str | list[str]] = {}
    # DynamoDB fills this key only when the request names attributes; a bare Scan or Query returns them all.
    if attributes := sorted(set(_attributes(params))):
        context["dynamodb:Attributes"] = attributes
    if len(key := params.get("Key", {})) == 1:
        # The partition key's value; which of two attributes is the partition key, a call doesn't say.
        context["dynamodb:LeadingKeys"] = [value for each in key.values() for value in each.values()]
    if enclosing:
        context["dynamodb:EnclosingOperation"] = enclosing
    if "ReturnValues" in params:
        context["dynamodb:ReturnValues"] = params["ReturnValues"]
    table = _table(params["TableName"], place)
    return Request(
        f"dynamodb:{operation}", f"{table}/index/{params['IndexName']}" if "IndexName" in params else table, context
    )


def _table(name: str, place: Place) -> str:
    return place.or_arn("dynamodb", "table/", name)


def _attributes(params: Mapping[str, Any]) -> Iterator[str]:
    for part in ("Key", "Item"):
        yield from params.get(part, {})
    names = params.get("ExpressionAttributeNames", {})
    for expression in _EXPRESSIONS:
        for word in _PATH.findall(params.get(expression, "")):
            if word.lower() not in _KEYWORDS:
                yield names[word] if word.startswith("#") else word
