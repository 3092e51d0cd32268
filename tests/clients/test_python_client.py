"""The table's rows with the client that is installed anyway; ``make clients`` has the other clients, and all states."""

import sys
from pathlib import Path

from tests.clients.driver import Driver
from tests.clients.scenarios import SCENARIOS
from tests.clients.stage import DEPLOYMENTS, READY, Stage, options
from tests.sandbox.__main__ import invoke_key
from tests.sandbox.sandbox import Sandbox

BEDROCK = next(each for each in DEPLOYMENTS if each.name == "bedrock")


def test_only_the_base_url_and_the_key_are_ours(tmp_path: Path) -> None:
    with Sandbox(options(tmp_path)) as sandbox:
        place = {"openai_base_url": sandbox.openai_base_url, "invoke_key": invoke_key(sandbox)}
        Stage(sandbox, place).ask_for(BEDROCK)
        command = [sys.executable, "-m", "tests.clients.drivers.openai_python"]
        with Driver(command, place, tmp_path / "driver.log") as driver:
            driver.ready()
            rows = [each for each in SCENARIOS if each.kind == BEDROCK.kind]
            seen = {each.name: driver.ask(each.name, BEDROCK.name) for each in rows}
    assert seen == {each.name: BEDROCK.expected(each, READY) for each in rows}
