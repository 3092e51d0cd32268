"""Nobody takes the stack, its fleets or their network away under what runs, and everybody may once nothing does."""

import asyncio

from tests.e2e.operator import Operator
from tests.sandbox.runtime.stack_life import Outcome
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
SCHEDULES = ()
ELSEWHERE = {"VpcId": "vpc-0a1b2c3d", "SubnetIds": "subnet-0a,subnet-0b"}


async def update(sandbox: Sandbox, **changes: str) -> Outcome:
    return await asyncio.to_thread(sandbox.life.update, {**sandbox.options.parameters, **changes})


async def delete(sandbox: Sandbox) -> Outcome:
    return await asyncio.to_thread(sandbox.life.delete)


async def test_a_stack_with_a_fleet_stays_whole_until_that_is_retired(sandbox: Sandbox, operator: Operator) -> None:
    await operator.serving("keeper")
    for changes in ({"EnableFleets": "false"}, ELSEWHERE):
        refused = await update(sandbox, **changes)
        assert refused.status == "UPDATE_ROLLBACK_COMPLETE"
        assert "keeper (fleet, serving)" in refused.reasons[0]
    failed = await delete(sandbox)
    assert failed.status == "DELETE_FAILED"
    assert failed.standing == sandbox.deployed.stack.physical_ids().keys()
    assert "keeper (fleet, serving)" in failed.reasons[0]
    assert (await operator.chat("keeper")).status == 200
    await operator.retired("keeper")
    assert (await update(sandbox, EnableFleets="false")).status == "UPDATE_COMPLETE"
    assert (await update(sandbox, EnableFleets="true")).status == "UPDATE_COMPLETE"


async def test_the_way_out_leaves_a_running_fleet_behind(sandbox: Sandbox, operator: Operator) -> None:
    await operator.serving("left")
    assert (await update(sandbox, GuardRunning="false")).status == "UPDATE_COMPLETE"
    assert (await update(sandbox, GuardRunning="false", EnableFleets="false")).status == "UPDATE_COMPLETE"
    assert (await update(sandbox)).status == "UPDATE_COMPLETE"


async def test_an_empty_stack_is_deleted_with_its_admin_key(sandbox: Sandbox) -> None:
    done = await delete(sandbox)
    assert done == Outcome("DELETE_COMPLETE")
    stack = sandbox.deployed.stack
    found = stack.client("dynamodb").scan(TableName=stack.ref("KeysTable"))["Items"]
    assert [item for item in found if item["name"]["S"] == "bootstrap-admin"] == []
    assert list(sandbox.functions.failures) == []
    assert sandbox.permissions.calls(denied=True) == []
