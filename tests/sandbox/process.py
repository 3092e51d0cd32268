"""The sandbox as a process of its own, for those that only want to talk to it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60
# Longer than the sandbox gives itself for an orderly end.
STOP_SECONDS = 60


@contextmanager
def running_sandbox(folder: Path, **environment: str) -> Iterator[dict[str, str]]:
    """Run the sandbox on a free port and yield its ``sandbox.json``; ``folder`` takes its files and its log.

    Raises SystemExit when it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sandbox.json").unlink(missing_ok=True)
    settings = {**os.environ, "SPILLWAY_PORT": "0", "SPILLWAY_SANDBOX_FOLDER": str(folder), **environment}
    with (folder / "sandbox.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.sandbox"]
        process = subprocess.Popen(command, cwd=REPOSITORY, env=settings, stdout=log, stderr=log)
        try:
            yield _facts(process, folder)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _facts(process: "subprocess.Popen[bytes]", folder: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "sandbox.json").exists():
            found: dict[str, str] = json.loads((folder / "sandbox.json").read_text())
            return found
        time.sleep(0.1)
    raise SystemExit(f"the sandbox did not start; see {folder / 'sandbox.log'}")
