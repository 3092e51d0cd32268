"""schemathesis judges the control API in the sandbox by its own document: it answers what that names, and never a 500.

Its seed is fixed. ``schemathesis_hooks.py`` beside this keeps it from the key that it calls with, and lets half of what
it asks be about a deployment that there is.
"""

import json
import logging
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from spillway.domain.access.keys import id_of
from tests.prove import tools
from tests.prove.verdict import Verdict
from tests.sandbox.runtime.options import Options
from tests.sandbox.sandbox import Sandbox

SEED = 1
EXAMPLES, SAMPLE_EXAMPLES = 15, 3
# The coverage of every value that the document could mean takes most of its time.
PHASES, SAMPLE_PHASES = "examples,coverage,fuzzing,stateful", "examples,fuzzing"
_NAME = "judged"
_DEPLOYMENT = {"name": _NAME, "path": "bedrock", "model": {"id": "meta.llama3-1-8b-instruct-v1:0"}}
# What fits the schema may still contradict itself, which no schema says: a clean 400 is right then.
_NOT_HELD = "positive_data_acceptance"


def judge(work: Path, sample: bool) -> Verdict:
    """Run it against a sandbox of its own; a row for each phase, and one for all."""
    # One of its probes is no HTTP, and the sandbox's server would print that it is not.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    program = tools.python(work, "schemathesis").parent / "schemathesis"
    sandbox = Sandbox(Options(port=0, folder=work / "sandbox"))
    try:
        sandbox.start()
        found = _run(program, sandbox, work, sample=sample)
    finally:
        sandbox.close()
    phases = [(f"phase {name}", phase["status"]) for name, phase in found["phases"].items()]
    counts = found["test_cases"]
    tried = [
        ("operations", f"{found['operations']['tested']} of {found['operations']['total']}"),
        ("requests tried", str(counts["generated"])),
        ("failures", str(counts["unique_failures"])),
    ]
    return Verdict((("of the API", f"seed {SEED}"), *phases, *tried), tuple(_failures(found)))


def _run(program: Path, sandbox: Sandbox, work: Path, *, sample: bool) -> Any:
    document, report = work / "control-api.json", work / "schemathesis.json"
    document.write_bytes(_call(sandbox, "/docs?format=json"))
    _call(sandbox, "/deployments", _DEPLOYMENT)
    report.unlink(missing_ok=True)
    command = [
        *(str(program), "run", str(document), "--url", sandbox.base_url),
        *("--header", f"Authorization: Bearer {sandbox.admin_key}"),
        *("--seed", str(SEED), "--max-examples", str(SAMPLE_EXAMPLES if sample else EXAMPLES), "--no-shrink"),
        *("--phases", SAMPLE_PHASES if sample else PHASES),
        *("--exclude-checks", _NOT_HELD, "--report", "json", "--report-json-path", str(report)),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(tools.HERE)}
    settings = {**os.environ, **hooks, "JUDGED_NAME": _NAME, "OWN_KEY_ID": id_of(sandbox.admin_key)}
    done = subprocess.run(command, cwd=work, env=settings, capture_output=True, text=True, check=False)
    if not report.exists():
        raise tools.Unavailable(f"schemathesis ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    (work / "schemathesis.log").write_text(done.stdout, encoding="utf-8")
    return json.loads(report.read_text(encoding="utf-8"))


def _failures(found: Any) -> list[str]:
    failures = [f"{', '.join(each['operations'])}: {each['title']} ({each['code']})" for each in found["failures"]]
    unheld = [] if found["exit_code"] == 0 or failures else [f"it ended with {found['exit_code']}: {found['errors']}"]
    unseen = found["operations"]["total"] - found["operations"]["tested"]
    return [*failures, *unheld, *([f"{unseen} operations were not tried"] if unseen else [])]


def _call(sandbox: Sandbox, path: str, body: Any = None) -> bytes:
    request = urllib.request.Request(
        sandbox.base_url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {sandbox.admin_key}"},
    )
    with urllib.request.urlopen(request) as answer:
        content: bytes = answer.read()
        return content
