"""The places that can answer a request; plain data, so that the gateway's start stays light."""

from typing import Any, TypeAlias

from spillway.domain.paths.bedrock import BedrockTarget
from spillway.domain.paths.fleet import FleetTarget
from spillway.domain.paths.imported import ImportedTarget
from spillway.domain.paths.jumpstart import SageMakerTarget
from spillway.domain.paths.path import Path
from spillway.domain.paths.registry import profile_of

Target: TypeAlias = BedrockTarget | ImportedTarget | SageMakerTarget | FleetTarget

_PATHS: dict[type[Any], Path] = {profile_of(path).target: path for path in Path}


def path_of(target: Target) -> Path:
    """Return the path that a target belongs to."""
    return _PATHS[type(target)]


def target_to_json(target: Target) -> dict[str, Any]:
    """Return a target as a JSON object, tagged with its ``kind``."""
    return {"kind": path_of(target).value, **vars(target)}


def target_from_json(data: dict[str, Any]) -> Target:
    """Read back what :func:`target_to_json` wrote; raises ``ValueError`` for a kind that is none."""
    fields = {key: value for key, value in data.items() if key != "kind"}
    try:
        path = Path(data["kind"])
    except ValueError as err:
        raise ValueError(f"unknown kind of target: {data['kind']}; known are {', '.join(Path)}") from err
    target: Target = profile_of(path).target(**fields)
    return target
