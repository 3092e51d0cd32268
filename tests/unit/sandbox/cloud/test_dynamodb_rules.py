"""DynamoDB refuses in the sandbox what AWS's own DynamoDB Local refuses, in its words."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.unit.sandbox.cloud.conftest import Clients

MISMATCH = "One or more parameter values were invalid: Type mismatch for key"
DUPLICATES = "Provided list of item keys contains duplicates"
TOO_MANY = "Too many items requested for the BatchWriteItem call"
DIGITS = "DynamoDB only supports precision up to 38 digits"
TOO_LONG = "Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes"
WRONG = {"pk": {"N": "1"}}

Call = Callable[[Any], object]


@pytest.fixture
def dynamodb(moto: MotoCloud, clients: Clients) -> Any:
    client = clients("dynamodb")
    for table, keys in (("one", {"pk": "S"}), ("two", {"pk": "S", "sk": "N"})):
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()],
            KeySchema=[
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    return client


def put(key: str, **attributes: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"pk": {"S": key}, **attributes}}}


def delete(key: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"pk": {"S": key}}}}


def batch(**writes: list[dict[str, Any]]) -> Call:
    return lambda client: client.batch_write_item(RequestItems=writes)


def item(**attributes: Any) -> Call:
    return lambda client: client.put_item(TableName="one", Item={"pk": {"S": "a"}, **attributes})


def update(**values: Any) -> Call:
    names = ", ".join(f"{name[1:]} = {name}" for name in values)
    return lambda client: client.update_item(
        TableName="one", Key={"pk": {"S": "a"}}, UpdateExpression=f"SET {names}", ExpressionAttributeValues=values
    )


REFUSED: dict[str, tuple[Call, str]] = {
    "26 writes in two tables": (
        batch(one=[put(str(n)) for n in range(13)], two=[put(str(n), sk={"N": "1"}) for n in range(13)]),
        TOO_MANY,
    ),
    "a put and a delete": (batch(one=[put("a"), delete("a")]), DUPLICATES),
    "equal numbers": (batch(two=[put("a", sk={"N": "1"}), put("a", sk={"N": "1.0"})]), DUPLICATES),
    "get": (lambda client: client.get_item(TableName="one", Key=WRONG), MISMATCH),
    "delete": (lambda client: client.delete_item(TableName="one", Key=WRONG), MISMATCH),
    "batch get": (lambda client: client.batch_get_item(RequestItems={"one": {"Keys": [WRONG]}}), MISMATCH),
    "batch delete": (batch(one=[{"DeleteRequest": {"Key": WRONG}}]), MISMATCH),
    "transaction": (
        lambda client: client.transact_write_items(TransactItems=[{"Delete": {"TableName": "one", "Key": WRONG}}]),
        "(TransactionCanceledException)",
    ),
    "long key": (lambda client: client.get_item(TableName="one", Key={"pk": {"S": "é" * 1025}}), TOO_LONG),
    "39 digits": (item(n={"N": "1" * 39}), DIGITS),
    "39 digits inside": (item(n={"M": {"x": {"L": [{"N": f"-1.{'1' * 38}"}]}}}), DIGITS),
    "39 digits in a set": (item(n={"NS": ["1", "1" * 39]}), DIGITS),
    "39 digits in a value": (update(**{":n": {"N": "1" * 39}}), DIGITS),
    "overflow": (item(n={"N": "1e126"}), "Number overflow"),
    "a set's twins": (item(n={"SS": ["a", "a"]}), "Input collection [a, a] contains duplicates"),
    "two types": (item(n={"S": "a", "N": "1"}), "more than one datatypes set"),
    "long expression": (
        lambda client: client.get_item(
            TableName="one", Key={"pk": {"S": "a"}}, ProjectionExpression=f"{'a, ' * 1365}bb"
        ),
        "Invalid ProjectionExpression: Expression size has exceeded the maximum allowed size;",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_dynamodb_local_refuses(dynamodb: Any, case: str) -> None:
    call, says = REFUSED[case]
    with pytest.raises(ClientError) as caught:
        call(dynamodb)
    assert says in str(caught.value)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    "call",
    [
        batch(one=[put(str(n)) for n in range(25)]),
        batch(one=[put("a"), delete("b")], two=[put("a", sk={"N": "1"}), put("a", sk={"N": "2"})]),
        item(n={"N": "1" * 38 + "0" * 80}, m={"N": f"0.{'0' * 20}{'1' * 38}"}),
        item(n={"NS": ["1", "2"]}, m={"L": [{"M": {}}]}, o={"NULL": True}),
        update(**{":n": {"N": "-9.9999999999999999999999999999999999999E+125"}}),
        lambda client: client.get_item(TableName="one", Key={"pk": {"S": "x" * 2048}}),
    ],
)
def test_what_it_takes(dynamodb: Any, call: Call) -> None:
    call(dynamodb)


def test_sums_keep_all_digits(dynamodb: Any) -> None:
    key = {"TableName": "one", "Key": {"pk": {"S": "sum"}}}
    for number in ("1" + "0" * 26, "0.00000000001"):
        added = {":n": {"N": number}}
        dynamodb.update_item(**key, UpdateExpression="ADD n :n", ExpressionAttributeValues=added)
    assert dynamodb.get_item(**key)["Item"]["n"] == {"N": "100000000000000000000000000.00000000001"}
