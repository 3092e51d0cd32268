"""Worker processes: forked by the zygote when they are needed, kept warm, ended when they hang."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from tests.sandbox.runtime import wire
from tests.sandbox.runtime.functions import FUNCTIONS_SDK, REPOSITORY, SOURCES
from tests.sandbox.runtime.log_pump import LogPump


class WorkerGoneError(Exception):
    """The worker ended in the middle of an invocation."""


class WorkerHungError(Exception):
    """The worker did not answer in time."""


class _FirstZygote:
    """The process that sandboxes' zygotes are forked from; it ends with the process that started it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        sdk = {FUNCTIONS_SDK: os.environ[FUNCTIONS_SDK]} if os.environ.get(FUNCTIONS_SDK) else {}
        paths = os.pathsep.join([*sdk.values(), str(SOURCES), str(REPOSITORY)])
        environment = {"PYTHONPATH": paths, "PATH": os.environ.get("PATH", ""), **sdk}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sandbox.runtime.zygote", str(theirs.fileno())],
            cwd=REPOSITORY,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()

    def fork(self, connection: socket.socket) -> int:
        """Return the process id of a new zygote, which serves ``connection``."""
        with self._lock:
            wire.send(self._socket, {}, [connection.fileno()])
            received = wire.receive(self._socket)
        if received is None:
            raise WorkerGoneError("the process that zygotes are forked from has gone")
        return int(received[0]["pid"])


_first_zygote = cache(_FirstZygote)


class Zygote:
    """The process that workers are forked from; one process group for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self.group = _first_zygote().fork(theirs)

    def fork(self, settings: dict[str, Any], control: int, log: int) -> int:
        """Return the process id of a new worker."""
        with self._lock:
            wire.send(self._socket, settings, [control, log])
            received = wire.receive(self._socket)
        if received is None:
            raise WorkerGoneError("the process that workers are forked from has gone")
        return int(received[0]["pid"])

    def close(self) -> None:
        """End the whole group at once, hung workers included."""
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        self._socket.settimeout(10)
        with suppress(ConnectionError):
            while self._socket.recv(1024):
                pass
        self._socket.close()


class Worker:
    """One process of one function; serves one invocation at a time."""

    def __init__(self, zygote: Zygote, logs: LogPump, function: str, settings: dict[str, Any]) -> None:
        self._socket, theirs = socket.socketpair()
        log = logs.attach(function)
        try:
            self.pid = zygote.fork(settings, theirs.fileno(), log)
        finally:
            theirs.close()
            os.close(log)

    def ask(self, message: dict[str, Any] | None, timeout_seconds: float) -> dict[str, Any]:
        """Send an invocation (None: only wait for the start) and return the worker's answer."""
        self._socket.settimeout(timeout_seconds)
        try:
            if message is not None:
                wire.send(self._socket, message)
            received = wire.receive(self._socket)
        except TimeoutError as late:
            raise WorkerHungError from late
        except OSError as broken:
            raise WorkerGoneError from broken
        if received is None:
            raise WorkerGoneError
        return received[0]

    def end(self) -> None:
        """Kill the process."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._socket.close()


class WorkerPool:
    """The workers of one function, grown on demand up to a limit."""

    def __init__(self, start: Callable[[], Worker], limit: int) -> None:
        self._start = start
        self._slots = threading.Semaphore(limit)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """Lend a worker; one that failed with an exception is not used again."""
        with self._slots:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                worker = self._start()
            try:
                yield worker
            except BaseException:
                worker.end()
                raise
            with self._lock:
                self._idle.append(worker)

    def pids(self) -> list[int]:
        """Return the process ids of the idle workers."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def close(self) -> None:
        """End the idle workers."""
        with self._lock:
            for worker in self._idle:
                worker.end()
            self._idle.clear()
