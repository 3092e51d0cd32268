"""``spillway replay``: what policies would have cost on a traffic log."""

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from spillway.cli.errors import BadInput
from spillway.cli.trace import read_trace
from spillway.domain.economics.replay import POLICIES, Outcome, replay
from spillway.domain.economics.scenario import Scenario
from spillway.domain.economics.timeline import timeline

_HEAD = ("policy", "USD", "x optimum", "cold starts", "met cold", "spilled", "instance h")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("trace", type=Path, help="CSV: t_seconds,requests,prompt_tokens,completion_tokens")
    parser.add_argument("--scenario", type=Path, help="JSON with prices and sizes; what it leaves out has a default")
    parser.add_argument("--policy", action="append", choices=sorted(POLICIES), help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--svg", type=Path, help="write a picture of load and instances over time to this file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> str:
    """Replay, and return what to print.

    Raises:
        BadInput: if the trace or the scenario can't be used.
    """
    scenario, defaults = read_scenario(options.scenario)
    trace = read_trace(options.trace)
    names = options.policy or list(POLICIES)
    outcomes = replay(trace, scenario, names, keep_sizes=options.svg is not None)
    if options.svg is not None:
        try:
            options.svg.write_text(timeline(trace, scenario, outcomes), encoding="utf-8")
        except OSError as err:
            raise BadInput(f"{options.svg}: {err}") from err
    if options.json:
        return json.dumps({"scenario": asdict(scenario), "defaults": defaults, "policies": list(map(_json, outcomes))})
    return "\n".join([*_settings(scenario, defaults), "", *_table(outcomes)])


def read_scenario(path: Path | None) -> tuple[Scenario, list[str]]:
    """Return the scenario of a file and the names of what is left at its default."""
    known = [field.name for field in fields(Scenario)]
    if path is None:
        return Scenario(), known
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise BadInput(f"{path}: {err}") from err
    if not isinstance(given, dict):
        raise BadInput(f"{path}: a scenario is a JSON object")
    if unknown := sorted(given.keys() - known):
        raise BadInput(f"{path}: unknown {', '.join(unknown)}; a scenario knows {', '.join(known)}")
    for name, value in given.items():
        whole = name in ("min_instances", "max_instances", "check_interval_minutes")
        is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not is_number and not (value is None and name == "waiting_usd_per_request"):
            raise BadInput(f"{path}: {name} must be {'a whole' if whole else 'a'} number")
    try:
        return Scenario(**given), [name for name in known if name not in given]
    except ValueError as err:
        raise BadInput(f"{path}: {err}") from err


def _json(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in asdict(outcome).items() if name != "sizes"}


def _settings(scenario: Scenario, defaults: list[str]) -> list[str]:
    return [f"{name} = {value}{' (default)' if name in defaults else ''}" for name, value in asdict(scenario).items()]


def _table(outcomes: list[Outcome]) -> list[str]:
    rows = [_HEAD, *map(_row, outcomes)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _row(outcome: Outcome) -> tuple[str, ...]:
    over = "-" if outcome.over_optimum is None else f"{outcome.over_optimum:.3f}"
    return (
        *(outcome.policy, f"{outcome.usd:.2f}", over, str(outcome.cold_starts), f"{outcome.cold_requests:.0f}"),
        *(f"{outcome.spilled_share:.1%}", f"{outcome.instance_hours:.1f}"),
    )
