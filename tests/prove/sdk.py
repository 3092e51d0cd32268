"""Every AWS call of the suite, by the oldest SDK that README promises and by the newest that there is.

Lambda's runtime brings the SDK, in a version that no document names and that changes under a function: so both are made
to build each recorded call (``tests/fixtures/aws_calls.json``), up to the network, and the demo's functions run on the
oldest.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.prove import tools
from tests.prove.verdict import Verdict
from tests.sandbox.runtime.functions import FUNCTIONS_SDK

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED = REPOSITORY / "tests" / "fixtures" / "aws_calls.json"
SCRIPT = Path(__file__).with_name("sdk_calls.py")
CALLS_SECONDS, DEMO_SECONDS = 60, 240


def judge(work: Path, sample: bool) -> Verdict:
    """Try both; without ``sample`` also the demo on the oldest."""
    oldest, newest = tools.python(work, "sdk_oldest"), tools.newest(work, "boto3")
    rows: list[tuple[str, ...]] = [("SDK", "botocore", "tried", "refused")]
    failures: list[str] = []
    for name, interpreter in (("oldest", oldest), ("newest", newest)):
        found = _calls(interpreter)
        rows.append((name, found["version"], f"{found['tried']} calls", str(len(found["failures"]))))
        failures += [f"botocore {found['version']} does not take {failure}" for failure in found["failures"]]
    if not sample:
        broken = _demo(oldest)
        rows.append(("oldest", rows[1][1], "the demo", str(len(broken))))
        failures += [f"the demo with the oldest SDK: {expectation}" for expectation in broken]
    return Verdict(tuple(rows), tuple(failures))


def _calls(interpreter: Path) -> dict[str, Any]:
    """Return what the script beside this one says of an interpreter's SDK."""
    settings = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "layers" / "spillway" / "src"),
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    with RECORDED.open() as recorded:
        done = subprocess.run(
            [interpreter, SCRIPT], stdin=recorded, capture_output=True, text=True, env=settings, timeout=CALLS_SECONDS
        )
    if done.returncode != 0:
        return {"version": "?", "tried": 0, "failures": [f"anything: {done.stderr[-2000:]}"]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _demo(interpreter: Path) -> list[str]:
    """Run the demo with an interpreter's SDK in every function; return what did not hold."""
    (packages,) = interpreter.parents[1].glob("lib/python3*/site-packages")
    result = REPOSITORY / ".sandbox" / "demo.json"
    result.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.demo"],
        cwd=REPOSITORY,
        env={**os.environ, FUNCTIONS_SDK: str(packages)},
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
    )
    if not result.exists():
        return [done.stderr[-2000:]]
    expectations = json.loads(result.read_text())["expectations"]
    return [f"{each['name']}: {each['detail']}" for each in expectations if not each["ok"]]
