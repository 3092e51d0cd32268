"""The hourly review on its schedule: a day passes, and what it found is to be seen and was told."""

import pytest
from moto.scheduler.models import scheduler_backends

from tests.builders import SPILL_MODEL, spec_body
from tests.e2e.operator import PATIENCE_SECONDS, Operator, ask_at_once
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.sandbox import Sandbox

# A day in 18 seconds. Of the schedules only the review's goes on: others would be due all the time.
TIME_FACTOR = 4800
CHECKS = False
NAME = "shadowed"


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    for group in scheduler_backends[ACCOUNT][REGION].schedule_groups.values():
        for schedule in group.schedules.values():
            if "ReviewCosts" in schedule.target["Arn"]:
                schedule.state = "ENABLED"
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
