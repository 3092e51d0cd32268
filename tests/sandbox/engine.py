"""An inference server that speaks vLLM 0.32's HTTP API, with made-up words at a real, limited speed.

Many fit into one process, each on its own loopback port. Prompt tokens follow :mod:`tests.sandbox.wording`.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable

from aiohttp import web

from tests.sandbox.engine_api import EngineApi
from tests.sandbox.engine_config import EngineConfig
from tests.sandbox.engine_metrics import Totals
from tests.sandbox.engine_proxy import UpstreamProxy
from tests.sandbox.engine_scheduler import Limits, Scheduler

__all__ = ["Engine", "EngineConfig"]

# SO_LINGER with no time to linger: closing sends a reset, as a dead machine's peer ends up seeing.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Engine:
    """One engine's life: :meth:`start`, then :meth:`stop`, :meth:`crash` or :meth:`kill`.

    ``now`` returns the epoch seconds that clients see; speed is always measured in real time.
    """

    def __init__(self, config: EngineConfig, now: Callable[[], float] = time.time) -> None:
        limits = Limits(
            tokens_per_second=config.tokens_per_second,
            prefill_tokens_per_second=config.prefill_tokens_per_second,
            max_running=config.max_num_seqs,
            max_in_flight=config.max_num_queued_reqs,
            kv_cache_tokens=config.kv_cache_tokens,
        )
        self._scheduler = Scheduler(limits, time.monotonic)
        self._api = EngineApi(config, self._scheduler, now)
        self._proxy = UpstreamProxy(config.upstream_url, config.model_names) if config.upstream_url else None
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._work: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """Requests in the batch; in front of a real vLLM, all that are in flight."""
        return self._proxy.in_flight if self._proxy else self._scheduler.choices_running

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._scheduler.choices_waiting

    @property
    def kv_cache_use(self) -> float:
        """The share of the KV cache in use, 0 to 1."""
        return self._scheduler.kv_cache_use

    @property
    def totals(self) -> Totals:
        """What the engine has done since it started."""
        return self._scheduler.totals

    async def start(self, port: int = 0) -> str:
        """Listen on loopback, on a free port unless one is named; return the base URL."""
        if self._proxy:
            await self._proxy.open()
        # Without handler_cancellation a client that hangs up would not stop the work.
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", port)
        await self._site.start()
        self._work = asyncio.create_task(self._scheduler.run())
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self, grace_seconds: float = 10.0) -> None:
        """Take no more connections, let requests in flight finish within the grace period, end."""
        self._api.draining = True
        await self._close_listener()
        try:
            await asyncio.wait_for(self._drained(), grace_seconds)
        except TimeoutError:
            await self.kill()
        else:
            await self._end()

    async def kill(self) -> None:
        """End at once: the listener is gone and every connection reset, as when the instance dies."""
        await self._close_listener()
        for transport in self._transports():
            peer: socket.socket = transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        await self._end()

    async def crash(self) -> None:
        """Die as vLLM does when its engine process is killed: streams hear of it, then the server is gone."""
        self._scheduler.abort_all()
        await self._close_listener()
        await asyncio.sleep(0.02)
        await self._end()

    def fail(self) -> None:
        """Answer every request with 500 from now on while the health check holds, as after a hung shutdown."""
        self._api.draining = True

    def freeze(self) -> None:
        """Make no more progress while all connections stay open, as a hung shutdown does."""
        self._scheduler.frozen = True

    def _app(self) -> web.Application:
        if not self._proxy:
            return self._api.app()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._proxy.handle)
        return app

    async def _drained(self) -> None:
        while self.running or self.waiting:
            await asyncio.sleep(0.01)

    async def _close_listener(self) -> None:
        if self._site:
            await self._site.stop()
            self._site = None

    def _transports(self) -> list[asyncio.Transport]:
        server = self._runner.server if self._runner else None
        connections = server.connections if server else []
        return [connection.transport for connection in connections if connection.transport]

    async def _end(self) -> None:
        if self._work:
            self._work.cancel()
        if self._runner:
            await self._runner.cleanup()
        if self._proxy:
            await self._proxy.close()
