"""The official ``openai`` client against the real gateway: whole answers, streams, and what breaks them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.builders import SPILL_MODEL, SPILL_PROFILE, spec_body
from tests.e2e.operator import Operator, ask_at_once
from tests.sandbox.cloud.machines import Machine
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 120
ONE = {"min": 1, "max": 1, "instance_types": ["g6e.xlarge"]}
# No other test asks it: it is left alone for a minute after its quota was used up.
OTHER_MODEL = "qwen.qwen3-32b-v1:0"
# One deployment a target, and more for the tests that break theirs.
WISHES: dict[str, dict[str, Any]] = {
    "on-fleet": {"capacity": ONE},
    "on-jumpstart": {"path": "jumpstart", "capacity": None},
    "on-bedrock": {"path": "bedrock", "model": {"id": SPILL_MODEL}, "capacity": None, "spill": None},
    "used-up": {"path": "bedrock", "model": {"id": OTHER_MODEL}, "capacity": None, "spill": None},
    "breaking": {"capacity": ONE},
    "asleep": {},
}
TARGETS = {"on-fleet": "fleet", "on-jumpstart": "jumpstart", "on-bedrock": "bedrock"}
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Where is my order? It is late."}]
# Far longer than any test waits for: it ends because somebody ends it.
LONG: dict[str, Any] = {"max_tokens": 6000, "extra_body": {"ignore_eos": True}}


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    awake = {"thresholds": {"idle_after_seconds": 604_800}}
    ask_at_once(sandbox, *(spec_body(name=name, **{**awake, **wish}) for name, wish in WISHES.items()))


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[openai.AsyncOpenAI]:
    made = openai.AsyncOpenAI(base_url=sandbox.openai_base_url, api_key=sandbox.admin_key, max_retries=0, timeout=30)
    async with made:
        yield made


def machine_of(sandbox: Sandbox, name: str) -> Machine:
    return next(each for each in sandbox.emulation.fleet.machines.values() if each.deployment == name and each.engine)


def running_on(machine: Machine) -> float:
    return machine.engine.load().running if machine.engine else 0.0


async def routed_to(client: openai.AsyncOpenAI, name: str, target: str) -> Counter[str]:
    """Ask for one word until the target answers: the gateway's routes may be two seconds old.

    Returns what its answer is counted as, which is written a moment later.
    """
    async with asyncio.timeout(30):
        while True:
            raw = await client.chat.completions.with_raw_response.create(model=name, messages=MESSAGES, max_tokens=1)
            if raw.headers["x-spillway-target"] == target:
                return _counted(raw.parse().usage)
            await asyncio.sleep(0.2)


def used(sandbox: Sandbox, name: str) -> dict[str, Counter[str]]:
    """Return the usage counters of a deployment, by target."""
    stack = sandbox.deployed.stack
    found = stack.client("dynamodb").query(
        TableName=stack.ref("UsageTable"),
        KeyConditionExpression="deployment = :name",
        ExpressionAttributeValues={":name": {"S": name}},
    )
    counts: dict[str, Counter[str]] = {}
    for item in found["Items"]:
        _hour, role, path, *_ = item["bucket"]["S"].split("#")
        if role != "instances":
            numbers = {key: int(value["N"]) for key, value in item.items() if "N" in value}
            counts.setdefault(path, Counter()).update(numbers)
    return counts


@pytest.mark.parametrize(("name", "target"), TARGETS.items())
async def test_answers_come_whole_and_as_streams_and_every_token_is_counted(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI, name: str, target: str
) -> None:
    await operator.until(name, "serving")
    before = used(sandbox, name).get(target, Counter())
    seen = await routed_to(client, name, target)
    for tokens in (5, 40):
        whole = await client.chat.completions.create(model=name, messages=MESSAGES, max_tokens=tokens)
        assert whole.model == name
        assert whole.choices[0].message.content
        assert whole.choices[0].finish_reason == "length"
        seen += _counted(whole.usage)
        stream = await client.chat.completions.create(
            model=name, messages=MESSAGES, max_tokens=tokens, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert {chunk.model for chunk in chunks} == {name}
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
        assert chunks[-1].usage
        seen += _counted(chunks[-1].usage)

    def counted() -> bool:
        return used(sandbox, name).get(target, Counter())["requests"] - before["requests"] >= seen["requests"]

    await operator.eventually(counted)
    after = used(sandbox, name)[target]
    assert {key: after[key] - before[key] for key in seen} == dict(seen)
    assert not after["failed"]


def _counted(usage: Any) -> Counter[str]:
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    return Counter(requests=1, prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)


async def test_a_client_that_hangs_up_ends_the_work_upstream(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI
) -> None:
    await operator.until("on-fleet", "serving")
    await routed_to(client, "on-fleet", "fleet")
    machine = machine_of(sandbox, "on-fleet")
    stream = await client.chat.completions.create(model="on-fleet", messages=MESSAGES, stream=True, **LONG)
    await anext(aiter(stream))
    await operator.eventually(lambda: running_on(machine) == 1)
    await stream.close()
    await operator.eventually(lambda: running_on(machine) == 0, seconds=10)


async def test_a_whole_answer_nobody_waits_for_is_given_up_too(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI
) -> None:
    await operator.until("on-fleet", "serving")
    await routed_to(client, "on-fleet", "fleet")
    machine = machine_of(sandbox, "on-fleet")
    asking = asyncio.create_task(client.chat.completions.create(model="on-fleet", messages=MESSAGES, **LONG))
    await operator.eventually(lambda: running_on(machine) == 1)
    asking.cancel()
    await operator.eventually(lambda: running_on(machine) == 0, seconds=10)


async def test_a_fleet_that_dies_ends_its_stream_with_an_error_and_bedrock_takes_the_next_request(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI
) -> None:
    await operator.until("breaking", "serving")
    await routed_to(client, "breaking", "fleet")
    stream = await client.chat.completions.create(model="breaking", messages=MESSAGES, stream=True, **LONG)
    machine = machine_of(sandbox, "breaking")
    text = ""

    async def read() -> None:
        nonlocal text
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""
            if text and machine.engine:
                await asyncio.to_thread(sandbox.emulation.fleet.kill_instance, machine.id)

    with pytest.raises(openai.APIError) as broken:
        await read()
    assert text
    assert broken.value.code == "stream_interrupted"
    rescued = await client.chat.completions.with_raw_response.create(model="breaking", messages=MESSAGES, max_tokens=4)
    assert rescued.headers["x-spillway-target"] == "bedrock"
    assert rescued.parse().choices[0].message.content
    await operator.eventually(lambda: used(sandbox, "breaking").get("fleet", Counter())["failed"] == 1)
    await routed_to(client, "breaking", "fleet")


async def test_fifty_requests_at_once_wake_a_fleet_once_and_are_all_answered(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI
) -> None:
    await operator.until("asleep", "serving")
    await operator.call("POST", "/deployments/asleep/sleep")
    await operator.until("asleep", "asleep")
    # The gateway may still have the route to the fleet, which is gone: these are answered, too.
    await routed_to(client, "asleep", "bedrock")
    answers = await asyncio.gather(
        *(client.chat.completions.create(model="asleep", messages=MESSAGES, max_tokens=4) for _ in range(50))
    )
    assert all(answer.choices[0].message.content for answer in answers)
    await operator.eventually(lambda: operator.statuses("asleep").count("waking"))
    await operator.until("asleep", "serving")
    assert operator.statuses("asleep").count("waking") == 1
    # The gateway's route may be two real seconds old, which are minutes here: it may ask once in each of them.
    times = [each["at"] for each in sandbox.emulation.events.seen if each["DetailType"] == "WakeRequested"]
    # None of them arrives where the machine is too busy: then the check saw the requests that were spilled.
    assert not times or len(times) - 1 <= (times[-1] - times[0]) / timedelta(minutes=1) + 0.5
    await operator.alerted("asleep", "awake")


async def test_when_bedrock_throttles_too_the_answer_says_when_to_come_back(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI
) -> None:
    await operator.until("on-bedrock", "serving")
    await routed_to(client, "on-bedrock", "bedrock")
    for stream in (False, True):
        sandbox.emulation.bedrock.fail_next(SPILL_PROFILE, "ThrottlingException")
        with pytest.raises(openai.APIStatusError) as refused:
            await client.chat.completions.create(model="on-bedrock", messages=MESSAGES, max_tokens=4, stream=stream)
        assert refused.value.status_code in (429, 503)
        assert 0 < int(refused.value.response.headers["retry-after"]) <= 60
        assert refused.value.type in ("service_unavailable", "rate_limit_error")
    await routed_to(client, "on-bedrock", "bedrock")


async def test_a_days_quota_that_is_used_up_is_told_within_minutes(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI
) -> None:
    await operator.until("used-up", "serving")
    await routed_to(client, "used-up", "bedrock")
    quotas = sandbox.emulation.bedrock.quotas.per_day
    quotas[OTHER_MODEL] = 1
    try:
        with pytest.raises(openai.APIStatusError) as refused:
            await client.chat.completions.create(model="used-up", messages=MESSAGES, max_tokens=4)
    finally:
        del quotas[OTHER_MODEL]
    assert (refused.value.status_code, refused.value.code) == (503, "quota_used_up")
    alert = await operator.alerted("used-up", "quota_used_up")
    assert (alert["state"], alert["severity"], alert["why"]["observed"]) == ("open", "warning", 1)


async def test_a_bedrock_stream_that_breaks_ends_with_an_error(
    sandbox: Sandbox, operator: Operator, client: openai.AsyncOpenAI
) -> None:
    await operator.until("on-bedrock", "serving")
    await routed_to(client, "on-bedrock", "bedrock")
    sandbox.emulation.bedrock.fail_next(SPILL_PROFILE, "ModelErrorException", after_tokens=20)
    stream = await client.chat.completions.create(model="on-bedrock", messages=MESSAGES, max_tokens=100, stream=True)
    with pytest.raises(openai.APIError) as broken:
        [chunk async for chunk in stream]
    assert broken.value.code == "stream_interrupted"


async def test_an_unknown_model_is_openais_not_found(client: openai.AsyncOpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as refused:
            await client.chat.completions.create(model="nobody", messages=MESSAGES, stream=stream)
        assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


async def test_all_deployments_are_listed_as_models(operator: Operator, client: openai.AsyncOpenAI) -> None:
    async def listed() -> set[str]:
        return {model.id async for model in client.models.list()}

    async with asyncio.timeout(30):
        while not set(WISHES) <= await listed():
            await asyncio.sleep(0.2)
    assert (await client.models.retrieve("on-fleet")).id == "on-fleet"


async def test_in_the_end_nothing_is_left(operator: Operator) -> None:
    for name in WISHES:
        operator.adopt(name)
    await asyncio.gather(*(operator.retired(name) for name in WISHES))
