"""Make every recorded call by one SDK, up to the moment when it would be sent; run by that SDK's own interpreter.

    PYTHONPATH=layers/spillway/src <python with boto3> tests/prove/sdk_calls.py < tests/fixtures/aws_calls.json

Prints JSON: the SDK's version, how many shapes were tried, and a sentence for each that it does not take.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import botocore
from botocore.exceptions import BotoCoreError
from botocore.model import OperationNotFoundError

from spillway.adapters.aws.clients import client

REGION = "us-east-1"
# Long and high enough for every minimum; botocore looks at no maximum, pattern or list of values.
SAMPLES: dict[str, Any] = {
    "AttributeValue": {"S": "x"},
    "blob": b"x",
    "boolean": True,
    "double": 1000.0,
    "float": 1000.0,
    "integer": 1000,
    "long": 1000,
    "string": "x" * 100,
    "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    "no blob": b"",
    "no double": 0.0,
    "no float": 0.0,
    "no integer": 0,
    "no long": 0,
    "no string": "",
}


class Sent(BaseException):
    """The call got as far as the network."""


def sample(shape: Any) -> Any:
    """Return parameters of a shape."""
    match shape:
        case str():
            return SAMPLES[shape]
        case list():
            return [sample(each) for each in shape]
        case {"*": variants}:
            return {f"key{position}": sample(each) for position, each in enumerate(variants)}
        case _:
            return {name: sample(part) for name, part in shape.items()}


def refusal(made: Any, operation: str, params: Any) -> str | None:
    """Return why a client does not make a call, None if it does."""
    try:
        made._make_api_call(operation, params)
    except Sent:
        return None
    except OperationNotFoundError:
        return "there is no such operation"
    except BotoCoreError as err:
        return " ".join(str(err).split())
    raise AssertionError("a call came back that nobody answered")


def main() -> None:
    """Try everything on the standard input."""
    calls = json.load(sys.stdin)["calls"]
    clients: dict[str, Any] = {}
    tried, failures = 0, []
    for name, shapes in calls.items():
        service, _, operation = name.partition(" ")
        if service not in clients:
            clients[service] = client(service, REGION)
            clients[service].meta.events.register("before-send", stop)
        for shape in shapes:
            tried += 1
            if why := refusal(clients[service], operation, sample(shape)):
                failures.append(f"{name}: {why}")
    print(json.dumps({"version": botocore.__version__, "tried": tried, "failures": failures}))


def stop(**_: object) -> None:
    """Answer for the network."""
    raise Sent


if __name__ == "__main__":
    main()
