"""``make prove``: tools that have nothing of ours in them judge the product.

    python -m tests.prove [--sample] [NAME…]

Without names, all of them. Each runs in a process of its own, which is ended when its time is up. The exit status is 1
if any judge holds something against the product, was not done in time, or could not be installed. ``PROVE_FOLDER``
(default ``.prove``) takes what they install.
"""

import argparse
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.prove.registry import JUDGES, SAMPLE_SECONDS, SECONDS, Judge
from tests.prove.tools import Unavailable
from tests.prove.verdict import Verdict

HOLDS = "holds"
LEFT_OUT = f"left out, as {SAMPLE_SECONDS} seconds were over"
REPOSITORY = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("PROVE_FOLDER") or REPOSITORY / ".prove").resolve()


def main() -> int:
    """Run the judges asked for, print their tables and a summary."""
    arguments = _arguments()
    WORK.mkdir(parents=True, exist_ok=True)
    if arguments.here:
        return _judge_here(arguments.here, arguments.sample)
    began = time.monotonic()
    summary = [("judge", "proves", "seconds", "verdict")]
    for judge in _wanted(arguments.names, arguments.sample):
        if arguments.sample and time.monotonic() - began > SAMPLE_SECONDS:
            summary.append((judge.name, judge.proves, "0", LEFT_OUT))
            continue
        print(f"\n== {judge.name}: {judge.proves}", flush=True)
        turn = time.monotonic()
        limit = judge.seconds if arguments.sample else min(judge.seconds, max(0, SECONDS - round(turn - began)))
        said = _judge_apart(judge, limit, arguments.sample)
        summary.append((judge.name, judge.proves, f"{time.monotonic() - turn:.0f}", said))
    print()
    print(Verdict(tuple(summary)).text(), flush=True)
    return int(any(said not in (HOLDS, LEFT_OUT) for *_, said in summary[1:]))


def _wanted(names: list[str], sample: bool) -> list[Judge]:
    return [judge for judge in JUDGES if (judge.name in names if names else judge.in_sample or not sample)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description="Have independent tools judge Spillway.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(judge.name for judge in JUDGES)}")
    parser.add_argument(
        "--sample", action="store_true", help=f"look at less, and begin none after {SAMPLE_SECONDS} seconds"
    )
    parser.add_argument("--here", metavar="NAME", help="run one judge in this process, without a limit")
    arguments = parser.parse_args()
    known = {judge.name for judge in JUDGES}
    if unknown := {*arguments.names, arguments.here or ""} - known - {""}:
        parser.error(f"no such judge: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return arguments


def _judge_apart(judge: Judge, limit: int, sample: bool) -> str:
    """Run a judge in a process group of its own, which is ended with all that it started when its time is up."""
    command = [sys.executable, "-m", "tests.prove", "--here", judge.name, *(["--sample"] if sample else [])]
    process = subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)
    try:
        return HOLDS if process.wait(limit) == 0 else "FAILED"
    except subprocess.TimeoutExpired:
        return f"FAILED: not done within {limit} seconds"
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _judge_here(name: str, sample: bool) -> int:
    try:
        verdict: Verdict = importlib.import_module(f"tests.prove.{name}").judge(WORK, sample)
    except Unavailable as err:
        print(f"FAILED: {err}", flush=True)
        return 1
    print(verdict.text(), flush=True)
    if len(verdict.rows) < 2:
        print("FAILED: it judged nothing", flush=True)
    return int(bool(verdict.failures) or len(verdict.rows) < 2)


if __name__ == "__main__":
    sys.exit(main())
