"""What the rows run on: virtual environments and packages in a temporary folder, outside of the repository.

They are installed from the registries when they are missing, and stay for the next run. What cannot be installed is
``None``, and its row says so. Nothing of theirs is imported here.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 180
FOLDER = Path(os.environ.get("BENCH_PEERS") or Path(tempfile.gettempdir()) / "spillway-bench-peers")
# Spillway's own dependencies but Powertools and pydantic, which its gateway does not load, and what a long-lived
# server adds to them; FastAPI and boto3 for the row that is made of them.
_SERVER = ["aiohttp", "orjson", "uvicorn", "httptools", "uvloop", "fastapi", "boto3"]
# Portkey binds every interface: this makes it bind loopback alone. And with the Node server package that the registry
# gives it today it answers every stream with a 500, because it adds to the headers of a fetched answer, which cannot be
# changed: this gives it a copy that can.
_PORTKEY_PATCH = """\
const net = require('net')
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (first, ...rest) {
  const options = typeof first === 'object' ? first : { port: first }
  const done = rest.filter((each) => typeof each === 'function')
  return listen.call(this, { ...options, host: '127.0.0.1' }, ...done)
}
const { fetch } = globalThis
globalThis.fetch = async (...request) => {
  const answer = await fetch(...request)
  if ((answer.headers.get('content-type') || '').startsWith('text/event-stream')) {
    Object.defineProperty(answer, 'headers', { value: new Headers(answer.headers) })
  }
  return answer
}
"""


# The gateway of this commit is a row of its own: what has been added since must not cost its users time.
BEFORE = "16fd45a"
_REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Peers:
    """Interpreters and scripts of what is installed; ``versions`` by package.

    ``before`` is the folder of :data:`BEFORE`'s sources, None where the clone lacks that commit.
    """

    server: Path | None
    litellm: Path | None
    portkey: Path | None
    portkey_patch: Path
    before: Path | None
    versions: dict[str, str]


def install() -> Peers:
    """Install what is missing and return what is there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    patch = FOLDER / "portkey_patch.cjs"
    patch.write_text(_PORTKEY_PATCH)
    server, litellm = _python("server", _SERVER), _python("litellm", ["litellm[proxy]"])
    return Peers(server, litellm, _portkey(), patch, _before(), _versions(server, litellm))


def _before() -> Path | None:
    folder = FOLDER / BEFORE
    if not folder.exists():
        archive = FOLDER / f"{BEFORE}.tar"
        command = ["git", "-C", str(_REPOSITORY), "archive", "-o", str(archive), BEFORE, "layers", "functions"]
        if not _run(command):
            return None
        shutil.unpack_archive(archive, folder, filter="data")
    return folder


def _python(name: str, packages: list[str]) -> Path | None:
    python = FOLDER / name / "bin" / "python"
    ready = FOLDER / name / ".ready"
    uv = str(Path(sys.executable).parent / "uv")
    made = ready.exists() or (
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(FOLDER / name)])
        and _run([uv, "pip", "install", "--quiet", "--python", str(python), *packages])
    )
    if not made:
        return None
    ready.touch()
    return python


def _portkey() -> Path | None:
    script = FOLDER / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    prefix = str(FOLDER / "portkey")
    if script.exists() or _run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", prefix, "@portkey-ai/gateway"]
    ):
        return script
    return None


def _run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, timeout=INSTALL_SECONDS, stdout=subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _versions(server: Path | None, litellm: Path | None) -> dict[str, str]:
    code = "import sys; from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in sys.argv[1:]))"
    found: dict[str, str] = {}
    for python, names in ((server, _SERVER), (litellm, ["litellm"])):
        if python is not None:
            words = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True).stdout.split()
            found |= dict(zip(words[::2], words[1::2], strict=True))
    return found
