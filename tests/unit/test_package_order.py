"""The package's rooms, in the order in which they may know each other; the pictures are in docs/architecture.md."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "layers/spillway/src"

# Each line may import what stands above it, and nothing of its own line: the word says who, the page says why.
ORDERS: Mapping[str, tuple[str, ...]] = {
    "spillway": (
        "domain",
        "clock data http_errors logs settings",
        "ports",
        "services",
        "api gateway",
        "adapters",
        "bootstrap cli",
        "__main__",
    ),
    "spillway.domain": (
        "decision errors frozen observations task",
        "engines paths",
        "deployments",
        "access capabilities pricing",
        "admission economics",
        "scaling",
        "routing costs alerts benchmarks",
        "planner",
        "review",
    ),
    "spillway.gateway": (
        "errors timeouts",
        "concurrency upstream",
        "request",
        "streaming",
        "request_record",
        "metering models",
        "failover limits",
        "dispatch relay load_test",
        "completions",
        "app",
        "server",
        "__main__",
    ),
    "spillway.adapters": ("aws", "drivers dynamodb upstreams", "observe"),
}
# Where a process begins, its wiring is the first thing it asks for.
ENTRY_POINTS = {"spillway.gateway.__main__"}
MOST_MODULES = 24

Imports = Mapping[str, frozenset[str]]


def imports_in(source: Path) -> dict[str, frozenset[str]]:
    """Return what each module under a folder imports of the package, those of packages by their own names."""
    files = {_name(path.relative_to(source)): path for path in source.rglob("*.py")}
    return {name: frozenset(_imported(path, files)) for name, path in files.items()}


def order_problems(imports: Imports, package: str, order: tuple[str, ...]) -> Iterator[str]:
    """Name every import of a room that does not stand above the importer's."""
    ranks = {room: rank for rank, rooms in enumerate(order) for room in rooms.split()}
    for module, targets in sorted(imports.items()):
        here = _room(module, package)
        if here is not None and here not in ranks:
            yield f"{package}.{here} has no place in the order"
        for target in sorted(targets):
            there = _room(target, package)
            if module in ENTRY_POINTS or None in (here, there) or here == there:
                continue
            if ranks.get(there or "", 0) >= ranks.get(here or "", 0):
                yield f"{module} imports {target}: {here} may not know {there}"


def heap_problems(imports: Imports) -> Iterator[str]:
    """Name every folder that holds more modules than one reads at a glance."""
    folders = [name.rpartition(".")[0] for name in imports if not name.endswith(".__init__")]
    for folder in sorted(set(folders)):
        if folders.count(folder) > MOST_MODULES:
            yield f"{folder} has {folders.count(folder)} modules, more than {MOST_MODULES}"


def adapter_problems(imports: Imports) -> Iterator[str]:
    """Name every module that wires by itself: only bootstrap knows which adapter stands behind which port."""
    for module, targets in sorted(imports.items()):
        if not module.startswith(("spillway.adapters.", "spillway.bootstrap.")):
            yield from (f"{module} imports {one}" for one in sorted(targets) if one.startswith("spillway.adapters"))


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _room(module: str, package: str) -> str | None:
    inside = module.removeprefix(f"{package}.")
    return None if inside in (module, "__init__") else inside.partition(".")[0]


def _imported(path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("spillway"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spillway"):
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from modules & files.keys() or {str(node.module)}


@pytest.fixture(scope="module")
def imports() -> Imports:
    return imports_in(SOURCE)


@pytest.mark.parametrize("package", ORDERS)
def test_rooms_know_only_those_above_them(imports: Imports, package: str) -> None:
    assert list(order_problems(imports, package, ORDERS[package])) == []


def test_no_folder_is_a_heap(imports: Imports) -> None:
    assert list(heap_problems(imports)) == []


def test_only_bootstrap_wires(imports: Imports) -> None:
    functions = {f"functions.{name}": targets for name, targets in imports_in(REPOSITORY / "functions").items()}
    assert list(adapter_problems({**imports, **functions})) == []


def test_an_import_against_the_order_is_named() -> None:
    wrong = {"spillway.domain.costs.ledger": frozenset({"spillway.services.check", "spillway.domain.review.record"})}
    assert list(order_problems(wrong, "spillway", ORDERS["spillway"])) == [
        "spillway.domain.costs.ledger imports spillway.services.check: domain may not know services"
    ]
    assert list(order_problems(wrong, "spillway.domain", ORDERS["spillway.domain"])) == [
        "spillway.domain.costs.ledger imports spillway.domain.review.record: costs may not know review"
    ]


def test_a_new_room_needs_a_place() -> None:
    new = {"spillway.domain.magic.wand": frozenset[str]()}
    assert list(order_problems(new, "spillway.domain", ORDERS["spillway.domain"])) == [
        "spillway.domain.magic has no place in the order"
    ]


def test_a_heap_is_named() -> None:
    heap = {f"spillway.domain.costs.part_{number}": frozenset[str]() for number in range(MOST_MODULES + 1)}
    assert list(heap_problems(heap)) == ["spillway.domain.costs has 25 modules, more than 24"]


def test_wiring_elsewhere_is_named() -> None:
    wired = {"spillway.services.check": frozenset({"spillway.adapters.aws.clients"})}
    assert list(adapter_problems(wired)) == ["spillway.services.check imports spillway.adapters.aws.clients"]
