"""Which AWS calls the suite makes: the shape of each one's parameters, and what of its role's policies let it through.

``tests/fixtures/aws_calls.json`` holds both; ``make calls`` writes it, and a run of the suite that makes a call of a
shape that is not in it fails.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from botocore.client import BaseClient

from tests.calls.shapes import is_part, shape_of

FILE = Path(__file__).parents[1] / "fixtures" / "aws_calls.json"
PRODUCT = "spillway."


class CallShape(NamedTuple):
    """``service`` and ``operation`` as boto3 names them, the parameters' shape as JSON."""

    service: str
    operation: str
    parameters: str


class Use(NamedTuple):
    """A role's permission that let a call through: an action on a resource as the template names it."""

    role: str
    action: str
    resource: str


@dataclass
class CallRecord:
    """What was seen, each once."""

    calls: set[CallShape] = field(default_factory=set)
    uses: set[Use] = field(default_factory=set)

    def add(self, calls: Iterable[CallShape], uses: Iterable[Use] = ()) -> None:
        """Add what was seen elsewhere."""
        self.calls.update(calls)
        self.uses.update(uses)

    def lacks(self, other: "CallRecord") -> list[CallShape]:
        """Return what another record has that is not a part of anything here."""
        return sorted(call for call in other.calls if not any(_is_part(call, known) for known in self.calls))

    def to_json(self) -> dict[str, Any]:
        """Return a document in which a change is seen line by line; a shape that is a part of another is left out."""
        calls: dict[str, list[Any]] = {}
        for call in sorted(self.calls):
            if not any(_is_part(call, other) for other in self.calls - {call}):
                calls.setdefault(f"{call.service} {call.operation}", []).append(json.loads(call.parameters))
        uses: dict[str, dict[str, list[str]]] = {}
        for role, action, resource in sorted(self.uses):
            uses.setdefault(role, {}).setdefault(action, []).append(resource)
        return {"calls": calls, "permissions": uses}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "CallRecord":
        """Return what a document says."""
        calls = {
            CallShape(*_words(name), _text(parameters))
            for name, shapes in document["calls"].items()
            for parameters in shapes
        }
        uses = {
            Use(role, action, resource)
            for role, actions in document["permissions"].items()
            for action, resources in actions.items()
            for resource in resources
        }
        return cls(calls, uses)

    @classmethod
    def read(cls, file: Path = FILE) -> "CallRecord":
        """Return what a file holds, nothing if there is none."""
        return cls.from_json(json.loads(file.read_text())) if file.exists() else cls()

    def write(self, file: Path = FILE) -> None:
        """Write a file: a line for each shape and each permission."""
        file.write_text(_in_lines(self.to_json()))


# What this process has seen.
SEEN = CallRecord()


def watch() -> None:
    """See from now on every call that the product makes in this process."""
    client_class: Any = BaseClient
    call = client_class._make_api_call

    def watched(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        if _by_the_product() and (shape := call_shape(self, operation_name, api_params)):
            SEEN.calls.add(shape)
        return call(self, operation_name, api_params)

    client_class._make_api_call = watched


def call_shape(client: Any, operation: str, params: Mapping[str, Any]) -> CallShape | None:
    """Return a call's shape; None for one with an unknown parameter, which botocore will refuse."""
    model = client.meta.service_model
    try:
        shape = shape_of(model.operation_model(operation).input_shape, params)
    except KeyError:
        return None
    return CallShape(model.service_name, operation, _text(shape))


def _is_part(call: CallShape, other: CallShape) -> bool:
    if call == other:
        return True
    same = (call.service, call.operation) == (other.service, other.operation)
    return same and is_part(json.loads(call.parameters), json.loads(other.parameters))


def _by_the_product() -> bool:
    frame: Any = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(PRODUCT):
            return True
        frame = frame.f_back
    return False


def _words(name: str) -> tuple[str, str]:
    service, _, operation = name.partition(" ")
    return service, operation


def _text(shape: Any) -> str:
    return json.dumps(shape, sort_keys=True)


def _in_lines(document: dict[str, dict[str, Any]]) -> str:
    """Return JSON with what is deeper than two levels on one line each."""
    parts = []
    for name, entries in document.items():
        lines = []
        for key, inner in entries.items():
            lines.append(f"  {json.dumps(key)}: " + _block(inner))
        parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _block(inner: list[Any] | dict[str, Any]) -> str:
    if isinstance(inner, list):
        return "[\n" + ",\n".join(f"   {_text(each)}" for each in inner) + "\n  ]"
    return "{\n" + ",\n".join(f"   {json.dumps(key)}: {_text(each)}" for key, each in inner.items()) + "\n  }"
