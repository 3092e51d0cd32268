"""Dry runs through real HTTP and every path's own driver, with the permissions that the roles have."""

from typing import Any

import pytest

from tests.builders import MODEL, SPILL_MODEL, spec_body
from tests.e2e.operator import Operator
from tests.sandbox.sandbox import Sandbox

SCHEDULES = ()
NAME = "rehearsed"
READS = ("Describe", "Get", "List", "Invoke", "BatchGet", "Scan", "Query")

BODIES: dict[str, dict[str, Any]] = {
    "fleet": spec_body(name=NAME),
    "bedrock": {"name": NAME, "path": "bedrock", "model": {"id": SPILL_MODEL}},
    "jumpstart": {"name": NAME, "path": "jumpstart", "model": {"id": MODEL, "accept_eula": True}},
    "import": {"name": NAME, "path": "import", "model": {"id": "Qwen/Qwen3-8B", "weights": "s3://weights/qwen3/"}},
}
MADE = {
    "fleet": {"target group", "listener rule to target group", "launch template", "Auto Scaling group"},
    "bedrock": set(),
    "jumpstart": {"model", "endpoint config", "endpoint", "inference component"},
    "import": {"imported model"},
}


@pytest.mark.parametrize("path", BODIES)
async def test_every_path_says_what_it_would_make_and_makes_nothing(
    operator: Operator, sandbox: Sandbox, path: str
) -> None:
    before = len(sandbox.permissions.calls())
    answer = await operator.call("POST", "/deployments?dry_run=true", BODIES[path])
    assert answer.status == 200, answer.body
    assert (answer.body["dry_run"], answer.body["problems"]) == (True, [])
    assert {each.rpartition(" ")[0] for each in answer.body["resources"]} == MADE[path]
    made = [call for call in sandbox.permissions.calls()[before:] if not call.operation.startswith(READS)]
    assert made == []
    assert await operator.seen(NAME) == {}


async def test_a_quota_and_a_model_that_is_not_there_are_found_without_a_deployment(
    operator: Operator, sandbox: Sandbox
) -> None:
    body = spec_body(
        name=NAME, capacity={"max": 100, "instance_types": ["g6e.xlarge"]}, spill={"model_id": "meta.no-such-model"}
    )
    answer = await operator.call("POST", "/deployments?dry_run=true", body)
    assert (answer.status, answer.body["ok"]) == (200, False), answer.body
    found = {(each["code"], each["param"]) for each in answer.body["problems"]}
    assert found == {("capacity_unavailable", None), ("invalid_request", "spill.model_id")}
    assert await operator.seen(NAME) == {}


async def test_a_deployment_that_serves_can_be_tried_on_and_stays_as_it_is(operator: Operator) -> None:
    await operator.ask_for("standing", path="bedrock", model={"id": SPILL_MODEL}, spill=None, capacity=None)
    await operator.until("standing", "serving")
    patched = await operator.call("PATCH", "/deployments/standing?dry_run=true", {"budget": {"usd_per_month": 5}})
    assert (patched.status, patched.body["problems"]) == (200, [])
    assert {each["field"] for each in patched.body["changes"]} == {"budget.usd_per_month", "budget.alert_at"}
    ended = await operator.call("DELETE", "/deployments/standing?dry_run=true")
    assert (ended.status, ended.body["would"]) == (200, "retire")
    stands = await operator.call("GET", "/deployments/standing")
    assert (stands.body["status"], stands.body["spec"]["budget"]) == ("serving", None)
