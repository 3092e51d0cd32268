"""What is optional about the gateway, on a stack that is deployed with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import SPILL_MODEL, spec_body
from tests.e2e.operator import Answer, Operator, ask_at_once
from tests.sandbox.runtime.options import Options
from tests.sandbox.sandbox import Sandbox

NAME = "optional"
PROMPT = "Where is my order?"
BODY = {"model": NAME, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 10}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with Sandbox(Options(port=0, folder=folder, parameters={"KeyCacheSeconds": "0"})) as running:
        wish = {"path": "bedrock", "model": {"id": SPILL_MODEL}, "capacity": None, "spill": None}
        ask_at_once(running, spec_body(name=NAME, **wish))
        yield running


async def a_key(operator: Operator, **limits: Any) -> dict[str, Any]:
    await operator.until(NAME, "serving")
    made: dict[str, Any] = (await operator.call("POST", "/keys", {"name": "optional", **limits})).body
    return made


async def ask(operator: Operator, key: dict[str, Any]) -> Answer:
    return await operator.call("POST", "/v1/chat/completions", BODY, key=key["secret"])


async def test_a_users_own_price_is_what_budgets_are_held_to(operator: Operator) -> None:
    dear = {"table": "bedrock", "name": SPILL_MODEL, "usd": [9000.0, 9000.0]}
    answer = await operator.call("PUT", "/prices/overrides", {"overrides": [dear]})
    assert answer.status == 200, answer.body
    key = await a_key(operator, usd_per_month=1.0)
    refused = await ask(operator, key)
    assert (refused.status, refused.error["code"]) == (429, "budget_exceeded")


async def test_without_a_cache_time_a_deleted_key_opens_nothing_any_more(operator: Operator) -> None:
    key = await a_key(operator)
    assert (await ask(operator, key)).status == 200
    assert (await operator.call("DELETE", f"/keys/{key['id']}")).status == 204
    assert (await ask(operator, key)).status == 401


async def test_texts_are_logged_apart_once_they_are_asked_for(operator: Operator, sandbox: Sandbox) -> None:
    key, stack = await a_key(operator), sandbox.deployed.stack
    patched = await operator.call("PATCH", f"/deployments/{NAME}", {"request_log": {"text": True}})
    assert (patched.status, patched.body["spec"]["request_log"]) == (202, {"text": True})

    def texts() -> list[str]:
        group = stack.ref("TextLogGroup")
        return [event["message"] for event in stack.client("logs").filter_log_events(logGroupName=group)["events"]]

    found: list[str] = []
    while not found:  # a route may be 2 s old
        assert (await ask(operator, key)).status == 200
        found = texts()
    assert PROMPT in found[0]
    assert key["secret"] not in found[0]
