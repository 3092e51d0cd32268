"""Engines that come up healthy and cannot answer: what a smoke test is there to find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from tests.sandbox.cloud.ports import EngineHandle, EngineHost, EngineLoad
from tests.sandbox.engine_command import Command
from tests.sandbox.runtime.loop_thread import LoopThread

Respond = Callable[[], web.Response]


def garbage() -> web.Response:
    """Answer with status 200 and something that is no completion."""
    return web.Response(text="<html>It works!</html>", content_type="text/html")


def server_error() -> web.Response:
    """Answer as a server that has lost its model."""
    return web.json_response({"error": {"message": "CUDA error", "code": 500}}, status=500)


def half_a_stream() -> web.Response:
    """Answer with the beginning of a stream that never comes to its end mark."""
    chunk = 'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]}\n\n'
    return web.Response(text=chunk, content_type="text/event-stream")


class BrokenEngines:
    """Starts engines as ``working`` does, but those of the models in ``broken`` answer every request alike."""

    def __init__(self, working: EngineHost, broken: Mapping[str, Respond]) -> None:
        self._working = working
        self._broken = broken
        self._loop = LoopThread("broken-engines")

    def launch(self, instance_key: str, command: Command) -> EngineHandle:
        """Start one."""
        if command.served_name not in self._broken:
            return self._working.launch(instance_key, command)
        return self._loop.run(self._start(self._broken[command.served_name]))

    def close(self) -> None:
        """End the loop."""
        self._loop.close()

    async def _start(self, respond: Respond) -> "BrokenEngine":
        async def answer(_request: web.Request) -> web.Response:
            return respond()

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return BrokenEngine(f"http://127.0.0.1:{runner.addresses[0][1]}", self._loop, runner)


@dataclass(frozen=True)
class BrokenEngine:
    """One running engine."""

    url: str
    loop: LoopThread
    runner: web.AppRunner

    def load(self) -> EngineLoad:
        """Return no load."""
        return EngineLoad()

    def stop(self) -> None:
        """End it."""
        self.loop.run(self.runner.cleanup())

    kill = stop
