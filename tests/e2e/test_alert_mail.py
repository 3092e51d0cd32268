"""Alerts that nobody is told of: mail that nobody confirmed, and mail that somebody's scanner unsubscribed."""

import asyncio
from typing import Any

from tests.e2e.operator import PATIENCE_SECONDS, POLL_SECONDS, Operator
from tests.sandbox.sandbox import Sandbox

# An hour in six seconds.
TIME_FACTOR = 600
ADDRESS = "ops@example.com"
PARAMETERS = {"AlertEmail": ADDRESS}
TOPICS = {"scale": "ScaleTopic", "cost": "CostTopic", "operations": "OperationsTopic"}


async def heard(operator: Operator) -> dict[str, Any]:
    answer = await operator.call("GET", "/alerts")
    assert answer.status == 200, answer.body
    return {one["topic"]: (one["confirmed"], one["pending"]) for one in answer.body["items"]}


async def told(operator: Operator, topic: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await operator.alerted("subscribers", topic))["state"] != state:
            await asyncio.sleep(POLL_SECONDS)
    return found


async def test_mail_that_is_not_confirmed_and_mail_that_is_unsubscribed_is_seen_and_told(
    sandbox: Sandbox, operator: Operator
) -> None:
    subscriptions = sandbox.emulation.topics
    assert await heard(operator) == dict.fromkeys(TOPICS, (0, 1))
    subscriptions.confirm(ADDRESS, TOPICS["operations"])
    found = [await told(operator, topic, "open") for topic in ("scale", "cost")]
    assert {(one["topic"], one["why"]["code"]) for one in found} == {("operations", "nobody_told")}
    assert all("1 subscription(s) of it wait" in one["why"]["sentence"] for one in found)
    for topic in TOPICS:
        subscriptions.confirm(ADDRESS, TOPICS[topic])
    for topic in ("scale", "cost"):
        await told(operator, topic, "closed")
    assert await heard(operator) == dict.fromkeys(TOPICS, (1, 0))

    subscriptions.unsubscribe(ADDRESS, TOPICS["operations"])
    lost = await told(operator, "operations", "open")
    assert (lost["topic"], lost["why"]["sentence"]) == ("cost", "The topic has no confirmed subscription.")
    assert (await heard(operator))["operations"] == (0, 0)
