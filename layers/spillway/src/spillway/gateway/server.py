"""The gateway as a plain, long-lived server: what Lambda and API Gateway do around it elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from spillway.gateway.app import Gateway, LazyApp
from spillway.gateway.errors import Unavailable, come_back, error_body
from spillway.gateway.request.content_coding import unpacking
from spillway.gateway.request.cors import Cors
from spillway.gateway.request.exchange import JSON, Headers, Receive, Scope, Send
from spillway.gateway.timeouts import LAST_SECONDS


class ServerApp(LazyApp):
    """Answers so many requests at once, and ends when the last has ended and all that they used is written."""

    def __init__(self, build: Callable[[], Awaitable[Gateway]], most_requests: int, cors: Cors) -> None:
        super().__init__(self._build_closing(build))
        self._most_requests = most_requests
        self._cors = cors
        self._active = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await _answer(send, 204, self._cors.preflight(scope["headers"]))
            return
        if self._active >= self._most_requests and scope["path"] != "/healthz":
            await _busy(send, self._cors.answer(scope["headers"]))
            return
        self._active += 1
        try:
            await super().__call__(scope, unpacking(scope["headers"], receive), send)
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    def _build_closing(self, build: Callable[[], Awaitable[Gateway]]) -> Callable[[], Awaitable[Gateway]]:
        async def built() -> Gateway:
            gateway = await build()

            async def close() -> None:
                await self._wait()
                await gateway.close()

            return replace(gateway, close=close)

        return built

    async def _wait(self) -> None:
        """Wait for requests that were cancelled: uvicorn does not."""
        while self._active:
            self._idle.clear()
            try:
                async with asyncio.timeout(LAST_SECONDS):
                    await self._idle.wait()
            except TimeoutError:
                return


async def _busy(send: Send, carried: Headers) -> None:
    err = Unavailable("this server answers as many requests as it may; try again", code="busy", retry_after_seconds=1)
    headers = [JSON, *come_back(1), (b"x-spillway-reason", err.code.encode()), *carried]
    await _answer(send, err.status, headers, error_body(err))


async def _answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
