"""The emulated SageMaker runtime: passes invocations to the container behind an endpoint, streams as event streams."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import aiohttp
from aiohttp import web

from tests.sandbox import eventstream
from tests.sandbox.aws_errors import AwsError, answering_errors
from tests.sandbox.container_wire import Container, ContainerError, container_of

NO_CAPACITY_MESSAGE = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress "
    "(if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)
_COMPONENT_HEADER = "X-Amzn-SageMaker-Inference-Component"
# For a whole answer, or the first bytes of a stream.
CONTAINER_SECONDS = 60.0
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)
_VARIANT_HEADER = {"x-Amzn-Invoked-Production-Variant": "AllTraffic"}


@dataclass(frozen=True)
class Refusal:
    """Why an endpoint cannot serve now."""

    status: int
    code: str
    message: str


NO_CAPACITY = Refusal(400, "ValidationError", NO_CAPACITY_MESSAGE)


@dataclass(frozen=True)
class Hosted:
    """An engine's base URL, and the image of the container that it is in."""

    url: str
    image: str = ""


# From an endpoint's name and an inference component's, if one is named, to what answers.
Resolver: TypeAlias = Callable[[str, str | None], Hosted | Refusal]


class SageMakerRuntime:
    """Forwards to ``<engine>/invocations`` over ``session``; ``random`` decides where a stream is cut into parts.

    ``seconds`` is how long a container has for a whole answer, and for the first bytes of a stream.
    """

    def __init__(
        self,
        resolve: Resolver,
        session: aiohttp.ClientSession,
        random: Random,
        seconds: float = CONTAINER_SECONDS,
    ) -> None:
        self._resolve = resolve
        self._session = session
        self._random = random
        self._seconds = seconds

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be mounted in one application; one that cancels handlers when clients go away."""
        whole = answering_errors(self._invoke, "Message")
        stream = answering_errors(self._invoke_with_stream, "Message")
        return [
            web.post("/endpoints/{name}/invocations", whole),
            web.post("/endpoints/{name}/invocations-response-stream", stream),
        ]

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        hosted, container = self._hosted(request)
        asked = _asked(container, await request.read())
        try:
            async with asyncio.timeout(self._seconds), self._ask(hosted.url, request, asked) as answer:
                body = await answer.read()
                _check(container, answer, body)
        except TimeoutError as error:
            raise _timed_out() from error
        except aiohttp.ClientError as error:
            raise _unavailable() from error
        return web.Response(
            body=container.whole(body), headers={"Content-Type": answer.content_type, **_VARIANT_HEADER}
        )

    async def _invoke_with_stream(self, request: web.Request) -> web.StreamResponse:
        hosted, container = self._hosted(request)
        try:
            asked = container.request(await request.read())
        except ContainerError as error:
            if not error.in_stream:
                raise _refused(error.status, error.body) from error
            return await self._relay(request, _one(b"data:" + error.body + b"\n\n"), "text/event-stream")
        try:
            async with asyncio.timeout(self._seconds) as limit, self._ask(hosted.url, request, asked) as answer:
                if answer.status >= 400 or answer.content_type != "text/event-stream":
                    body = await answer.read()
                    _check(container, answer, body)
                    return await self._relay(request, _one(container.whole(body)), answer.content_type)
                limit.reschedule(None)
                written = container.stream(answer.content.iter_any())
                return await self._relay(request, written, container.stream_type)
        except TimeoutError as error:
            raise _timed_out() from error
        except aiohttp.ClientError as error:
            raise _unavailable() from error

    def _hosted(self, request: web.Request) -> tuple[Hosted, Container]:
        found = self._resolve(request.match_info["name"], request.headers.get(_COMPONENT_HEADER))
        if isinstance(found, Refusal):
            raise AwsError(found.status, found.code, found.message)
        return found, container_of(found.image)

    def _ask(self, url: str, request: web.Request, body: bytes) -> "aiohttp.client._RequestContextManager":
        headers = {"Content-Type": request.headers.get("Content-Type", "application/octet-stream")}
        return self._session.post(f"{url}/invocations", data=body, headers=headers)

    async def _relay(
        self, request: web.Request, written: AsyncIterator[bytes], content_type: str
    ) -> web.StreamResponse:
        headers = {
            "Content-Type": eventstream.CONTENT_TYPE,
            "X-Amzn-SageMaker-Content-Type": content_type,
            **_VARIANT_HEADER,
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        async for message in self._messages(written):
            await response.write(message)
        await response.write_eof()
        return response

    async def _messages(self, written: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield a container's bytes as parts that heed no border: events are cut in two, or share a part.

        A cut-off end waits for the next bytes, as in a buffer on the way; never the first ones, which would cost the
        time to first token that is measured here.
        """
        held = b""
        first = True
        try:
            async for chunk in written:
                ready = held + chunk
                cut = len(ready) if first else self._random.randrange(len(ready) + 1)
                held = ready[cut:]
                for part in self._split(ready[:cut]):
                    yield _payload_part(part)
                first = False
        except aiohttp.ClientError:
            if held:
                yield _payload_part(held)
            body = {"Message": "The model container closed its connection.", "ErrorCode": "StreamBroken"}
            yield eventstream.exception("ModelStreamError", body)
            return
        if held:
            yield _payload_part(held)

    def _split(self, data: bytes) -> list[bytes]:
        cut = self._random.randrange(len(data) + 1)
        return [part for part in (data[:cut], data[cut:]) if part]


def _payload_part(data: bytes) -> bytes:
    return eventstream.event("PayloadPart", data, "application/octet-stream")


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _asked(container: Container, raw: bytes) -> bytes:
    try:
        return container.request(raw)
    except ContainerError as error:
        raise _refused(error.status, error.body) from error


def _check(container: Container, answer: aiohttp.ClientResponse, body: bytes) -> None:
    """Raise a container's refusal as SageMaker reports it."""
    if answer.status >= 400:
        raise _refused(answer.status, container.refusal(body, answer.status))


def _refused(status: int, body: bytes) -> AwsError:
    original = body.decode(errors="replace")
    side = "client" if status < 500 else "server"
    message = f'Received {side} error ({status}) from primary with message "{original}".'
    return AwsError(424, "ModelError", message, {"OriginalStatusCode": status, "OriginalMessage": original})


def _timed_out() -> AwsError:
    message = f'Received server error (0) from primary with message "{_TIMED_OUT}".'
    return AwsError(424, "ModelError", message, {"OriginalStatusCode": 0, "OriginalMessage": _TIMED_OUT})


def _unavailable() -> AwsError:
    return AwsError(503, "ServiceUnavailable", "The endpoint's instance did not answer.")
