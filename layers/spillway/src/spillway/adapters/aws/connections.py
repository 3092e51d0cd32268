"""HTTP/1.1 to AWS over kept connections, as far as signed POSTs need it; httptools reads the answers.

A client library's sessions, cookies, redirects and proxies cost the gateway more than the rest of a request does.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

_KEEP_ALIVE_SECONDS = 30.0
# What of an answer may wait to be read before its sender has to.
_UNREAD_BYTES = 262_144
_OWN = "accept-encoding: identity\r\nuser-agent: spillway\r\ncontent-length: "


class ConnectionBroken(OSError):
    """The connection ended before its answer did, or what came is no HTTP."""


class ConnectionDropped(ConnectionBroken):
    """The connection ended before the first byte of an answer."""


class _Place(NamedTuple):
    host: str
    port: int
    is_tls: bool


class _Address(NamedTuple):
    place: _Place
    path: str


class Connections:
    """A pool of connections by host; has to be made, and used, in one event loop."""

    def __init__(self) -> None:
        self._idle: dict[_Place, list[_Connection]] = {}
        self._all: set[_Connection] = set()
        self._tls = ssl.create_default_context()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, those in use as well, and wait until they are gone."""
        ends = [connection.ended for connection in self._all]
        for connection in list(self._all):
            connection.abort()
        if ends:
            await asyncio.wait(ends)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, connect_seconds: float) -> "Answer":
        """Send a request and return once the answer's headers are there.

        ``url`` is percent-encoded already; ``headers`` have the host, which is part of what is signed.

        Raises ConnectionDropped when the connection ended without a word, another OSError when there is none or when it
        broke, TimeoutError when it took too long to connect, and ValueError for a header that would end early.
        """
        address = _address(url)
        message = _message(address, headers, body)
        connection = self._take(address.place)
        if connection is None:
            connection = await self._connect(address.place, connect_seconds)
        return await connection.exchange(message)

    def _take(self, place: _Place) -> "_Connection | None":
        """Return the connection that was used last, which is the one that its server most likely has kept."""
        idle = self._idle.get(place)
        oldest = time.monotonic() - _KEEP_ALIVE_SECONDS
        while idle:
            connection = idle.pop()
            if connection.idle_since > oldest and not connection.is_ending:
                return connection
            connection.abort()
        return None

    async def _connect(self, place: _Place, seconds: float) -> "_Connection":
        tls = self._tls if place.is_tls else None
        async with asyncio.timeout(seconds):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self, place), place.host, place.port, ssl=tls
            )
        return connection

    def opened(self, connection: "_Connection") -> None:
        """Hear of a connection that stands."""
        self._all.add(connection)

    def freed(self, connection: "_Connection") -> None:
        """Take back a connection whose answer has been read whole."""
        self._idle.setdefault(connection.place, []).append(connection)

    def lost(self, connection: "_Connection") -> None:
        """Forget a connection."""
        self._all.discard(connection)
        idle = self._idle.get(connection.place, [])
        if connection in idle:
            idle.remove(connection)


class Answer:
    """An answer's status and headers, names in lower case, and its body as it comes. Close it, or leave a ``with``.

    Iterated, it gives what has arrived meanwhile in one piece each time; raises ConnectionBroken when it breaks off.
    """

    __slots__ = ("_connection", "_error", "_is_whole", "_parts", "_size", "_waiter", "headers", "status")

    def __init__(self, connection: "_Connection", status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._connection: _Connection | None = connection
        self._parts: list[bytes] = []
        self._size = 0
        self._is_whole = False
        self._error: ConnectionBroken | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self._is_whole:
                raise StopAsyncIteration
            await self._arrival()
        return self._taken()

    async def read(self) -> bytes:
        """Return the whole body, or what is left of it."""
        while not self._is_whole and self._error is None:
            if self._size >= _UNREAD_BYTES:
                self._go_on()
            await self._arrival()
        if self._error is not None:
            raise self._error
        return self._taken()

    def close(self) -> None:
        """Let go of what has not been read: its connection ends, so that its server hears of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    async def _arrival(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _taken(self) -> bytes:
        taken = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        if self._size >= _UNREAD_BYTES:
            self._go_on()
        self._size = 0
        return taken

    def _go_on(self) -> None:
        if self._connection is not None:
            self._connection.go_on()

    def add(self, part: bytes) -> bool:
        """Take a part of the body; False when no more should come until some has been read."""
        self._parts.append(part)
        self._size += len(part)
        self._wake()
        return self._size < _UNREAD_BYTES

    def end(self, error: ConnectionBroken | None = None) -> None:
        """Hear that no more comes."""
        self._connection = None
        self._error = error
        self._is_whole = error is None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, and the parser's callbacks (``on_…``) for its answer."""

    def __init__(self, pool: Connections, place: _Place) -> None:
        self.place = place
        self.idle_since = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pool = pool
        self._transport: Any = None
        self._parser: Any = None
        self._head: asyncio.Future[Answer] | None = None
        self._answer: Answer | None = None
        self._headers: dict[str, str] = {}
        self._has_begun = False

    @property
    def is_ending(self) -> bool:
        """Whether no request can be sent on it any more."""
        return bool(self._transport.is_closing())

    async def exchange(self, message: bytes) -> Answer:
        """Send a request and return its answer when that has begun."""
        self._parser = HttpResponseParser(self)
        self._headers = {}
        self._has_begun = False
        head: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._head = head
        self._transport.write(message)
        try:
            return await head
        except BaseException:
            self.abort()
            raise

    def go_on(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            # Nothing was asked: whatever this is, it answers nobody.
            self.abort()
            return
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except HttpParserError as err:
            self._fail(ConnectionBroken(f"no HTTP: {err}"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.lost(self)
        if not self.ended.done():
            self.ended.set_result(None)
        if self._answer is not None and exc is None and self._ends_with_connection():
            self._answer.end()
            return
        kind = ConnectionBroken if self._has_begun else ConnectionDropped
        self._fail(kind(f"the connection ended{f': {exc}' if exc else ''}"))

    def _ends_with_connection(self) -> bool:
        return "content-length" not in self._headers and "transfer-encoding" not in self._headers

    def _fail(self, error: ConnectionBroken) -> None:
        head, self._head = self._head, None
        answer, self._answer = self._answer, None
        if head is not None and not head.done():
            head.set_exception(error)
        if answer is not None:
            answer.end(error)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        head = self._head
        if status < 200 or head is None or head.done():
            return
        self._head = None
        self._answer = Answer(self, status, self._headers)
        head.set_result(self._answer)

    def on_body(self, part: bytes) -> None:
        if self._answer is not None and not self._answer.add(part):
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            # A word on the way, such as 100: the answer is still to come.
            self._headers = {}
            return
        answer.end()
        may_stay = self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()
        self._parser = None
        if may_stay and not self.is_ending:
            self._transport.resume_reading()
            self.idle_since = time.monotonic()
            self._pool.freed(self)
        else:
            self.abort()


@lru_cache(maxsize=1024)
def _address(url: str) -> _Address:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    own = 443 if is_tls else 80
    place = _Place(parts.hostname or "", parts.port or own, is_tls)
    return _Address(place, f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")


def _message(address: _Address, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
    if fields.count("\n") != len(headers) - 1:
        raise ValueError("a header has a line break")
    return f"POST {address.path} HTTP/1.1\r\n{fields}\r\n{_OWN}{len(body)}\r\n\r\n".encode() + body
