"""Connections of a server that anybody may open: what API Gateway keeps away from Lambda is kept away here."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from spillway.domain.errors import InvalidRequest
from spillway.gateway.errors import error_body
from spillway.gateway.timeouts import HEAD_SECONDS, UNREAD_SECONDS


class GuardedConnection(H11Protocol):
    """HTTP/1.1 whose heads must arrive in time, and whose answers must be read.

    uvicorn by itself waits for both for ever; the body's time is limited where it is read (Exchange).
    """

    head_seconds = HEAD_SECONDS
    unread_seconds = UNREAD_SECONDS
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Expect a request's head."""
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun and not ended has as long as one that has not begun."""
        super().data_received(data)
        self._watch_head()

    def pause_writing(self) -> None:
        """Give the client a while to read what fills our buffer: an upstream works for it meanwhile."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the one error shape, and end the connection."""
        body = error_body(InvalidRequest(msg))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        answer: list[Any] = [h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()]
        for event in answer:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_head(self) -> None:
        waiting = self.conn.their_state is h11.IDLE
        if waiting and self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self.transport.close)
        elif not waiting and self._late is not None:
            self._late.cancel()
            self._late = None
