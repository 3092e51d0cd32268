"""Engines on an event loop of their own, started from any thread."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.sandbox.cloud.ports import EngineLoad
from tests.sandbox.engine import Engine, EngineConfig
from tests.sandbox.engine_command import Command
from tests.sandbox.runtime.loop_thread import LoopThread

MakeConfig = Callable[[Command], EngineConfig]


class EngineHost:
    """Implements the port that the simulated cloud starts engines by.

    While ``may_load`` is cleared, engines that are started go on loading.
    """

    def __init__(self, make_config: MakeConfig, now: Callable[[], float]) -> None:
        self._make_config = make_config
        self._now = now
        self.loop = LoopThread("sandbox-engines")
        self.engines: dict[str, Engine] = {}
        self.may_load = threading.Event()
        self.may_load.set()

    def launch(self, instance_key: str, command: Command) -> "EngineProcess":
        """Start an engine and return once it answers."""
        self.may_load.wait()
        engine = Engine(self._make_config(command), self._now)
        url = self.loop.run(engine.start())
        self.engines[instance_key] = engine
        return EngineProcess(self, instance_key, engine, url)

    def close(self) -> None:
        """End all engines and the loop."""
        self.may_load.set()
        for engine in list(self.engines.values()):
            self.loop.run(engine.kill())
        self.engines.clear()
        self.loop.close()


@dataclass(frozen=True)
class EngineProcess:
    """One running engine."""

    host: EngineHost
    key: str
    engine: Engine
    url: str

    def load(self) -> EngineLoad:
        """Return its present load; none once it has ended."""
        return self.host.loop.run(self._load()) if self.key in self.host.engines else EngineLoad()

    def stop(self) -> None:
        """End it as SIGTERM does."""
        self.host.engines.pop(self.key, None)
        self.host.loop.run(self.engine.stop())

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.host.engines.pop(self.key, None)
        self.host.loop.run(self.engine.kill())

    async def _load(self) -> EngineLoad:
        # On the engine's own loop: its queues change while other threads would look at them.
        return EngineLoad(self.engine.running, self.engine.waiting, self.engine.kv_cache_use)
