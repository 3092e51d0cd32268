"""Deployments that are deleted while they come up, whatever is being made for them."""

import asyncio
from typing import Any

from tests.e2e.operator import Operator

# What is being made when its workflow is stopped is made long before the drain ends, which takes half a minute.
TIME_FACTOR = 15
SCHEDULES = ()
PATHS: dict[str, dict[str, Any]] = {
    "fleet": {},
    "jumpstart": {"path": "jumpstart", "capacity": {"max": 2, "instance_types": ["ml.g5.2xlarge"]}},
}


async def test_a_delete_while_it_comes_up_leaves_nothing(operator: Operator) -> None:
    async def give_up(path: str, status: str) -> None:
        name = f"early-{path}-{status}"
        await operator.ask_for(name, **PATHS[path])
        await operator.when(name, lambda found: found["status"] in (status, "warming", "serving"))
        await operator.retired(name)
        assert operator.leftovers(name) == []
        assert (await operator.chat(name)).status == 404
        assert operator.statuses(name)[-2:] == ["retiring", "retired"]

    await asyncio.gather(
        *(give_up(path, status) for path in ("fleet", "jumpstart") for status in ("provisioning", "warming"))
    )


async def test_a_delete_right_behind_the_request_leaves_nothing(operator: Operator) -> None:
    await operator.ask_for("regretted")
    await operator.retired("regretted")
    assert (await operator.chat("regretted")).status == 404
