"""The template and the code that it names fit together, and each check is shown to fail when they don't."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from spillway.domain.errors import InvalidRequest
from spillway.services.events.notices import read_notice
from tests.template.reading import event_problems, handler_problems, variable_problems, workflow_problems
from tests.template.transform import REPOSITORY

Change = Callable[[dict[str, Any]], object]


def handles(kind: str) -> bool:
    """Whether there is a notice of an event's detail-type; without a detail it gets no further than that."""
    with pytest.raises(InvalidRequest) as refused:
        read_notice({"detail-type": kind, "detail": {}})
    return refused.value.param != "detail-type"


def handled(template: Mapping[str, Any]) -> frozenset[str]:
    """Which of the detail-types that rules let through are handled."""
    events = template["Resources"]["ReactToEventFunction"]["Properties"]["Events"].values()
    kinds = {kind for event in events for kind in event["Properties"]["Pattern"]["detail-type"]}
    return frozenset(filter(handles, kinds))


def problems(template: Mapping[str, Any]) -> list[str]:
    return [
        *handler_problems(template),
        *workflow_problems(template),
        *variable_problems(template),
        *event_problems(template, handled(template)),
    ]


def test_the_template_and_the_code_fit(template: dict[str, Any]) -> None:
    assert problems(template) == []


def test_every_function_that_logs_takes_in_what_the_package_logs() -> None:
    apps = sorted((REPOSITORY / "functions").glob("*/app.py"))
    assert [path.parent.name for path in apps if " Logger" in path.read_text(encoding="utf-8")] == []


def test_no_function_knows_an_adapter() -> None:
    apps = sorted((REPOSITORY / "functions").glob("*/app.py"))
    assert [path.parent.name for path in apps if "spillway.adapters" in path.read_text(encoding="utf-8")] == []


def _function(template: dict[str, Any], name: str) -> Any:
    return template["Resources"][name]["Properties"]


def _substitutions(template: dict[str, Any], name: str = "ScaleWorkflow") -> Any:
    return _function(template, name)["DefinitionSubstitutions"]


def _event_kinds(template: dict[str, Any]) -> Any:
    return _function(template, "ReactToEventFunction")["Events"]["WakeRequested"]["Properties"]["Pattern"][
        "detail-type"
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: _substitutions(t).pop("SmokeTestFunctionArn"),
            "ScaleWorkflow: the substitution SmokeTestFunctionArn is named and not given",
        ),
        (
            lambda t: _substitutions(t).update(SpareFunctionArn="x"),
            "ScaleWorkflow: the substitution SpareFunctionArn is given and not named",
        ),
        (
            lambda t: _function(t, "SmokeTestFunction").update(CodeUri="functions/test_smoke"),
            "SmokeTestFunction: no app.py in functions/test_smoke",
        ),
        (
            lambda t: _function(t, "ControlApiFunction").update(Handler="app.handle"),
            "ControlApiFunction: app.py has no handle",
        ),
        (
            lambda t: _event_kinds(t).append("DecisionTaken"),
            "ReactToEventFunction: nothing handles DecisionTaken",
        ),
        (
            lambda t: _function(t, "SmokeTestFunction")["Environment"]["Variables"].update(FLEET_URL="x"),
            "SmokeTestFunction: the settings do not know FLEET_URL",
        ),
    ],
)
def test_a_template_that_does_not_fit_is_found_out(template: dict[str, Any], change: Change, sentence: str) -> None:
    changed = deepcopy(template)
    change(changed)
    assert problems(changed) == [sentence]
