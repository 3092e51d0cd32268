"""What a long log costs ``spillway plan`` and ``spillway replay``: memory on the way through it, and time.

The log, a request a row over thirty days, is made while it is read, through a named pipe: it is on no disk and in no
memory. ``GIGABYTES`` (2) is its length.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = {
    "plan": ("plan", "--model", "meta-llama/Llama-3.1-8B-Instruct", "--log"),
    "replay": ("replay", "--policy", "spillway"),
}
_SPAN_SECONDS, _ROWS_AT_ONCE, _ROW_BYTES = 30 * 24 * 3600, 50_000, 24
_SAMPLES = 3


def run() -> list[tuple[str, ...]]:
    """Return a header and one row a command."""
    gigabytes = float(os.environ.get("GIGABYTES", "2"))
    parts = [f"MB at {at}/{_SAMPLES}" for at in range(1, _SAMPLES + 1)]
    return [
        ("command", "GB", "million rows", *parts, "peak MB", "seconds"),
        *(_through(name, gigabytes) for name in COMMANDS),
    ]


def _through(name: str, gigabytes: float) -> tuple[str, ...]:
    rows, started = int(gigabytes * 1e9 / _ROW_BYTES), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder) / "log.csv"
        os.mkfifo(pipe)
        command = [sys.executable, "-m", "spillway", *COMMANDS[name], str(pipe)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "layers/spillway/src")}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        resident: list[float] = []
        written, peak = 0, 0.0
        with pipe.open("w") as log:
            for number, text in _chunks(rows):
                written += log.write(text)
                if number >= rows * (len(resident) + 1) / _SAMPLES:
                    resident.append(_status(process.pid, "VmRSS"))
                    peak = _status(process.pid, "VmHWM")
        if process.wait():
            raise RuntimeError(f"spillway {name} ended with {process.returncode}")
    figures = [f"{rows / 1e6:.0f}", *(f"{one:.0f}" for one in (*resident, peak))]
    return name, f"{written / 1e9:.2f}", *figures, f"{time.monotonic() - started:.0f}"


def _chunks(rows: int) -> Iterator[tuple[int, str]]:
    yield 0, "t_seconds,requests,prompt_tokens,completion_tokens\n"
    for start in range(0, rows, _ROWS_AT_ONCE):
        end = min(rows, start + _ROWS_AT_ONCE)
        moments = (number * _SPAN_SECONDS / rows for number in range(start, end))
        yield end, "".join(f"{moment:.3f},1,{800 + int(moment) % 97},211\n" for moment in moments)


def _status(pid: int, field: str) -> float:
    """Return megabytes of a process, as Linux knows them."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024
