"""openapi-spec-validator and Redocly's linter judge the control API's own document; their warnings count."""

import json
import subprocess
from pathlib import Path
from unittest.mock import Mock

from spillway.api.control_api import build_api
from tests.prove import tools
from tests.prove.verdict import Verdict


def judge(work: Path, sample: bool) -> Verdict:
    """Run both; a row each."""
    document = work / "openapi.json"
    document.write_text(build_api(Mock()).get_openapi_json_schema(), encoding="utf-8")
    operations = sum(len(path) for path in json.loads(document.read_text(encoding="utf-8"))["paths"].values())
    found = {"openapi-spec-validator": _validator(work, document), "redocly lint": _redocly(work, document)}
    rows = [(judge, str(operations), str(len(problems))) for judge, problems in found.items()]
    failures = [f"{judge}: {problem}" for judge, problems in found.items() for problem in problems]
    return Verdict((("of the document", "operations", "problems"), *rows), tuple(failures))


def _validator(work: Path, document: Path) -> list[str]:
    command = [str(tools.python(work, "openapi-spec-validator").parent / "openapi-spec-validator"), str(document)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [(done.stdout + done.stderr)[-2000:]]


def _redocly(work: Path, document: Path) -> list[str]:
    command = [str(tools.node_modules(work) / ".bin" / "redocly"), "lint", "--format", "json", str(document)]
    settings = tools.environment(work, REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    try:
        problems = json.loads(done.stdout)["problems"]
    except ValueError as err:
        raise tools.Unavailable(f"redocly ended with {done.returncode}: {done.stderr[-2000:]}") from err
    return [f"{each['ruleId']}: {each['message']} ({each['location'][0]['pointer']})" for each in problems]
