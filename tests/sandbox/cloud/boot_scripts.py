"""What the sandbox reads of an instance's boot script, which nobody runs: the engine's command line, and two more."""

import base64
import gzip
import re
import shlex

from tests.sandbox.engine_command import Command, EngineEnded, read_command
from tests.sandbox.hugging_face import check_loads

_ARGUMENTS = re.compile(r"^ARGS=\((.*)\)$", re.MULTILINE)
_COUNT_OF_GPUS = '"$(nvidia-smi -L | wc -l)"'


def command_in(user_data: object) -> Command:
    """Return what the script has its engine serve, and how; raises ``EngineEnded`` where that ends at start."""
    script = _text(user_data)
    found = _ARGUMENTS.search(script)
    if found is None:
        raise EngineEnded("the boot script starts no engine")
    command = read_command(shlex.split(found[1].replace(_COUNT_OF_GPUS, "1")))
    check_loads(command.model, has_token=bool(re.search(r"^TOKEN_SECRET=[^'\s]", script, re.MULTILINE)))
    template = command.chat_template
    if template and script.count(template) < 2:
        raise EngineEnded(
            f"ValueError: The supplied chat template string ({template}) appears path-like, but doesn't exist!"
        )
    return command


def served_model_name(user_data: object) -> str | None:
    """Return what ``--served-model-name`` in a launch template's user data says."""
    found = re.search(r"""--served-model-name[=\s"',]+([^\s"',\\]+)""", _text(user_data))
    return found[1] if found else None


def runs_proxy(user_data: object) -> bool:
    """Whether a launch template's user data starts a proxy in front of the engine."""
    return "docker run --detach --name proxy" in _text(user_data)


def loads_table(user_data: object) -> str | None:
    """Return the table that a launch template's user data has the agent tell; None where it tells CloudWatch."""
    found = re.search(r"aws dynamodb update-item --table-name (\S+)", _text(user_data))
    return found[1] if found else None


def _text(user_data: object) -> str:
    """Return the script as cloud-init does, which unpacks what is compressed."""
    content = base64.b64decode(str(user_data or ""))
    return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode(errors="replace")
