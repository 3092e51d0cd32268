"""What can be wrong between a state machine and the code on both sides of it: what tasks pass, what starts give.

Each function returns sentences, none for a definition that fits. Fields are compared by their names in JSON; where a
path leads to them, what they hold is the services' types' business.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from spillway.domain.benchmarks.worker_orders import WorkerOrder
from spillway.services.events.benchmark_steps import BenchmarkStep
from spillway.services.events.deployment_steps import DeploymentStep
from spillway.services.events.driver import DriverEvent
from spillway.services.events.load_test import SmokeTest
from tests.template.asl import Definition, State, targets_of

# What the handler of each function reads its event into, by the function as a task names it.
EVENTS: Mapping[str, tuple[type, ...]] = {
    "$.driver.arn": get_args(DriverEvent),
    "${DriveBedrockFunctionArn}": get_args(DriverEvent),
    "${AdvanceBenchmarkFunctionArn}": get_args(BenchmarkStep),
    "${AdvanceDeploymentFunctionArn}": get_args(DeploymentStep),
    "${DriveLoadFunctionArn}": (WorkerOrder,),
    "${SmokeTestFunctionArn}": (SmokeTest,),
}
_READING = ("Parameters", "ItemsPath", "SecondsPath", "InputPath", "OutputPath", "ErrorPath", "CausePath")
_FIELD = re.compile(r"\$\.(\w+)")


def payload_problems(definition: Definition) -> Iterator[str]:
    """Every task passes what its function's event has: all required fields, no unknown one, a tag that there is."""
    for name, state in _tasks(definition):
        if (payload := _payload(state)) is not None:
            kinds = EVENTS.get(_function(state), ())
            kind = _kind_of(payload, kinds)
            problems = [f"its function takes none of {_tags(kinds)}"] if kind is None else _misfits(payload, kind)
            yield from (f"{name}: {problem}" for problem in problems)


def events_passed(definition: Definition) -> set[type]:
    """Return the classes of events that a definition's tasks pass; an item of a map is of its function's only one."""
    kinds = [(_payload(state) or {}, EVENTS.get(_function(state), ())) for _, state in _tasks(definition)]
    return {kind for payload, among in kinds if (kind := _kind_of(payload, among)) is not None}


def input_problems(definition: Definition, given: Set[str]) -> Iterator[str]:
    """Nothing reads a field that the input, with only those ``given``, lacks and no state before has put there."""
    states = definition["States"]
    known: dict[str, frozenset[str]] = {}
    waiting = [(definition["StartAt"], frozenset(given))]
    while waiting:
        name, has = waiting.pop()
        if name not in known or not known[name] <= has:
            known[name] = known.get(name, has) & has
            waiting += _leaving(states[name], known[name])
    for name, has in known.items():
        yield from (f"{name} reads $.{field}, which nothing gives" for field in sorted(_reads(states[name]) - has))


def _tasks(definition: Definition) -> Iterator[tuple[str, State]]:
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            yield name, state
        if state["Type"] == "Map":
            yield from _tasks(state["ItemProcessor"])


def _function(state: State) -> str:
    parameters = state["Parameters"]
    return str(parameters.get("FunctionName") or parameters["FunctionName.$"])


def _payload(state: State) -> Mapping[str, Any] | None:
    """Return what a task passes; None for a map's, which passes on its item as it is."""
    payload: Mapping[str, Any] | None = state["Parameters"].get("Payload")
    return payload


def _kind_of(payload: Mapping[str, Any], kinds: tuple[type, ...]) -> type | None:
    return next((kind for kind in kinds if _tag_of(kind).items() <= payload.items()), None)


def _tag_of(kind: type) -> dict[str, str]:
    """Return the field that tells a class from the others of its union, with its one value."""
    if not issubclass(kind, BaseModel):
        return {}
    found = {name: field.annotation for name, field in kind.model_fields.items()}
    return {name: get_args(each)[0] for name, each in found.items() if get_origin(each) is Literal}


def _tags(kinds: tuple[type, ...]) -> str:
    return ", ".join(tag for kind in kinds for tag in _tag_of(kind).values()) or "our events"


def _misfits(payload: Mapping[str, Any], kind: type) -> Iterator[str]:
    passed, (required, known) = {name.removesuffix(".$") for name in payload}, _fields_of(kind)
    for problem, names in (("lacks", required - passed), ("does not know", passed - known)):
        if names:
            yield f"{kind.__name__} {problem} {', '.join(sorted(names))}"
    if issubclass(kind, BaseModel):
        for name in known & payload.keys():
            try:
                TypeAdapter(kind.model_fields[name].annotation).validate_python(payload[name])
            except ValidationError:
                yield f"{kind.__name__} takes no {name} of '{payload[name]}'"


def _fields_of(kind: type) -> tuple[set[str], set[str]]:
    """Return the fields that an event must have, and all that it may have."""
    if issubclass(kind, BaseModel):
        found = {name: field.is_required() for name, field in kind.model_fields.items()}
    else:
        assert is_dataclass(kind)
        found = {one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(kind)}
    return {name for name, is_required in found.items() if is_required}, set(found)


def _leaving(state: State, has: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Return the states that can follow one, each with the fields that there are then."""
    if state["Type"] == "Choice":
        asked = [each for each in state["Choices"] if "IsPresent" in each]
        present = [each["Next"] for each in asked if _field(each["Variable"]) in has]
        absent = {each["Next"] for each in asked}
        yield from ((target, has) for target in present or set(targets_of(state)) - absent)
        return
    if "Next" in state:
        yield state["Next"], has | _written(state)
    yield from ((catch["Next"], has | _written(catch)) for catch in state.get("Catch", []))


def _written(holder: Mapping[str, Any]) -> set[str]:
    path = holder.get("ResultPath")
    return {_field(path)} if path else set()


def _reads(state: State) -> set[str]:
    asked = [each["Variable"] for each in state.get("Choices", []) if "IsPresent" not in each]
    return {_field(path) for path in [*_paths([state.get(place) for place in _READING]), *asked]}


def _field(path: str) -> str:
    found = _FIELD.match(path)
    assert found is not None, path
    return found[1]


def _paths(value: Any) -> Iterator[str]:
    match value:
        case str() if value.startswith("$."):
            yield value
        case Mapping():
            for each in value.values():
                yield from _paths(each)
        case list():
            for each in value:
                yield from _paths(each)
