"""cfn-lint and checkov judge the template as CloudFormation gets it, after the SAM transform, with every option on.

``make check`` has cfn-lint look at the template as written only. What either says and is not followed is in
``ACCEPTED``, with why; an entry that nothing needs any more fails.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.prove import tools
from tests.prove.verdict import Verdict
from tests.template.conftest import WITH_ALL
from tests.template.transform import transformed


@dataclass(frozen=True)
class Accepted:
    """What a check says of resources whose names match, and why it stays so."""

    check: str
    resources: str
    why: str

    def covers(self, finding: "Finding") -> bool:
        """Tell whether this is about a finding."""
        return finding.check == self.check and re.fullmatch(self.resources, finding.resource) is not None


@dataclass(frozen=True)
class Finding:
    """What a linter says of a resource."""

    linter: str
    check: str
    resource: str
    message: str

    def __str__(self) -> str:
        return f"{self.linter} {self.check}, {self.resource}: {self.message}"


OWN_KEY = "AWS's own key encrypts it; a key of the user's costs a dollar a month and keeps nobody out whom IAM lets in"
ACCEPTED = (
    Accepted(
        "W3011",
        "ServeOpenaiFunction(Aliaslive|Role|OpenAI(ByApiKey)?Permissionlive)",
        "SAM hands down the function's UpdateReplacePolicy, which is meant for its versions; these are never replaced",
    ),
    Accepted("CKV_AWS_119", ".*Table", OWN_KEY),
    Accepted("CKV_AWS_149", "AdminKeySecret", OWN_KEY),
    Accepted("CKV_AWS_158", ".*LogGroup", OWN_KEY),
    Accepted("CKV_AWS_173", ".*Function", f"Names and ARNs, no secrets. {OWN_KEY}"),
    Accepted("CKV_AWS_26", "OperationsTopic", "Alarms can't publish by AWS's key: docs/decisions/0008"),
    Accepted("CKV_AWS_27", "DeadLetterQueue", "SQS encrypts by a key of its own where nothing is said"),
    Accepted(
        "CKV_AWS_116",
        ".*Function",
        "Functions that are called asynchronously have a failure destination, which holds more than such a queue; the "
        "others' callers hear of a failure",
    ),
    Accepted(
        "CKV_AWS_117",
        ".*Function",
        "AWS's services are all they talk to, fleets too by IAM (docs/decisions/0001): a VPC would cost a NAT gateway",
    ),
    Accepted("CKV_AWS_115", ".*Function", "It would take from the account's other functions what it reserves for one"),
    Accepted("CKV_AWS_120", "PublicApiliveStage", "No two answers are alike, and a cache is billed by the hour"),
)


def judge(work: Path, sample: bool) -> Verdict:
    """Run both, in a sample cfn-lint alone; a row for each check that found something, with what is made of it."""
    template = work / "template.json"
    template.write_text(json.dumps(transformed(WITH_ALL), indent=1), encoding="utf-8")
    resources = len(json.loads(template.read_text(encoding="utf-8"))["Resources"])
    findings = [*_cfn_lint(template), *([] if sample else _checkov(work, template))]
    accepted = {finding: next((one for one in ACCEPTED if one.covers(finding)), None) for finding in findings}
    counts = Counter((finding.linter, finding.check, one.why if one else "") for finding, one in accepted.items())
    rows = [
        (f"of {resources} resources", "check", "found", "accepted, because"),
        *((linter, check, str(count), why) for (linter, check, why), count in sorted(counts.items())),
    ]
    failures = [str(finding) for finding, one in accepted.items() if one is None]
    needless = [one for one in ACCEPTED if one not in accepted.values() and not sample]
    failures += [f"nothing needs ACCEPTED's {one.check} of {one.resources} any more" for one in needless]
    return Verdict(tuple(rows), tuple(failures))


def _cfn_lint(template: Path) -> Iterator[Finding]:
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--format", "json", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for found in _read(done, "cfn-lint"):
        match found["Location"].get("Path"):
            case ["Resources", str(resource), *_]:
                pass
            case elsewhere:
                resource = str(elsewhere)
        yield Finding("cfn-lint", found["Rule"]["Id"], resource, found["Message"])


def _checkov(work: Path, template: Path) -> Iterator[Finding]:
    # What it would download are the texts of its paid service.
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "-o", "json"]
    command = [str(tools.python(work, "checkov").parent / "checkov"), "-f", template.name, *options]
    done = subprocess.run(command, cwd=template.parent, capture_output=True, text=True, check=False)
    found = _read(done, "checkov")
    if not found["summary"]["passed"]:
        raise tools.Unavailable(f"checkov found nothing to look at: {found['summary']}")
    for check in found["results"]["failed_checks"]:
        yield Finding("checkov", check["check_id"], check["resource"].split(".", 1)[1], check["check_name"])


def _read(done: "subprocess.CompletedProcess[str]", name: str) -> Any:
    """Read a linter's answer; both end with a status other than 0 where they found something."""
    try:
        return json.loads(done.stdout)
    except ValueError as err:
        raise tools.Unavailable(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}") from err
