"""A model of the user's own in Bedrock: imported, called, billed by its windows, and deleted."""

from typing import Any

from tests.builders import SPILL_MODEL
from tests.e2e.operator import Operator
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
MODEL: dict[str, Any] = {"id": "Qwen/Qwen3-8B", "weights": "s3://weights/qwen3/"}
IMPORT: dict[str, Any] = {"path": "import", "model": MODEL, "capacity": None}


async def test_an_imported_model_serves_and_leaves_nothing(sandbox: Sandbox, operator: Operator) -> None:
    found = await operator.serving("mine", spill={"model_id": SPILL_MODEL}, **IMPORT)
    target = found["route"]["primary"]
    assert (target["kind"], target["units_per_copy"]) == ("import", 2)
    assert ":imported-model/" in target["model_arn"]
    answers = [await operator.chat("mine") for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["x-spillway-target"] for answer in answers} <= {"import", "bedrock"}
    streamed = await operator.call(
        "POST",
        "/v1/chat/completions",
        {"model": "mine", "stream": True, "messages": [{"role": "user", "content": "hi"}]},
    )
    assert streamed.body.rstrip().endswith("data: [DONE]")
    refused = await operator.call("POST", "/deployments/mine/sleep")
    assert refused.status == 409
    await operator.retired("mine")
    assert sandbox.emulation.bedrock_control.catalog.imported == {}


async def test_a_cold_model_without_a_spill_target_says_when_to_come_again(operator: Operator) -> None:
    await operator.serving("alone", spill=None, **IMPORT)
    answer = await operator.chat("alone")
    assert answer.status in (200, 503)
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) > 0
