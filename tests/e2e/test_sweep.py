"""The hourly sweep over the real adapters: what lost its record is found, and its way out is told."""

import asyncio
from collections.abc import Callable
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from tests.builders import spec_body
from tests.e2e.operator import PATIENCE_SECONDS, POLL_SECONDS, Operator, ask_at_once
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.sandbox import Sandbox

# An hour in 15 seconds.
TIME_FACTOR = 240


def deployments_table() -> Any:
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    return next(table for name, table in tables.items() if "DeploymentsTable" in name)


def lose(name: str) -> Callable[[], None]:
    """Take a deployment's record away, and return what puts it back."""
    items = deployments_table().items
    key = next(each for each in items if each.value == name)
    item = items.pop(key)

    def restore() -> None:
        items[key] = item

    return restore


async def test_what_lost_its_record_is_told_of_until_it_has_an_owner_again(
    sandbox: Sandbox, operator: Operator
) -> None:
    endpoint = {"path": "jumpstart", "capacity": {"max": 1, "instance_types": ["ml.g5.2xlarge"]}}
    ask_at_once(sandbox, spec_body(name="lost-fleet"), spec_body(name="lost-endpoint", **endpoint))
    names = ["lost-fleet", "lost-endpoint"]
    for name in names:
        await operator.ready(name)
    restores = [lose(name) for name in names]
    stack = sandbox.options.stack
    group = await operator.alerted("leftovers", f"{stack}-lost-fleet")
    found = await operator.alerted("leftovers", f"{stack}-lost-endpoint")
    for restore in restores:
        restore()
    assert (group["deployment"], group["why"]["code"]) == ("lost-fleet", "left_behind")
    assert group["usd_per_hour"] > 0
    assert "delete-auto-scaling-group" in group["advice"]
    assert "SageMaker endpoint" in found["what"]
    assert "ml.g5.2xlarge" in found["what"]
    assert found["usd_per_hour"] > 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await operator.alerted("leftovers", f"{stack}-lost-fleet"))["state"] != "closed":
            await asyncio.sleep(POLL_SECONDS)
