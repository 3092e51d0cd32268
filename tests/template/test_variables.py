"""Each function is given exactly the variables that its code reads."""

import importlib
import inspect
import json
from collections.abc import Mapping
from typing import Any

import pytest

from spillway.bootstrap import gateway
from spillway.bootstrap.load_worker import open_load_worker
from spillway.bootstrap.upstreams import open_upstreams
from spillway.services.events.load_test import read_worker_order
from spillway.settings import Settings
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import REPOSITORY

# Whether a function uses the stack's name depends on what it makes; all get it.
_COMMON = frozenset({"SPILLWAY_STACK", "AWS_LAMBDA_EXEC_WRAPPER"})
_LAMBDA_GIVES = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}
# A limit with a default in the code, which the template leaves there.
_DEFAULTED = frozenset({"GATEWAY_IDLE_SECONDS"})
_FUNCTIONS = sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/app.py"))


class Recorded(dict[str, str]):
    """An environment that knows what was read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


def given(stack: StaticStack, function: str) -> dict[str, str]:
    """Return a function's variables, by the name of its folder."""
    logical_id = "".join(part.capitalize() for part in function.split("_")) + "Function"
    variables: dict[str, str] = stack.properties(logical_id)["Environment"]["Variables"]
    return variables


async def build(function: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build what a function builds on its first use."""
    match function:
        case "serve_openai":
            monkeypatch.setattr(gateway, "Settings", lambda: settings)
            await (await gateway.build_gateway()).close()
        case "smoke_test":
            async with open_upstreams(settings):
                pass
        case "drive_load":
            order = json.loads((REPOSITORY / "events/drive_load/fleet.json").read_text(encoding="utf-8"))
            async with open_load_worker(settings, read_worker_order(order)):
                pass
        case _:
            module = importlib.import_module(f"functions.{function}.app")
            monkeypatch.setattr(module, "Settings", lambda: settings)
            inspect.unwrap(module.container)()


@pytest.fixture(autouse=True)
def _lambda_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _LAMBDA_GIVES.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("function", _FUNCTIONS)
async def test_the_code_finds_what_it_needs(
    function: str, stack: StaticStack, fleet_stack: StaticStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (stack, fleet_stack):
        environment = Recorded({**_LAMBDA_GIVES, **given(each, function)})
        await build(function, Settings(environment), monkeypatch)
        wanted = {name for name in environment.read if not name.startswith("AWS_")}
        assert wanted - given(each, function).keys() <= _DEFAULTED


@pytest.mark.parametrize("function", _FUNCTIONS)
async def test_no_variable_is_given_in_vain(
    function: str, fleet_stack: StaticStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Recorded({**_LAMBDA_GIVES, **given(fleet_stack, function)})
    await build(function, Settings(environment), monkeypatch)
    unread = given(fleet_stack, function).keys() - environment.read - _COMMON
    assert {name for name in unread if not name.startswith("AWS_LWA_")} == set()


async def test_a_variable_that_is_missing_is_found_out(stack: StaticStack, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = given(stack, "check_utilization")
    del variables["CHECKS_TABLE"]
    with pytest.raises(RuntimeError, match="CHECKS_TABLE"):
        await build("check_utilization", Settings({**_LAMBDA_GIVES, **variables}), monkeypatch)
