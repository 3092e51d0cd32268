"""``make prove``: tools that have nothing of ours in them judge the product.

    python -m tests.prove [--sample] [NAME…]

Without names, all of them. Each runs in a process of its own, which is ended when its time is up. The exit status is 1
if any judge failed, was not ended in time, or could not be installed. ``PROVE_FOLDER`` (default ``.prove``) takes what
they install.
"""

import argparse
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.prove.registry import JUDGES, Judge
from tests.prove.tools import Unavailable
from tests.prove.verdict import Verdict

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("PROVE_FOLDER") or REPOSITORY / ".prove").resolve()


def main() -> int:
    """Run the judges asked for, print their tables and a summary."""
    arguments = _arguments()
    WORK.mkdir(parents=True, exist_ok=True)
    if arguments.here:
        return _judge_here(arguments.here, arguments.sample)
    wanted = [judge for judge in JUDGES if not arguments.names or judge.name in arguments.names]
    summary = [("judge", "proves", "seconds", "verdict")]
    for judge in wanted:
        limit = judge.sample_seconds if arguments.sample else judge.seconds
        if limit is None:
            summary.append((judge.name, judge.proves, "", "not in a sample"))
            continue
        print(f"\n== {judge.name}: {judge.proves}", flush=True)
        began = time.monotonic()
        said = _judge_apart(judge, limit, arguments.sample)
        summary.append((judge.name, judge.proves, f"{time.monotonic() - began:.0f} of {limit}", said))
    print()
    print(Verdict(tuple(summary)).text(), flush=True)
    return int(any(verdict not in ("holds", "not in a sample") for *_, verdict in summary[1:]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description="Have independent tools judge Spillway.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(judge.name for judge in JUDGES)}")
    parser.add_argument("--sample", action="store_true", help="look at less, within three minutes in all")
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
        return "holds" if process.wait(limit) == 0 else "FAILED"
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
    (found,) = (judge for judge in JUDGES if judge.name == name)
    try:
        verdict: Verdict = importlib.import_module(found.module).judge(WORK, sample)
    except Unavailable as err:
        print(f"FAILED: {err}", flush=True)
        return 1
    print(verdict.text(), flush=True)
    return int(bool(verdict.failures))


if __name__ == "__main__":
    sys.exit(main())
