"""What can be wrong with a state machine's definition and passes every other check: dangling names and missing limits.

``problems_of`` returns sentences, an empty list for a definition without fault.
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

Definition = Mapping[str, Any]
State = Mapping[str, Any]

_SUBSTITUTION = re.compile(r"\$\{([^}]+)\}")
# An execution fails with its history's 25,001st event; a task that succeeds writes five, each other state two.
HISTORY_EVENTS = 25_000
_TASK_EVENTS, _EVENTS = 5, 2
_LONGEST_TIMEOUT = 99_999_999  # seconds, where none is given
_ENDS = frozenset({"Succeed", "Fail", "Choice"})

# Lambda refuses calls while streams take all of an account's concurrency: a workflow that ends over it loses its work.
THROTTLED = "Lambda.TooManyRequestsException"
THROTTLE_SECONDS = 300.0


def problems_of(definition: Definition, errors: Set[str]) -> list[str]:
    """Return what is wrong; ``errors`` are the names that functions raise, beside States.* and Lambda.*."""
    unlimited = [] if "TimeoutSeconds" in definition else ["the state machine has no TimeoutSeconds"]
    # A map's own machine runs within the time of the outer one.
    inner = [state["ItemProcessor"] for state in definition["States"].values() if state["Type"] == "Map"]
    return (
        [*unlimited, *_hasty(definition)]
        + [
            problem
            for each in (definition, *inner)
            for problem in (
                *_links(each),
                *_unreachable(each),
                *_unlimited(each),
                *_unknown_errors(each, errors),
                *_reserved_names(each),
                *_overlooked(each),
            )
        ]
        + list(_long_histories(definition))
    )


def substitutions_of(definition: Definition) -> set[str]:
    """Return the names of all ``${…}`` in a definition."""
    return {name for text in _texts(definition) for name in _SUBSTITUTION.findall(text)}


def substitution_problems(definition: Definition, given: Set[str]) -> list[str]:
    """Return substitutions that the definition names and the template does not give, and the other way round."""
    named = substitutions_of(definition)
    return [f"the substitution {name} is named and not given" for name in sorted(named - given)] + [
        f"the substitution {name} is given and not named" for name in sorted(given - named)
    ]


def targets_of(state: State) -> Iterator[str]:
    """Return the names of the states that can follow one."""
    for holder in (state, *state.get("Choices", []), *state.get("Catch", [])):
        if "Next" in holder:
            yield holder["Next"]
    if "Default" in state:
        yield state["Default"]


def _links(definition: Definition) -> Iterator[str]:
    states = definition["States"]
    if definition.get("StartAt") not in states:
        yield f"StartAt names {definition.get('StartAt')}, which is no state"
    for name, state in states.items():
        for target in targets_of(state):
            if target not in states:
                yield f"{name} leads to {target}, which is no state"
        if state["Type"] not in _ENDS and not state.get("End") and "Next" not in state:
            yield f"{name} has neither Next nor End"
        if state["Type"] == "Choice" and "Default" not in state:
            yield f"{name} has no Default"


def _unreachable(definition: Definition) -> Iterator[str]:
    states = definition["States"]
    seen: set[str] = set()
    waiting = [definition.get("StartAt", "")]
    while waiting:
        name = waiting.pop()
        if name in states and name not in seen:
            seen.add(name)
            waiting += targets_of(states[name])
    for name in states.keys() - seen:
        yield f"{name} is never reached"


def _unlimited(definition: Definition) -> Iterator[str]:
    for name, state in _tasks(definition):
        limit = "TimeoutSeconds" if state["Type"] == "Task" else "MaxConcurrency"
        if limit not in state:
            yield f"{name} has no {limit}"
        if not any("States.ALL" in catch["ErrorEquals"] for catch in state.get("Catch", [])):
            yield f"{name} does not catch States.ALL"
        for retry in state.get("Retry", []):
            if missing := {"IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds"} - retry.keys():
                yield f"{name} retries without {', '.join(sorted(missing))}"
            if retry.get("JitterStrategy") != "FULL":
                yield f"{name} retries without full jitter"


def _hasty(definition: Definition) -> Iterator[str]:
    """A machine's own tasks wait for Lambda; a map's are beside each other, and what is lost of them is counted."""
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            retry = next((each for each in state.get("Retry", []) if THROTTLED in each["ErrorEquals"]), None)
            if retry is None or patience(retry) < THROTTLE_SECONDS:
                yield f"{name} does not outlast a throttle of {THROTTLE_SECONDS:g} seconds"


def patience(retry: Mapping[str, Any]) -> float:
    """Return the seconds that a Retry waits in all, on the average: full jitter halves each delay."""
    delays = [float(retry["IntervalSeconds"] * retry["BackoffRate"] ** turn) for turn in range(retry["MaxAttempts"])]
    return sum(min(delay, float(retry.get("MaxDelaySeconds", delay))) for delay in delays) / 2


def _unknown_errors(definition: Definition, errors: Set[str]) -> Iterator[str]:
    for name, state in _tasks(definition):
        for holder in (*state.get("Retry", []), *state.get("Catch", [])):
            for error in holder["ErrorEquals"]:
                if error not in errors and not error.startswith(("States.", "Lambda.")):
                    yield f"{name} waits for the error {error}, which nothing raises"


def _reserved_names(definition: Definition) -> Iterator[str]:
    """A Fail state that gives on a caught error's name may give on one of Step Functions' own, which is not allowed."""
    for name, state in definition["States"].items():
        if state["Type"] == "Fail" and state.get("Error", "States.").startswith("States."):
            yield f"{name} does not fail by a name of ours"


def _long_histories(definition: Definition) -> Iterator[str]:
    """A loop that polls until the execution's own time is up must not end it before by its history."""
    states = definition["States"]
    for name, state in states.items():
        if state["Type"] == "Wait" and (way := _way_back(states, name)):
            events = sum(_TASK_EVENTS if states[each]["Type"] == "Task" else _EVENTS for each in way)
            passes = definition.get("TimeoutSeconds", 0) / state.get("Seconds", 1)
            if events * passes > HISTORY_EVENTS:
                yield f"{name} repeats until the history is full"


def _way_back(states: Mapping[str, State], start: str) -> tuple[str, ...]:
    """Return the states of the shortest way from one back to itself where nothing fails, empty if there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        succeeding = {key: value for key, value in states[way[-1]].items() if key != "Catch"}
        for target in targets_of(succeeding):
            if target == start:
                return way
            if target in states and target not in seen:
                seen.add(target)
                ways.append((*way, target))
    return ()


def _overlooked(definition: Definition) -> Iterator[str]:
    """Amazon States Language forbids these, and neither asl-validator nor cfn-lint sees them."""
    jsonata = definition.get("QueryLanguage") == "JSONata"
    for name, state in definition["States"].items():
        if state["Type"] == "Choice" and state.keys() & {"End", "Next"}:
            yield f"{name} is a Choice with an End or a Next of its own"
        if jsonata and state.get("QueryLanguage") == "JSONPath":
            yield f"{name} speaks JSONPath in a machine of JSONata"
        if state.get("HeartbeatSeconds", 0) >= state.get("TimeoutSeconds", _LONGEST_TIMEOUT):
            yield f"{name} waits for a heartbeat as long as for its end"
        for handlers in (state.get("Retry", []), state.get("Catch", [])):
            for number, handler in enumerate(handlers, 1):
                errors = handler["ErrorEquals"]
                if "States.ALL" in errors and (len(errors) > 1 or number < len(handlers)):
                    yield f"{name} names States.ALL beside or before other errors"
        for retry in state.get("Retry", []):
            if retry.get("BackoffRate", 2) < 1:
                yield f"{name} retries with a back-off below 1"


def _tasks(definition: Definition) -> Iterator[tuple[str, State]]:
    return ((name, state) for name, state in definition["States"].items() if state["Type"] in ("Task", "Map"))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
