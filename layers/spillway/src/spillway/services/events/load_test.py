"""The events of ``smoke_test`` and ``drive_load``, without pydantic, which their starts would have to wait for."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from spillway.domain.benchmarks.worker_orders import WorkerOrder, order_from_json
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.targets import Target, target_from_json


@dataclass(frozen=True)
class SmokeTest:
    """Prove that a deployment's target answers, and calls a tool if its ``resources`` name what reads such calls.

    ``role`` is ``primary`` or ``spill``.
    """

    deployment: str
    target: Target
    role: str = "primary"
    resources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DoorTest:
    """Prove that the way to the fleets is open, which also keeps it so."""

    door: str


def read_smoke_test(event: Mapping[str, Any]) -> SmokeTest | DoorTest:
    """Return what is to be tested; InvalidRequest names the fields that are missing or unknown."""
    if "door" in event:
        _ensure_fields(event, DoorTest)
        return DoorTest(event["door"])
    _ensure_fields(event, SmokeTest)
    role, resources = event.get("role", "primary"), event.get("resources", {})
    return SmokeTest(event["deployment"], target_from_json(event["target"]), role, resources)


def read_worker_order(event: Mapping[str, Any]) -> WorkerOrder:
    """Return a worker's order; InvalidRequest names the fields that are missing or unknown."""
    _ensure_fields(event, WorkerOrder)
    return order_from_json(event)


def _ensure_fields(event: Mapping[str, Any], kind: type[SmokeTest | DoorTest | WorkerOrder]) -> None:
    known = {one.name for one in fields(kind)}
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    for problem, names in (("missing", required - event.keys()), ("unknown", event.keys() - known)):
        if names:
            listed = sorted(names)
            raise InvalidRequest(f"{problem}: {', '.join(listed)}", param=listed[0], allowed=sorted(known))
