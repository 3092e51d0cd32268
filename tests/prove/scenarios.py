"""Executions to compare two interpreters by, made from a definition: every branch, retry and catch is in one of them.

A walk is a way from the start to an end: the states with what happens in each. It becomes a scenario: an input, and
what the functions answer, in order, so that an interpreter that follows the specification goes just this way.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.template.asl import Definition, State

OK = "ok"
MISSING = "its variable is missing"
UNKNOWN_ERROR = "SomethingElse"
"""An error that no state names: States.ALL alone catches it."""
ITEMS = [{"worker": 1}, {"worker": 2}]
"""What every Map goes through."""
# A clean-up is told how the execution before it ended.
_PRESENT = {"Error": "States.Timeout", "Cause": "said with the input"}
_RULES = ("StringEquals", "BooleanEquals", "IsPresent")

Answer = Mapping[str, Any]
"""A function's answer, ``{"body": …}``, or its failure, ``{"error": name}``."""


@dataclass(frozen=True)
class Step:
    """A state with what happens there: ``ok``, ``error``, ``retried`` or ``exhausted`` with an error, or a branch."""

    state: str
    outcome: str
    error: str = ""
    next: str = ""
    inner: "Step | None" = None

    def __str__(self) -> str:
        what = f"{self.state}: {self.outcome} {self.error}".rstrip()
        return f"{what} ({self.inner})" if self.inner else what


@dataclass
class Scenario:
    """What to run: ``answers`` in the order of the calls, ``inner`` the same for each item of a Map."""

    proves: Step
    machine: str
    input: dict[str, Any]
    answers: list[dict[str, Any]] = field(default_factory=list)
    inner: list[dict[str, Any]] = field(default_factory=list)


class Contradiction(Exception):
    """A walk that no input and no answers can bring about."""


def scenarios_of(machine: str, definition: Definition) -> list[Scenario]:
    """Return a scenario for each thing that can happen in each state of a machine.

    Raises Contradiction when one cannot be brought about.
    """
    return [_realised(machine, definition, step) for name in definition["States"] for step in _steps(definition, name)]


def _steps(definition: Definition, name: str) -> list[Step]:
    """Return what can happen in a state."""
    state = definition["States"][name]
    match state["Type"]:
        case "Task":
            return list(_task_steps(name, state))
        case "Choice":
            branches = [(str(number), rule["Next"]) for number, rule in enumerate(state["Choices"])]
            steps = [Step(name, branch, next=to) for branch, to in [*branches, ("default", state["Default"])]]
            needed = any("IsPresent" not in rule for rule in state["Choices"])
            return [*steps, Step(name, MISSING)] if needed else steps
        case "Map":
            processor = state["ItemProcessor"]
            inner = [step for each in processor["States"] for step in _steps(processor, each)]
            # What an inner Pass state does is seen in the walks of the states before it.
            tasks = [step for step in inner if processor["States"][step.state]["Type"] == "Task"]
            return [Step(name, OK, next=state.get("Next", ""), inner=step) for step in tasks]
        case _:
            return [Step(name, OK, next=state.get("Next", ""))]


def _task_steps(name: str, state: State) -> Iterator[Step]:
    yield Step(name, OK, next=state.get("Next", ""))
    for retrier in state.get("Retry", []):
        for error in retrier["ErrorEquals"]:
            yield Step(name, "retried", error, next=state.get("Next", ""))
            yield Step(name, "exhausted", error, next=_caught(state, error))
    for catcher in state.get("Catch", []):
        for error in catcher["ErrorEquals"]:
            raised = UNKNOWN_ERROR if error == "States.ALL" else error
            if _retrier(state, raised) is None:
                yield Step(name, "error", raised, next=_caught(state, raised))


def _caught(state: State, error: str) -> str:
    for catcher in state.get("Catch", []):
        if {error, "States.ALL"} & set(catcher["ErrorEquals"]):
            found: str = catcher["Next"]
            return found
    return ""


def _retrier(state: State, error: str) -> State | None:
    return next((each for each in state.get("Retry", []) if error in each["ErrorEquals"]), None)


def _walk(definition: Definition, target: Step) -> list[Step]:
    """Return the shortest way through ``target`` from the start to an end."""
    before = _way(definition, definition["StartAt"], target.state)
    after = _way(definition, target.next, None) if target.next else []
    return [*before, target, *after]


def _way(definition: Definition, start: str, goal: str | None) -> list[Step]:
    """Return the shortest way from one state to another, or to an end; by an error only where nothing else leads."""
    waiting: deque[tuple[str, list[Step]]] = deque([(start, [])])
    detours: deque[tuple[str, list[Step]]] = deque()
    seen = set()
    while waiting or detours:
        name, way = (waiting or detours).popleft()
        if name == goal:
            return way
        if name in seen:
            continue
        seen.add(name)
        for step in _steps(definition, name):
            if not step.next:
                if goal is None and step.outcome == OK:
                    return [*way, step]
            elif step.outcome == "error":
                detours.append((step.next, [*way, step]))
            elif step.outcome not in ("retried", "exhausted"):
                waiting.append((step.next, [*way, step]))
    raise Contradiction(f"nothing leads from {start} to {goal or 'an end'}")


def _realised(machine: str, definition: Definition, target: Step) -> Scenario:
    states = definition["States"]
    walk = _walk(definition, target)
    scenario = Scenario(target, machine, _plain_input(definition))
    setters: dict[str, dict[str, Any]] = {}
    for step in walk:
        state = states[step.state]
        match state["Type"]:
            case "Task":
                body = _plain_body(definition, _root(state))
                scenario.answers += _answers(state, step, body)
                if step.outcome in (OK, "retried") and _root(state):
                    setters[_root(state)] = body
            case "Map":
                assert step.inner is not None
                inner = state["ItemProcessor"]["States"][step.inner.state]
                scenario.inner = _answers(inner, step.inner, {"done": 1})
            case "Choice":
                _lead(state, step, scenario.input, setters)
    return scenario


def _answers(state: State, step: Step, body: dict[str, Any]) -> list[dict[str, Any]]:
    error, ok = {"error": step.error}, {"body": body}
    match step.outcome:
        case "ok":
            return [ok]
        case "retried":
            return [error, ok]
        case "exhausted":
            retrier = _retrier(state, step.error)
            assert retrier is not None
            return [error] * (retrier["MaxAttempts"] + 1)
        case _:
            return [error]


def _lead(choice: State, step: Step, given: dict[str, Any], setters: Mapping[str, dict[str, Any]]) -> None:
    """Set the variables of a Choice so that it takes the branch of ``step``."""
    for number, rule in enumerate(choice["Choices"]):
        root, *rest = rule["Variable"].removeprefix("$.").split(".")
        holder, key = (setters[root], rest[1]) if rest and root in setters else (given, root)
        kind = next(kind for kind in _RULES if kind in rule)
        if step.outcome == str(number):
            _put(holder, key, _PRESENT if kind == "IsPresent" else rule[kind])
        elif step.outcome == "default" and kind != "IsPresent":
            _put(holder, key, not rule[kind] if kind == "BooleanEquals" else "something else")


def _put(holder: dict[str, Any], key: str, value: Any) -> None:
    if holder.get(key, value) != value:
        raise Contradiction(f"{key} would have to be {holder[key]!r} and {value!r}")
    holder[key] = value


def _root(state: State) -> str:
    """Return the field of the state's data that a Task writes."""
    return (state.get("ResultPath") or "").removeprefix("$.")


def _plain_input(definition: Definition) -> dict[str, Any]:
    """Return a value for everything that the machine reads of its input; what a Choice reads is set by its branch."""
    written = {path.removeprefix("$.") for path in _values(definition, "ResultPath")}
    decisive = set(_values(definition, "Variable"))
    roots = {path.split(".")[1] for path in _paths(definition) if path not in decisive}
    return {root: f"the {root}" for root in sorted(roots - written)}


def _plain_body(definition: Definition, root: str) -> dict[str, Any]:
    """Return a value for everything that the machine reads of the answer at ``root``."""
    prefix, decisive = f"$.{root}.body.", set(_values(definition, "Variable"))
    seconds, items = set(_values(definition, "SecondsPath")), set(_values(definition, "ItemsPath"))
    body: dict[str, Any] = {}
    for path in sorted(_paths(definition)):
        if path.startswith(prefix) and path not in decisive:
            key = path.removeprefix(prefix)
            body[key] = 1 if path in seconds else ITEMS if path in items else f"the {key}"
    return body


def _paths(value: Any) -> set[str]:
    """Return every JSONPath into the state's data, which those into a Task's result are not."""
    match value:
        case str():
            return {value} if value.startswith("$.") else set()
        case Mapping():
            read = [each for name, each in value.items() if name not in ("ResultSelector", "OutputPath")]
        case list():
            read = value
        case _:
            read = []
    return {path for each in read for path in _paths(each)}


def _values(value: Any, name: str) -> Iterator[str]:
    """Return the texts of every field of that name."""
    match value:
        case Mapping():
            if isinstance(found := value.get(name), str):
                yield found
            for each in value.values():
                yield from _values(each, name)
        case list():
            for each in value:
                yield from _values(each, name)
