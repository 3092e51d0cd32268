"""A path that the code knows has a driver, and every workflow that drives it leads there."""

from typing import Any

import pytest

from spillway.domain.paths.path import Path
from spillway.domain.paths.registry import profile_of
from spillway.settings import Settings
from tests.template.transform import REPOSITORY, definition

ALL = {path.value for path in Path}
WITH_INSTANCES = {path.value for path in Path if profile_of(path).has_instances}


def driven_by(machine: dict[str, Any]) -> dict[str, Any]:
    """Return the driver's substitution that a machine chooses for each path."""
    states = machine["States"]
    (choice,) = (
        state
        for state in states.values()
        if state["Type"] == "Choice" and any(rule.get("Variable") == "$.path" for rule in state["Choices"])
    )
    return {rule["StringEquals"]: states[rule["Next"]]["Result"]["arn"] for rule in choice["Choices"]}


@pytest.mark.parametrize(
    ("workflow", "paths"),
    [("deploy", ALL), ("scale", ALL), ("retire", ALL), ("benchmark", WITH_INSTANCES)],
)
def test_a_workflow_leads_every_path_to_its_driver(workflow: str, paths: set[str]) -> None:
    found = driven_by(definition(f"statemachines/{workflow}.asl.yaml"))
    assert found == {path: f"${{Drive{path.capitalize()}FunctionArn}}" for path in paths}


@pytest.mark.parametrize("path", Path)
def test_a_path_has_a_driver_function(template: dict[str, Any], path: Path) -> None:
    code = template["Resources"][f"Drive{path.capitalize()}Function"]["Properties"]["CodeUri"]
    assert code == f"functions/drive_{path}"
    assert (REPOSITORY / code / "app.py").is_file()


@pytest.mark.parametrize("workflow", ["DeployWorkflow", "ScaleWorkflow", "RetireWorkflow", "BenchmarkWorkflow"])
def test_a_workflow_may_invoke_every_function_that_it_names(template: dict[str, Any], workflow: str) -> None:
    properties = template["Resources"][workflow]["Properties"]
    named = [
        value["Fn::GetAtt"][0] for value in properties["DefinitionSubstitutions"].values() if "Fn::GetAtt" in value
    ]
    allowed = [
        arn["Fn::GetAtt"][0]
        for statement in statements(properties)
        if "lambda:InvokeFunction" in actions(statement)
        for arn in statement["Resource"]
    ]
    assert sorted(named) == sorted(allowed)


@pytest.mark.parametrize("path", Path)
def test_a_driver_may_read_its_deployment(template: dict[str, Any], path: Path) -> None:
    properties = template["Resources"][f"Drive{path.capitalize()}Function"]["Properties"]
    table = {"Fn::GetAtt": ["DeploymentsTable", "Arn"]}
    assert any(
        "dynamodb:GetItem" in actions(statement) and table in (statement["Resource"], *statement["Resource"])
        for statement in statements(properties)
    )


def test_the_control_api_may_ask_every_driver(template: dict[str, Any]) -> None:
    properties = template["Resources"]["ControlApiFunction"]["Properties"]
    arns = {path: {"Fn::GetAtt": [f"Drive{path.capitalize()}Function", "Arn"]} for path in ALL}
    (allowed,) = (each["Resource"] for each in statements(properties) if "lambda:InvokeFunction" in actions(each))
    assert sorted(allowed, key=str) == sorted(arns.values(), key=str)
    named = {path: f"DRIVE_{path.upper()}_FUNCTION_ARN" for path in ALL}
    assert {path: properties["Environment"]["Variables"].get(name) for path, name in named.items()} == arns
    assert Settings({name: path for path, name in named.items()}).driver_arns == {path: path for path in ALL}


def statements(properties: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        statement
        for policy in properties["Policies"]
        if isinstance(policy, dict)
        for statement in policy.get("Statement", ())
        if "Action" in statement
    ]


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else found
