"""HTTP servers on loopback, on the sandbox's own event loop."""

import errno
import socket

from aiohttp import web

from tests.sandbox.runtime.loop_thread import LoopThread

SHUTDOWN_SECONDS = 0.5


class PortInUseError(Exception):
    """Somebody else listens on the port that was asked for."""


def listen(port: int) -> socket.socket:
    """Return a socket bound to a loopback port, 0 for a free one; raise PortInUseError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError as err:
        listener.close()
        if err.errno == errno.EADDRINUSE:
            raise PortInUseError(f"port {port} is in use; choose another with SPILLWAY_PORT (0: any)") from err
        raise
    return listener


def address(listener: socket.socket) -> str:
    """Return the base URL of what listens there."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Servers:
    """Serves applications until closed."""

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop
        self._runners: list[web.AppRunner] = []

    def serve(self, app: web.Application, listener: socket.socket, *, unpacks: bool = True) -> None:
        """Serve an application; a client that hangs up cancels its handler.

        ``unpacks``: whether bodies lose their content coding before the application sees them.
        """
        self._loop.run(self._serve(app, listener, unpacks))

    def close(self) -> None:
        """Stop all, last first."""
        for runner in reversed(self._runners):
            self._loop.run(runner.cleanup())
        self._runners.clear()

    async def _serve(self, app: web.Application, listener: socket.socket, unpacks: bool) -> None:
        runner = web.AppRunner(
            app,
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
            auto_decompress=unpacks,
        )
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, listener).start()
