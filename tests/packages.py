"""Pinned packages from PyPI and npm, installed into a folder outside git, for what runs beside the suite.

Node and Java come from PyPI as well, so that a fresh machine needs nothing but Python. What is installed stays for the
next run, as long as its lock is the same. Nothing of it is imported into this process.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 240


class Unavailable(Exception):
    """Packages could not be installed; the message says which, and what the installer said last."""


@dataclass(frozen=True)
class Packages:
    """What ``locks`` pins (``python/<name>.txt``, ``node/package-lock.json``), installed below ``work``.

    Every method raises Unavailable where an index is away.
    """

    locks: Path
    work: Path

    def python(self, name: str) -> Path:
        """Return the interpreter of an environment that has what ``python/<name>.txt`` pins."""
        lock, folder = self.locks / "python" / f"{name}.txt", self.work / "python" / name
        interpreter, uv = folder / "bin" / "python", Path(sys.executable).parent / "uv"
        if not _is_current(folder, lock):
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], f"an environment for {name}")
            _run([uv, "pip", "sync", "--quiet", "--python", interpreter, lock], f"the packages of {name} from PyPI")
            _keep(folder, lock)
        return interpreter

    def newest(self, package: str) -> Path:
        """Return the interpreter of an environment with a package's newest release: unpinned, asked for each time."""
        folder = self.work / "python" / f"newest-{package}"
        interpreter, uv = folder / "bin" / "python", Path(sys.executable).parent / "uv"
        if not interpreter.exists():
            _run([uv, "venv", "--quiet", "--python", sys.executable, folder], f"an environment for {package}")
        _run([uv, "pip", "install", "--quiet", "--upgrade", "--python", interpreter, package], f"{package} from PyPI")
        return interpreter

    def node_modules(self, runtime: str) -> Path:
        """Return the folder of what ``node/package-lock.json`` pins; ``python/<runtime>.txt`` has Node itself."""
        lock, folder = self.locks / "node" / "package-lock.json", self.work / "node"
        if not _is_current(folder, lock):
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(self.locks / "node" / name, folder)
            npm = self.python(runtime).parent / "npm"
            _run([npm, "ci", "--silent", "--no-audit", "--no-fund", "--prefix", folder], "the packages from npm")
            _keep(folder, lock)
        return folder / "node_modules"


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
