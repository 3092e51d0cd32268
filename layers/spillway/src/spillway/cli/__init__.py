"""The command ``spillway``: offline tools that call nothing."""

import argparse
import os
import sys
from collections.abc import Sequence

from spillway import clock
from spillway.cli import plan, replay
from spillway.cli.errors import BadInput
from spillway.domain.errors import InvalidRequest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="spillway", description="Spillway's offline tools.")
    commands = parser.add_subparsers(required=True, metavar="command")
    replay.add_arguments(commands.add_parser("replay", help="hold policies against the optimum over a traffic log"))
    planner = commands.add_parser("plan", help="what a traffic costs on every path")
    plan.add_arguments(planner)
    planner.set_defaults(run=lambda options: plan.run(options, clock.utc_now().date()))
    chosen = parser.parse_args(arguments)
    try:
        print(chosen.run(chosen), flush=True)
    except InvalidRequest as err:
        allowed = f"\nallowed: {', '.join(err.allowed)}" if err.allowed else ""
        return _refuse(f"{err}{allowed}")
    except BadInput as err:
        return _refuse(str(err))
    except BrokenPipeError:
        # Whoever read this, ``head`` perhaps, has seen enough; nothing is left to be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _refuse(said: str) -> int:
    print(f"spillway: {said}", file=sys.stderr)
    return 2
