"""``spillway replay``: what policies would have cost on a traffic log."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spillway.cli.errors import BadInput
from spillway.cli.files import lines_of, usable
from spillway.cli.scenario import AnyScenario, read_scenario, settings_of, to_json
from spillway.domain.economics.import_windows import replay as windows
from spillway.domain.economics.import_windows.copies import Imported
from spillway.domain.economics.ladders import replay as ladders
from spillway.domain.economics.ladders.rungs import Ladder
from spillway.domain.economics.replay import POLICIES, Outcome, replay
from spillway.domain.economics.scenario import Scenario
from spillway.domain.economics.timeline import timeline
from spillway.domain.economics.trace import Trace
from spillway.domain.economics.traffic_log import read_log

_HEAD = ("policy", "USD", "x optimum", "cold starts", "met cold", "spilled", "instance h")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("trace", type=Path, help="CSV: t_seconds,requests,prompt_tokens,completion_tokens")
    parser.add_argument("--scenario", type=Path, help="JSON with prices and sizes; what it leaves out has a default")
    parser.add_argument("--policy", action="append", help="only this one, such as spillway or idle-15; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--svg", type=Path, help="write a picture of load and instances over time to this file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> str:
    """Replay, and return what to print.

    Raises:
        BadInput: if a file or the scenario can't be used.
        InvalidRequest: if a row of the trace can't; the message names it.
    """
    scenario, defaults = read_scenario(options.scenario)
    with lines_of(options.trace) as lines:
        trace = read_log(lines, "trace")
    outcomes = _replayed(trace, scenario, options.policy, keep_sizes=options.svg is not None)
    if options.svg is not None:
        with usable(options.svg):
            options.svg.write_text(timeline(trace, scenario.tokens_per_minute_per_instance, outcomes), encoding="utf-8")
    if options.json:
        return json.dumps({"scenario": to_json(scenario), "defaults": defaults, "policies": list(map(_json, outcomes))})
    return "\n".join([*_settings(scenario, defaults), "", *_table(outcomes)])


def _chosen(asked: Sequence[str] | None, known: Sequence[str]) -> Sequence[str]:
    if unknown := [name for name in asked or () if name not in known]:
        raise BadInput(f"--policy {unknown[0]}: this scenario's policies are {', '.join(known)}")
    return asked or known


def _replayed(trace: Trace, scenario: AnyScenario, asked: Sequence[str] | None, *, keep_sizes: bool) -> list[Outcome]:
    match scenario:
        case Ladder():
            names = _chosen(asked, ladders.policies_of(scenario))
            return ladders.replay(trace, scenario, names, keep_sizes=keep_sizes)
        case Imported():
            return windows.replay(trace, scenario, _chosen(asked, windows.POLICIES), keep_sizes=keep_sizes)
        case Scenario():
            return replay(trace, scenario, _chosen(asked, list(POLICIES)), keep_sizes=keep_sizes)


def _json(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in asdict(outcome).items() if name != "sizes"}


def _settings(scenario: AnyScenario, defaults: list[str]) -> list[str]:
    return [
        f"{name} = {value}{' (default)' if name in defaults else ''}" for name, value in settings_of(scenario).items()
    ]


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
