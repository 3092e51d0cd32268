"""What all workers share, and what each must find as if it had been imported by itself."""

import ast

from tests.sandbox.runtime.functions import SOURCES


def test_nobody_keeps_the_clock_that_a_worker_replaces() -> None:
    """The package is imported before a worker replaces ``spillway.clock.utc_now``: it must be looked up when used."""
    named = [
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "spillway.clock"
    ]
    assert named == []
