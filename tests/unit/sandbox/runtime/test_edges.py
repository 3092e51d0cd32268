"""Signatures are checked, raw requests recognised, and streams passed on as they come."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from multidict import CIMultiDict, CIMultiDictProxy

from tests.sandbox.runtime.functions import access_key_id, secret_access_key
from tests.sandbox.runtime.raw_calls import identify
from tests.sandbox.runtime.signatures import read_scope, signature_is_right
from tests.sandbox.runtime.streaming import open_session, relay, without

KEY = access_key_id("arn:aws:iam::123456789012:role/gateway")
URL = "http://127.0.0.1:4566/model/meta.llama3-1-8b-instruct-v1%3A0/converse?a=b%20c"


def signed(body: bytes, secret: str) -> CIMultiDictProxy[str]:
    request = AWSRequest("POST", URL, headers={"Content-Type": "application/json"}, data=body)
    SigV4Auth(Credentials(KEY, secret, "token"), "bedrock", "us-east-1").add_auth(request)
    return CIMultiDictProxy(CIMultiDict({**dict(request.headers.items()), "Host": "127.0.0.1:4566"}))


@pytest.mark.parametrize(
    ("secret", "body", "right"),
    [(secret_access_key(KEY), b"{}", True), ("another", b"{}", False), (secret_access_key(KEY), b"changed", False)],
)
def test_a_signature_is_checked_against_the_keys_secret(secret: str, body: bytes, right: bool) -> None:
    headers = signed(b"{}", secret)
    scope = read_scope(headers)
    assert scope is not None
    assert (scope.access_key_id, scope.service) == (KEY, "bedrock")
    assert signature_is_right(scope, "POST", URL, headers, body) is right


STREAMED = b'{"model": "m", "stream": true}'
ITEM = b'{"TableName": "t"}'


@pytest.mark.parametrize(
    ("service", "path", "headers", "body", "expected"),
    [
        ("bedrock", "/model/a.b%3A0/converse", {}, b"{}", ("bedrock-runtime", "Converse", {"modelId": "a.b:0"})),
        ("bedrock", "/openai/v1/chat/completions", {}, STREAMED,
         ("bedrock-runtime", "InvokeModelWithResponseStream", {"modelId": "m"})),
        ("bedrock", "/model-import-jobs", {}, b"{}", ("bedrock", "CreateModelImportJob", {})),
        ("sagemaker", "/endpoints/e/invocations", {}, b"x",
         ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e"})),
        ("sagemaker", "/endpoints/e/invocations", {"X-Amzn-SageMaker-Inference-Component": "c"}, b"x",
         ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "InferenceComponentName": "c"})),
        ("dynamodb", "/", {"X-Amz-Target": "DynamoDB_20120810.GetItem"}, ITEM,
         ("dynamodb", "GetItem", {"TableName": "t"})),
        ("bedrock", "/nothing", {}, b"", ("bedrock-runtime", "", {})),
    ],
)  # fmt: skip
def test_a_raw_request_is_recognised(
    service: str, path: str, headers: dict[str, str], body: bytes, expected: tuple[str, str, dict[str, str]]
) -> None:
    found = identify(service, "POST", path, CIMultiDict(headers), body)
    assert (found.service, found.operation, found.params) == expected


class Upstream:
    """An application that sends two chunks, the second when it is told to, and notices a client that hangs up."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.hung_up = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"X-Kept": "yes"})
        await response.prepare(request)
        await response.write(b"one")
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.hung_up.set()
            raise
        await response.write(b"two")
        return response


@pytest.fixture
async def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def relayed(upstream: Upstream) -> AsyncIterator[str]:
    async with serving(upstream.handle) as behind, open_session() as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            headers = without({"host"}, request.headers.items())
            return await relay(request, session, str(behind.make_url("/")), headers, b"", {"X-Added": "too"})

        async with serving(forward) as front:
            yield str(front.make_url("/"))


async def test_chunks_pass_as_they_come(upstream: Upstream, relayed: str) -> None:
    async with aiohttp.ClientSession() as client, client.get(relayed) as answer:
        assert (answer.headers["X-Kept"], answer.headers["X-Added"]) == ("yes", "too")
        assert await answer.content.readany() == b"one"
        upstream.go_on.set()
        assert await answer.content.read() == b"two"


async def test_a_client_that_hangs_up_reaches_the_application(upstream: Upstream, relayed: str) -> None:
    async with aiohttp.ClientSession() as client:
        answer = await client.get(relayed)
        await answer.content.readany()
        answer.close()
        await upstream.hung_up.wait()


async def test_an_application_that_breaks_off_is_no_whole_answer() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(broken) as behind, open_session() as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            return await relay(request, session, str(behind.make_url("/")), CIMultiDict(), b"", {})

        async with serving(forward) as front, aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.ClientError):
                async with client.get(front.make_url("/")) as answer:
                    await answer.read()


def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return TestServer(app, handler_cancellation=True)
