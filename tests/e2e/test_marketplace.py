"""A model that is sold through AWS Marketplace, on a stack whose smoke test may subscribe the account to it."""

from typing import Any

from tests.e2e.operator import Operator
from tests.sandbox.bedrock_catalog import MARKETPLACE_MODEL_ID
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 600
SCHEDULES = ()
PARAMETERS = {"AllowModelSubscriptions": "true"}
GEMMA: dict[str, Any] = {"path": "bedrock", "spill": None}


async def test_the_smoke_test_subscribes_and_outlasts_what_that_takes(sandbox: Sandbox, operator: Operator) -> None:
    await operator.serving("gemma", model={"id": MARKETPLACE_MODEL_ID, "accept_eula": True}, **GEMMA)
    assert sandbox.emulation.catalog.models[MARKETPLACE_MODEL_ID].agreement == "AVAILABLE"
    subscribed = {call.role for call in sandbox.permissions.calls() if call.service == "aws-marketplace"}
    assert ["SmokeTestFunctionRole" in role for role in subscribed] == [True]
    assert (await operator.chat("gemma")).status == 200
