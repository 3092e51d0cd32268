"""What is done each hour and each day on a schedule: a day passes, and what came of it is to be seen and was told."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.builders import SPILL_MODEL, spec_body
from tests.e2e.operator import PATIENCE_SECONDS, Operator, ask_at_once
from tests.sandbox.sandbox import Sandbox

# A day in 18 seconds. Other schedules would be due all the time.
TIME_FACTOR = 4800
SCHEDULES = ("ReviewCosts", "RefreshPrices", "SmokeTest")
NAME = "shadowed"


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    capacity = {"instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 300_000}
    wish = {"path": "bedrock", "model": {"id": SPILL_MODEL}, "capacity": capacity, "spill": None}
    ask_at_once(sandbox, spec_body(name=NAME, **wish))


async def test_after_a_day_it_says_whether_a_fleet_would_pay_and_when_credits_run_out(operator: Operator) -> None:
    await operator.until(NAME, "serving")
    answer = await operator.chat(NAME)
    assert answer.status == 200, answer.body
    grants = [{"name": "activate", "usd": 100.0}]
    stated = await operator.call("PUT", "/credits", {"grants": grants, "other_usd_per_day": 20.0})
    assert stated.status == 200, stated.body
    # $100 at $20 a day, less what the minutes since took.
    assert stated.body["days_covered"] in (4, 5)
    found = await operator.when(NAME, lambda found: found.get("shadow") is not None, seconds=2 * PATIENCE_SECONDS)
    shadow = found["shadow"]
    assert (shadow["pays"], shadow["instances"], shadow["tokens"] > 0) == (False, 0, True)
    assert shadow["fleet_usd"] == pytest.approx(shadow["bedrock_usd"])
    assert "an hour on demand" in shadow["why"]
    assert "bedrock_pays" in await operator.codes(NAME)
    alert = await operator.alerted("credits", "7")
    assert (alert["topic"], alert["state"], alert["why"]["code"]) == ("cost", "open", "credits_low")


async def test_prices_are_read_once_a_day_and_a_users_own_stay(sandbox: Sandbox, operator: Operator) -> None:
    own = {"table": "ec2", "name": "g6e.xlarge", "usd": [1.5], "note": "ours"}
    put = await operator.call("PUT", "/prices/overrides", {"overrides": [own]})
    assert put.status == 200, put.body
    today = sandbox.clock.now().date()

    async def refreshed() -> bool:
        found = await operator.call("GET", "/prices?table=ec2")
        prices = {item["name"]: item for item in found.body["items"]}
        assert prices["g6e.xlarge"]["usd"] == [1.5]
        return datetime.fromisoformat(prices["g5.2xlarge"]["as_of"]).date() >= today

    deadline = sandbox.clock.now() + timedelta(days=3)
    while not await refreshed():
        assert sandbox.clock.now() < deadline
        await asyncio.sleep(0.2)
    # What is read last, so that the reading is not ended in its middle.
    await operator.eventually(
        lambda: "DescribeSpotPriceHistory" in {one.operation for one in sandbox.permissions.calls()}
    )
    removed = await operator.call("PUT", "/prices/overrides", {"overrides": []})
    assert removed.status == 200, removed.body
