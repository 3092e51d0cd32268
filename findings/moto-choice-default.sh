#!/usr/bin/env bash
# moto's Step Functions takes a Choice's Default where the variable of every rule is missing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[stepfunctions]==5.2.5'
"$work/venv/bin/python" - <<'PYTHON'
import json
import logging
import time
from importlib.metadata import version

import boto3
from moto import mock_aws

logging.disable()  # the interpreter logs the path that it does not find, and goes on
DEFINITION = {
    "StartAt": "Choose",
    "States": {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.missing", "StringEquals": "a", "Next": "Chosen"}],
            "Default": "Otherwise",
        },
        "Chosen": {"Type": "Pass", "Result": {"by": "rule"}, "End": True},
        "Otherwise": {"Type": "Pass", "Result": {"by": "Default"}, "End": True},
    },
}

print(f"version:  moto {version('moto')}")
print("expected: FAILED with States.Runtime, an invalid path: the specification (Choice State) lets a Variable that")
print("          matches nothing in the input pass for IsPresent alone; Default is for rules that did not match")
with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
    machines = boto3.client("stepfunctions", "us-east-1")
    role = "arn:aws:iam::123456789012:role/any"
    made = machines.create_state_machine(name="choice", definition=json.dumps(DEFINITION), roleArn=role)
    run = machines.start_execution(stateMachineArn=made["stateMachineArn"], input="{}")["executionArn"]
    deadline = time.monotonic() + 30
    while (found := machines.describe_execution(executionArn=run))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(0.05)
print(f"observed: {found['status']}, output {found.get('output')}")
assert found["status"] == "SUCCEEDED"
assert json.loads(found["output"]) == {"by": "Default"}
PYTHON
