"""One HTTP request and its answer over ASGI."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, TypeAlias

from spillway.gateway.concurrency.deadlines import Deadlines
from spillway.gateway.errors import BodyTooSlow, ClientGone
from spillway.gateway.timeouts import BODY_SECONDS
from spillway.http_errors import TooLarge

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

BODY_LIMIT_BYTES = 10 * 1024 * 1024
JSON = (b"content-type", b"application/json")


# What is kept of an answer that is to be logged: a stream has some 200 bytes around each token.
MOST_WIRE_BYTES = 1024 * 1024


class Copy:
    """What a client was sent, up to MOST_WIRE_BYTES."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Keep a part while there is room."""
        if self._size < MOST_WIRE_BYTES:
            self._parts.append(part)
        self._size += len(part)

    @property
    def is_cut(self) -> bool:
        """Whether more was sent than is kept."""
        return self._size > MOST_WIRE_BYTES

    @property
    def wire(self) -> bytes:
        """All that is kept."""
        return b"".join(self._parts)[:MOST_WIRE_BYTES]


class Exchange:
    """Reads the body within its limits and writes the answer in parts.

    No answer carries a content length: Lambda freezes the process once the last byte has left it, and the last
    thing to leave must be :meth:`finish`, after metering.
    """

    def __init__(self, receive: Receive, send: Send, request_id: str, headers: Headers = ()) -> None:
        self._last = b""
        self._receive = receive
        self._send = send
        self.request_id = request_id
        self.started = False
        # What every answer to this request carries, whoever begins it.
        self.headers = headers
        # Keeps what is sent, where a deployment has its answers logged.
        self.copy: Copy | None = None

    async def read_body(self, headers: Iterable[tuple[bytes, bytes]], deadlines: Deadlines) -> bytes:
        """Return the whole body; raises TooLarge, BodyTooSlow or ClientGone."""
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > BODY_LIMIT_BYTES:
                raise self._too_large()
        try:
            async with deadlines.within(BODY_SECONDS):
                return await self._collect()
        except TimeoutError as err:
            raise BodyTooSlow(f"the body did not arrive within {BODY_SECONDS:.0f} seconds") from err

    async def _collect(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > BODY_LIMIT_BYTES:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    @staticmethod
    def _too_large() -> TooLarge:
        return TooLarge(f"the body is over the limit of {BODY_LIMIT_BYTES} bytes")

    def hangup(self) -> AbstractAsyncContextManager[None]:
        """Cancel the enclosed work when the client goes away, and raise ClientGone in its place."""
        return _Hangup(self._receive)

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self.started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, *self.headers, (b"x-request-id", self.request_id.encode("latin-1", "replace"))],
            }
        )

    async def write(self, body: bytes) -> None:
        """Send one part of the body."""
        if self.copy is not None:
            self.copy.add(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    def hold(self, body: bytes) -> None:
        """Keep the last part back for :meth:`finish`: no client can use a whole answer before its end."""
        self._last = body
        if self.copy is not None:
            self.copy.add(body)

    async def finish(self) -> None:
        """End the answer; nothing runs for certain after this."""
        await self._send({"type": "http.response.body", "body": self._last, "more_body": False})


class _Hangup:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is served inside a task")
        self._task = task
        self._watch = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        if self._gone and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise ClientGone from None
