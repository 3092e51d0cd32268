"""boto3 invokes a function of the sandbox as it does one of Lambda's."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.sandbox.runtime.invocations import routes
from tests.sandbox.runtime.lambda_runtime import Invocation, LambdaRuntime, UnknownFunctionError
from tests.sandbox.runtime.loop_thread import LoopThread

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

ARN = "arn:aws:lambda:us-east-1:123456789012:function:ours"


class Functions(LambdaRuntime):
    """One function, which fails when it is told to."""

    def __init__(self) -> None:
        self.queued: list[bytes] = []

    def spec(self, name_or_arn: str) -> None:  # type: ignore[override]
        if name_or_arn != ARN:
            raise UnknownFunctionError(f"Function not found: {name_or_arn}")

    async def run_async(self, name_or_arn: str, payload: bytes) -> Invocation:
        if json.loads(payload).get("fail"):
            return Invocation(b'{"errorType": "LookupError", "errorMessage": "not there"}', "Unhandled")
        return Invocation(payload)

    def invoke_event(self, name_or_arn: str, payload: bytes) -> None:
        self.queued.append(payload)


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def client(functions: Functions) -> Iterator["LambdaClient"]:
    loop = LoopThread("invocations")
    app = web.Application()
    app.add_routes(routes(functions))
    server = TestServer(app)
    loop.run(server.start_server())
    yield boto3.client(
        "lambda", "us-east-1", endpoint_url=str(server.make_url("")), aws_access_key_id="a", aws_secret_access_key="b"
    )
    loop.run(server.close())
    loop.close()


def test_an_answer_and_an_error_come_as_lambdas_do(client: "LambdaClient") -> None:
    answer = client.invoke(FunctionName=ARN, Payload=b'{"a": 1}')
    assert (answer["StatusCode"], json.loads(answer["Payload"].read())) == (200, {"a": 1})
    assert "FunctionError" not in answer
    failed = client.invoke(FunctionName=ARN, Payload=b'{"fail": true}')
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert json.loads(failed["Payload"].read())["errorType"] == "LookupError"


def test_what_is_queued_is_not_waited_for(client: "LambdaClient", functions: Functions) -> None:
    assert client.invoke(FunctionName=ARN, InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    assert client.invoke(FunctionName=ARN, InvocationType="DryRun", Payload=b"{}")["StatusCode"] == 204
    assert functions.queued == [b"{}"]


def test_a_function_that_is_none_is_not_found(client: "LambdaClient") -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found"):
        client.invoke(FunctionName="another", Payload=b"{}")
