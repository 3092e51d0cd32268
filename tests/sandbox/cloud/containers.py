"""How SageMaker's containers make an engine's command line of their environment."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.sandbox.engine_command import Command, read_command

_VLLM, _DJL = "SM_VLLM_", "OPTION_"
# DJL's own settings share the prefix; these are passed on to vLLM, tools from this release on.
_PASSED_ON = {"ENABLE_AUTO_TOOL_CHOICE", "TOOL_CALL_PARSER", "REASONING_PARSER", "CHAT_TEMPLATE"}
_FIRST_WITH_TOOLS = (0, 32)


def command_of(container: Mapping[str, Any], served_name: str) -> Command:
    """Return what a model's primary container serves, and how. Raises ``EngineEnded`` where it ends at start."""
    environment: Mapping[str, str] = container.get("Environment") or {}
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    flags = [word for name, value in _settings(str(container["Image"]), environment) for word in _words(name, value)]
    return read_command(["serve", source.get("S3Uri") or "s3://none", "--served-model-name", served_name, *flags])


def _settings(image: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    djl = re.search(r"/djl-inference:(\d+)\.(\d+)", image)
    for name, value in environment.items():
        if djl is None and name.startswith(_VLLM) and name != f"{_VLLM}MODEL":
            yield name.removeprefix(_VLLM), value
        elif djl and (int(djl[1]), int(djl[2])) >= _FIRST_WITH_TOOLS and name.removeprefix(_DJL) in _PASSED_ON:
            yield name.removeprefix(_DJL), value


def _words(name: str, value: str) -> list[str]:
    flag = f"--{name.lower().replace('_', '-')}"
    match value:
        case "true":
            return [flag]
        case "false":
            return []
        case _:
            return [flag, value]
