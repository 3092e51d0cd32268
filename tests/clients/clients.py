"""The clients: what each is installed from, and how its driver is started."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.clients.scenarios import AI_SDK, LANGCHAIN, LITELLM, LLAMAINDEX, OPENAI_NODE, OPENAI_PYTHON, PYDANTIC_AI
from tests.packages import Packages

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Client:
    """A driver in ``drivers/``; ``lock`` pins the packages of Python's, None those of Node's."""

    name: str
    driver: str
    lock: str | None


CLIENTS: tuple[Client, ...] = (
    Client(OPENAI_PYTHON, "openai_python", "clients"),
    Client(OPENAI_NODE, "openai_node.mjs", None),
    Client(AI_SDK, "ai_sdk.mjs", None),
    Client(LLAMAINDEX, "llamaindex", "llamaindex"),
    Client(PYDANTIC_AI, "pydantic_ai", "clients"),
    Client(LITELLM, "litellm", "clients"),
    Client(LANGCHAIN, "langchain", "clients"),
)


def command_of(client: Client, packages: Packages) -> Sequence[str | Path]:
    """Return the command that starts a client's driver. Raises Unavailable where it can't be installed."""
    if client.lock:
        return [packages.python(client.lock), "-m", f"tests.clients.drivers.{client.driver}"]
    modules = packages.node_modules("node")
    return [packages.python("node").parent / "node", HERE / "drivers" / client.driver, modules]
