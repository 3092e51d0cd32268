"""Everything that can happen in a state machine is brought about by a scenario."""

from typing import Any

import pytest

from tests.prove.scenarios import ITEMS, MISSING, Contradiction, Scenario, scenarios_of

TASK = {
    "Type": "Task",
    "Parameters": {"Payload": {"name.$": "$.name"}},
    "ResultSelector": {"body.$": "$.Payload"},
    "ResultPath": "$.plan",
    "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 2}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Failed"}],
    "Next": "Which way?",
}
MACHINE: dict[str, Any] = {
    "StartAt": "Plan",
    "States": {
        "Plan": TASK,
        "Which way?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.plan.body.way", "StringEquals": "up", "Next": "Climb"}],
            "Default": "Done",
        },
        "Climb": {"Type": "Wait", "SecondsPath": "$.plan.body.seconds", "Next": "Done"},
        "Done": {"Type": "Succeed"},
        "Failed": {"Type": "Fail", "ErrorPath": "$.failure.Error"},
    },
}


def found(machine: dict[str, Any] = MACHINE) -> dict[str, Scenario]:
    return {str(scenario.proves): scenario for scenario in scenarios_of("machine", machine)}


def test_there_is_one_for_everything_that_can_happen() -> None:
    assert found().keys() == {
        "Plan: ok",
        "Plan: retried Busy",
        "Plan: exhausted Busy",
        "Plan: error SomethingElse",
        "Which way?: 0",
        "Which way?: default",
        f"Which way?: {MISSING}",
        "Climb: ok",
        "Done: ok",
        "Failed: ok",
    }


def test_a_branch_is_taken_by_what_the_function_before_it_answers() -> None:
    scenarios = found()
    assert scenarios["Which way?: 0"].answers == [{"body": {"seconds": 1, "way": "up"}}]
    assert scenarios["Which way?: default"].answers == [{"body": {"seconds": 1, "way": "something else"}}]
    assert scenarios[f"Which way?: {MISSING}"].answers == [{"body": {"seconds": 1}}]
    assert scenarios["Climb: ok"].input == {"name": "the name"}


def test_a_function_fails_once_more_than_it_is_retried() -> None:
    scenarios = found()
    assert scenarios["Plan: exhausted Busy"].answers == [{"error": "Busy"}] * 3
    assert [list(answer) for answer in scenarios["Plan: retried Busy"].answers] == [["error"], ["body"]]
    assert scenarios["Failed: ok"].answers == [{"error": "SomethingElse"}]


def test_a_branch_on_the_input_is_taken_by_the_input() -> None:
    rule = {"Variable": "$.failure", "IsPresent": True, "Next": "Failed"}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "Plan"}
    scenarios = found({"StartAt": "Given?", "States": {**MACHINE["States"], "Given?": choice}})
    assert scenarios["Given?: 0"].input["failure"] == {"Error": "States.Timeout", "Cause": "said with the input"}
    assert "failure" not in scenarios["Given?: default"].input


def test_each_item_of_a_map_meets_what_can_happen_to_it() -> None:
    inner = {**TASK, "Catch": [], "Next": "", "End": True}
    machine = {
        "StartAt": "Plan",
        "States": {
            "Plan": {**TASK, "Next": "All"},
            "All": {
                "Type": "Map",
                "ItemsPath": "$.plan.body.items",
                "ItemProcessor": {"States": {"Each": inner}},
                "Next": "Done",
            },
            "Done": {"Type": "Succeed"},
            "Failed": {"Type": "Fail"},
        },
    }
    scenario = found(machine)["All: ok (Each: retried Busy)"]
    assert scenario.answers == [{"body": {"items": ITEMS}}]
    assert scenario.inner == [{"error": "Busy"}, {"body": {"done": 1}}]


def test_what_nothing_leads_to_is_said() -> None:
    lost = {"StartAt": "Plan", "States": {**MACHINE["States"], "Lost": {"Type": "Succeed"}}}
    with pytest.raises(Contradiction, match="nothing leads from Plan to Lost"):
        scenarios_of("machine", lost)
