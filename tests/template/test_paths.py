"""A path that the code knows has a driver, and every workflow that drives it leads there."""

from typing import Any

import pytest

from spillway.domain.paths.path import Path
from spillway.domain.paths.registry import profile_of
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
