"""The same calls to one alias while its fleet answers, and while it sleeps or starts: one outcome, whoever answers."""

import asyncio
import json
from typing import Any

import pytest

from tests.builders import spec_body
from tests.e2e.operator import PATIENCE_SECONDS, POLL_SECONDS, Answer, Operator, ask_at_once
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
NAME = "one-contract"
STATES = ("ready", "asleep")
CONTEXT = 512
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Where is my order?"}], "max_tokens": 20}
CALLING = {
    "messages": [{"role": "user", "content": "Please look_up order 7."}],
    "tools": [TOOL],
    "tool_choice": "required",
}
PROBABILITIES = {**CHAT, "logprobs": True}
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}]}]
LONG = [{"role": "user", "content": "word " * 3 * CONTEXT}]
# What is asked, and how many choices it has.
CALLS: dict[str, tuple[str, dict[str, Any], int]] = {
    "nothing special": ("chat/completions", CHAT, 1),
    "tools": ("chat/completions", {**CHAT, "tools": [TOOL]}, 1),
    "a call that must be made": ("chat/completions", {**CHAT, **CALLING}, 1),
    "JSON": ("chat/completions", {**CHAT, "response_format": {"type": "json_object"}}, 1),
    "two choices": ("chat/completions", {**CHAT, "n": 2}, 2),
    "a prompt above the fleet's context": ("chat/completions", {**CHAT, "messages": LONG}, 1),
    "a list of prompts": ("completions", {"prompt": ["One.", "Two.", "Three."], "max_tokens": 5}, 3),
}


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    wish = {"thresholds": {"idle_after_seconds": 604_800}, "engine": {"max_model_len": CONTEXT}}
    capacity = {"min": 0, "max": 1, "instance_types": ["g6e.xlarge"]}
    ask_at_once(sandbox, spec_body(name=NAME, capacity=capacity, **wish))


async def ask(operator: Operator, endpoint: str, body: dict[str, Any], **more: Any) -> Answer:
    return await operator.call("POST", f"/v1/{endpoint}", {"model": NAME, **body}, **more)


async def test_one_outcome_in_every_state(operator: Operator) -> None:
    deployment = await operator.ready(NAME)
    assert deployment["capabilities"]["primary"]["abilities"]["tools"] == "yes"
    assert {"logprobs", "context_length"} <= set(deployment["capabilities"]["not_shared"])
    models = (await operator.call("GET", f"/v1/models/{NAME}")).body
    assert models["spillway"]["capabilities"] == deployment["capabilities"]

    outcomes: dict[str, dict[str, tuple[int, int]]] = {call: {} for call in CALLS}
    reasons: dict[str, dict[str, str]] = {call: {} for call in CALLS}
    for state in STATES:
        if state == "asleep":
            assert (await operator.call("POST", f"/deployments/{NAME}/sleep")).status == 202
            await operator.until(NAME, "asleep")
            await expect_to_be_told_to_come_back(operator)
        for call, (endpoint, body, _) in CALLS.items():
            answer = await ask(operator, endpoint, body)
            outcomes[call][state] = (answer.status, len(answer.body.get("choices", ())))
            reasons[call][state] = answer.headers["x-spillway-reason"]
            if call == "JSON" and answer.headers["x-spillway-target"] == "bedrock":
                assert isinstance(json.loads(answer.body["choices"][0]["message"]["content"]), dict)
    assert outcomes == {call: dict.fromkeys(STATES, (200, choices)) for call, (_, _, choices) in CALLS.items()}
    left_out = {call for call, by_state in reasons.items() if by_state["ready"] == "primary_cannot"}
    assert left_out == {"a prompt above the fleet's context"}

    await operator.until(NAME, "serving")
    assert (await ask(operator, "chat/completions", PROBABILITIES)).headers["x-spillway-target"] == "fleet"
    # Neither target can: that is told, not waited for.
    never = await ask(operator, "chat/completions", {**CHAT, "messages": PICTURE})
    assert (never.status, never.error["code"], never.error["param"]) == (400, "unsupported_by_model", "messages")


async def expect_to_be_told_to_come_back(operator: Operator) -> None:
    """Log probabilities are nothing that Converse tells: the sleeping fleet is woken for them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        # The gateway may know an older route for two seconds.
        while (await operator.call("GET", f"/v1/models/{NAME}")).body["spillway"]["state"] != "cold":
            await asyncio.sleep(POLL_SECONDS)
    headers = {"x-spillway-max-wait": "0"}
    refused = await ask(operator, "chat/completions", PROBABILITIES, headers=headers)
    assert (refused.status, refused.error["code"]) == (503, "asleep")
    assert int(refused.headers["retry-after"]) > 0
