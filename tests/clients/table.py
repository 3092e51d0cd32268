"""What was seen, beside what had to be seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tests.clients.scenarios import SCENARIOS


@dataclass(frozen=True)
class Cell:
    """One client's answer to one scenario, on a path in a state."""

    path: str
    scenario: str
    client: str
    state: str
    expected: str
    seen: str


@dataclass
class Table:
    """One table a path: rows are scenarios, columns are clients, and a cell is right if it is so in every state."""

    clients: Sequence[str]
    cells: list[Cell] = field(default_factory=list)

    @property
    def wrong(self) -> list[Cell]:
        """The cells that are not as they have to be."""
        return [each for each in self.cells if each.seen != each.expected]

    def show(self) -> None:
        """Print all tables, and then each difference."""
        by_path = sorted(self.cells, key=lambda each: each.path)
        for path, cells in groupby(by_path, lambda each: each.path):
            found = list(cells)
            print(f"\n{path}: {', '.join(dict.fromkeys(each.state for each in found))}")
            _print_aligned([("", *self.clients), *(_row(name, self.clients, found) for name in _names(found))])
        print("\n— is what a client has no way to ask for:")
        for scenario in SCENARIOS:
            for why, clients in groupby(scenario.cannot, scenario.cannot.__getitem__):
                print(f"  {scenario.name}, {', '.join(clients)}: {why}")
        for each in self.wrong:
            print(f"\n✗ {each.path}, {each.state}, {each.scenario}, {each.client}: {each.expected!r} was expected")
            print(f"  {each.seen[:400]!r}")
        print(f"\n{len(self.cells) - len(self.wrong)} of {len(self.cells)} cells are as they have to be.")


def _names(cells: Iterable[Cell]) -> list[str]:
    asked = {each.scenario for each in cells}
    return [each.name for each in SCENARIOS if each.name in asked]


def _row(scenario: str, clients: Sequence[str], cells: Sequence[Cell]) -> tuple[str, ...]:
    of_row = [each for each in cells if each.scenario == scenario]
    expected = " / ".join(dict.fromkeys(each.expected for each in of_row))
    return (f"{scenario}: {expected}", *(_mark([each for each in of_row if each.client == name]) for name in clients))


def _mark(cells: Sequence[Cell]) -> str:
    if not cells:
        return "—"
    wrong = [each.state for each in cells if each.seen != each.expected]
    return f"✗ {' '.join(wrong)}" if wrong else "✓"


def _print_aligned(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
