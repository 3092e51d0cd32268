"""A client's driver as a process of its own, which is started once and asked many times."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tests.sandbox.process import REPOSITORY


class Driver:
    """Talks to one driver by lines of JSON; what it and its client say beside them goes to ``log``."""

    def __init__(self, command: Sequence[str | Path], place: Mapping[str, str], log: Path, **more: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {"OPENAI_BASE_URL": place["openai_base_url"], "OPENAI_API_KEY": place["invoke_key"]}
        self._log = log.open("w")
        self._process = subprocess.Popen(
            [str(word) for word in command],
            cwd=REPOSITORY,
            env={**kept, **ours, "PYTHONPATH": str(REPOSITORY), **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: type[BaseException] | TracebackType | BaseException | None) -> None:
        # Closes its pipes, and waits for it.
        with self._log, self._process:
            self._process.kill()

    def ready(self) -> None:
        """Wait until it is there; to be called once, at first."""
        self._read()

    def ask(self, scenario: str, model: str) -> str:
        """Return what the client saw."""
        _pipe(self._process.stdin).write(json.dumps({"scenario": scenario, "model": model}) + "\n")
        _pipe(self._process.stdin).flush()
        return str(self._read()["seen"])

    def _read(self) -> dict[str, Any]:
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise SystemExit(f"a driver ended; see {self._log.name}")
        found: dict[str, Any] = json.loads(line)
        return found


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
