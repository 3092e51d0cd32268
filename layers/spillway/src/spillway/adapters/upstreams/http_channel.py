"""One signed request to an upstream and the bytes of its answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import orjson

from spillway.adapters.aws.connections import Answer
from spillway.adapters.aws.http import AwsHttp, AwsUnreachable
from spillway.adapters.upstreams.failures import Refusal, refusal_of
from spillway.domain.decision import Code
from spillway.domain.errors import InvalidRequest
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.timeouts import REFUSAL_SECONDS
from spillway.gateway.upstream import UpstreamStream

Chunks: TypeAlias = AsyncIterator[bytes]
Judge: TypeAlias = Callable[[Refusal], UpstreamRejected | UpstreamUnavailable]

# What is read of an error: its status is known already.
_REFUSAL_BYTES = 65_536


@dataclass(frozen=True)
class Call:
    """What to send where; ``signed_as`` is the service's name in the signature."""

    url: str
    signed_as: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    connect_seconds: float


async def open_channel(
    aws: AwsHttp, call: Call, read: Callable[[Chunks], Chunks], judge: Judge = Refusal.error
) -> UpstreamStream:
    """Send the request; ``read`` turns the answer's chunks into blocks, ``judge`` says what a refusal means."""
    response = await _begun(aws, call, judge)
    blocks = read(_Chunks(response))

    async def close() -> None:
        response.close()
        if hasattr(blocks, "aclose"):
            await blocks.aclose()

    return UpstreamStream(blocks, close)


async def whole_answer(aws: AwsHttp, call: Call, judge: Judge) -> tuple[Mapping[str, str], bytes]:
    """Send a request; return the answer's headers, names in lower case, and its body."""
    response = await _begun(aws, call, judge)
    async with response:
        return response.headers, b"".join([chunk async for chunk in _Chunks(response)])


class Whole:
    """The whole body in one piece; no generator, which would cost an unstreamed answer more than it does."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks: Chunks | None = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._chunks is None:
            raise StopAsyncIteration
        chunks, self._chunks = self._chunks, None
        return b"".join([chunk async for chunk in chunks])


async def _begun(aws: AwsHttp, call: Call, judge: Judge) -> Answer:
    headers = {"content-type": "application/json", **call.headers}
    body = _written(call.body)
    try:
        response = await aws.post(call.url, call.signed_as, body, headers, call.connect_seconds)
    except AwsUnreachable as err:
        raise UpstreamUnavailable(Code.PRIMARY_FAILED, str(err)) from err
    if response.status != 200:
        raise judge(await _refusal(response))
    return response


def _written(body: Mapping[str, Any]) -> bytes:
    """Return the request's JSON: what a translation wraps, or reads out of a string, may be too deep for it."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as err:
        raise InvalidRequest("the body is nested too deep", code="invalid_json") from err


async def _refusal(response: Answer) -> Refusal:
    body = b""
    async with response:
        with suppress(OSError):
            async with asyncio.timeout(REFUSAL_SECONDS):
                # One read gives what has arrived, and half an error cannot be told from another kind of error.
                async for part in response:
                    body += part
                    if len(body) >= _REFUSAL_BYTES:
                        break
        return refusal_of(response.status, response.headers, body)


class _Chunks:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._answer)
        except OSError as err:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, f"broke off: {type(err).__name__} {err}") from err
