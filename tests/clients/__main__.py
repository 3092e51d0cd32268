"""``make clients``: one table of scenarios with every client, on every path, in every state, against a sandbox.

The clients are installed from their registries in pinned versions into a temporary folder, and stay there for the next
run. The exit status says whether every cell of the table is as it has to be.
"""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.clients.clients import CLIENTS, command_of
from tests.clients.driver import Driver
from tests.clients.scenarios import SCENARIOS, Scenario
from tests.clients.stage import DEPLOYMENTS, PHASES, Deployment, Stage, options
from tests.clients.table import Cell, Table
from tests.packages import Packages, Unavailable
from tests.sandbox.__main__ import invoke_key
from tests.sandbox.process import REPOSITORY
from tests.sandbox.sandbox import Sandbox

FOLDER = Path(os.environ.get("CLIENTS_FOLDER") or Path(tempfile.gettempdir()) / "spillway-clients")


def main() -> int:
    """Install, ask, show; return the exit status."""
    packages = Packages(Path(__file__).parent, FOLDER)
    try:
        commands = {client.name: command_of(client, packages) for client in CLIENTS}
    except Unavailable as err:
        print(err, file=sys.stderr)
        return 1
    folder, table = REPOSITORY / ".sandbox" / "clients", Table(list(commands))
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=folder / "sandbox.log", filemode="w")
    with ExitStack() as closing:
        sandbox = closing.enter_context(Sandbox(options(folder)))
        place = {"openai_base_url": sandbox.openai_base_url, "invoke_key": invoke_key(sandbox)}
        drivers = {
            name: closing.enter_context(Driver(command, place, folder / f"{name}.log"))
            for name, command in commands.items()
        }
        _ask_in_every_state(Stage(sandbox, place), Clients(drivers, table))
    table.show()
    return 1 if table.wrong else 0


class Clients:
    """All clients ask what a state is asked, side by side, each at its own pace."""

    def __init__(self, drivers: Mapping[str, Driver], table: Table) -> None:
        self._drivers, self._table = drivers, table
        self._threads = ThreadPoolExecutor(len(drivers))
        for driver in drivers.values():
            driver.ready()

    def begin(self, phase: int, *, on_primary: bool = False) -> list[Future[None]]:
        """Let everybody begin with what the primary need not answer, or with what only it can."""
        orders = [
            (deployment, state, scenario)
            for deployment in DEPLOYMENTS
            if (state := deployment.states[phase])
            for scenario in SCENARIOS
            if scenario.kind == deployment.kind and (scenario.name in deployment.on_primary) is on_primary
        ]
        return [self._threads.submit(self._ask, client, orders) for client in self._drivers]

    def _ask(self, client: str, orders: list[tuple[Deployment, str, Scenario]]) -> None:
        for deployment, state, scenario in orders:
            if client not in scenario.cannot:
                seen = self._drivers[client].ask(scenario.name, deployment.name)
                expected = deployment.expected(scenario, state)
                self._table.cells.append(Cell(deployment.path, scenario.name, client, state, expected, seen))


def _ask_in_every_state(stage: Stage, clients: Clients) -> None:
    for phase in PHASES:
        started = time.monotonic()
        stage.enter(phase)
        entered = time.monotonic()
        _end(clients.begin(phase))
        stage.expect(phase)
        waiting = clients.begin(phase, on_primary=True)
        # Whoever needs the primary waits for it from here on, and gets it.
        stage.wake()
        _end(waiting)
        states = ", ".join(f"{each.name} {each.states[phase]}" for each in DEPLOYMENTS if each.states[phase])
        print(
            f"{states}: {entered - started:.0f} s to get there, {time.monotonic() - entered:.0f} s of questions",
            flush=True,
        )


def _end(asking: list[Future[None]]) -> None:
    for each in asking:
        each.result()


if __name__ == "__main__":
    sys.exit(main())
