"""aws-local-stepfunctions runs the four state machines as the sandbox does, whatever happens in whichever state.

It was written from the specification and has nothing of moto's. It has no distributed map (it runs one inline) and no
time-outs of Tasks, so neither is compared. asl-validator looks at the definitions.
"""

import json
import logging
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.prove import tools
from tests.prove.interpreters import End, run_ours, run_theirs
from tests.prove.scenarios import Scenario, scenarios_of
from tests.prove.verdict import Verdict
from tests.template.asl import Definition, substitutions_of
from tests.template.transform import definition

MACHINES = ("deploy", "scale", "retire", "benchmark")
# A prime, so that a sample is of every kind of scenario.
SAMPLE_EVERY = 13
VALIDATE = Path(__file__).parent / "node" / "validate_machine.cjs"
_ADDED = re.compile(r" \(Service: AWSLambda; [^)]*\)$")


def judge(work: Path, sample: bool) -> Verdict:
    """Compare every scenario's ends; a row for each machine."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    definitions = {machine: _filled(f"statemachines/{machine}.asl.yaml") for machine in MACHINES}
    scenarios = [each for machine in MACHINES for each in scenarios_of(machine, definitions[machine])]
    chosen = scenarios[::SAMPLE_EVERY] if sample else scenarios
    theirs, ours = run_theirs(work, definitions, chosen), run_ours(definitions, chosen)
    heads = ("machine", "states visited", "scenarios", "Tasks retried", "failed at the end", "agreed", "asl-validator")
    rows: list[tuple[str, ...]] = [heads]
    failures = []
    for machine in MACHINES:
        pairs = [pair for pair in zip(chosen, theirs, ours, strict=True) if pair[0].machine == machine]
        different = [sentence for pair in pairs if (sentence := _difference(*pair))]
        faults = _faults(work, definitions[machine])
        failures += [*different, *(f"{machine}: {fault}" for fault in faults)]
        rows.append(_row(machine, definitions[machine], pairs, len(different), faults))
        unvisited = definitions[machine]["States"].keys() - {name for _, end, _ in pairs for name in end.visited}
        failures += [f"{machine}: {name} was never visited" for name in unvisited if not sample]
    return Verdict(tuple(rows), tuple(failures))


def _row(
    machine: str, machines: Definition, pairs: list[tuple[Scenario, End, End]], different: int, faults: list[str]
) -> tuple[str, ...]:
    visited = {name for _, end, _ in pairs for name in end.visited}
    retried = sum(scenario.proves.outcome in ("retried", "exhausted") for scenario, _, _ in pairs)
    failed = sum(end.status == "FAILED" for _, end, _ in pairs)
    states = f"{len(visited)} of {len(machines['States'])}"
    counts = (len(pairs), retried, failed, len(pairs) - different)
    return (machine, states, *map(str, counts), "; ".join(faults) or "valid")


def _difference(scenario: Scenario, theirs: End, ours: End) -> str:
    """Return in which fields the two ends differ, and how."""
    here, there = _comparable(ours), _comparable(theirs)
    said = [f"{name}: {_apart(here[name], there[name])}" for name in here if here[name] != there[name]]
    return f"{scenario.machine}, {scenario.proves}: {'; '.join(said)}" if said else ""


def _apart(here: Any, there: Any) -> str:
    """Show two values, of lists those from where they differ."""
    if isinstance(here, list) and isinstance(there, list):
        same = next((at for at, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]), None)
        start = min(len(here), len(there)) if same is None else same
        here, there = here[start:], there[start:]
    return f"{str(here)[:300]} here, {str(there)[:300]} there"


def _comparable(end: End) -> dict[str, Any]:
    """Order the calls, of which a Map makes several at once, and leave out the words that each has of its own."""
    plain: dict[str, Any] = _plain(vars(end))
    own = (end.error or "").startswith("States.")
    return {**plain, "calls": sorted(plain["calls"], key=json.dumps), "cause": None if own else plain["cause"]}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case str():
            return _ADDED.sub("", value)
    return value


def _faults(work: Path, machine: Definition) -> list[str]:
    command = [str(tools.node(work)), str(VALIDATE), str(tools.node_modules(work))]
    done = subprocess.run(command, input=json.dumps(machine), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise tools.Unavailable(f"asl-validator ended with {done.returncode}: {done.stderr[-2000:]}")
    faults: list[str] = json.loads(done.stdout)
    return faults


def _filled(uri: str) -> Definition:
    """Return a definition with a function's ARN for each substitution."""
    found = definition(uri)
    text = json.dumps(found)
    for name in substitutions_of(found):
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name.removesuffix('Arn')}"
        text = text.replace(f"${{{name}}}", arn)
    filled: Mapping[str, Any] = json.loads(text)
    return filled
