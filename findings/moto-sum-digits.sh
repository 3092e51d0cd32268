#!/usr/bin/env bash
# moto's DynamoDB adds numbers up with 28 digits and drops the others, where DynamoDB has 38.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[dynamodb]==5.2.5'
"$work/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import boto3
from moto import mock_aws

ADDED = ["1" + "0" * 29, "0.25"]
SUM = "100000000000000000000000000000.25"

print(f"version:  moto {version('moto')}")
print(f"expected: {SUM}, of 32 digits: DynamoDB's numbers have up to 38 (its page on naming rules and data types)")
with mock_aws():
    client = boto3.client("dynamodb", "us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
    client.create_table(
        TableName="sums",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    item = {"TableName": "sums", "Key": {"pk": {"S": "sum"}}}
    for number in ADDED:
        client.update_item(**item, UpdateExpression="ADD n :n", ExpressionAttributeValues={":n": {"N": number}})
    found = client.get_item(**item)["Item"]["n"]["N"]
print(f"observed: {found}, and no error")
assert found != SUM
assert float(found) == 1e29
PYTHON
