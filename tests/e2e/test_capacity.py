"""Capacity that comes and goes: sleep, wake, growth, loss, and the check that decides about them."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import spec_body
from tests.e2e.operator import PATIENCE_SECONDS, Operator, ask_at_once
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.cloud.machines import Machine, Phase
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
# What differs from a fleet of up to four instances with a spill target, that never falls asleep by itself.
WISHES: dict[str, dict[str, Any]] = {
    "sleepy": {},
    "idler": {"thresholds": {"idle_after_seconds": 300}},
    # EC2 offers it, and no table of the package has it. Everything but its price is known to weigh traffic in dollars.
    "novel": {
        "capacity": {"max": 1, "instance_types": ["g7.2xlarge"], "tokens_per_minute_per_instance": 100_000},
        "thresholds": {"idle_after_seconds": 600},
        "budget": {"usd_per_month": 1000},
    },
    "popular": {},
    "unlucky": {},
    "shrinking": {"capacity": {"min": 2, "max": 3, "instance_types": ["g6e.xlarge"]}},
    "growing": {},
    "alone": {"capacity": {"max": 1, "instance_types": ["g6e.xlarge"]}},
    "early-bird": {},
    "bargain": {"capacity": {"min": 1, "instance_types": ["g6e.xlarge"], "market": "spot"}},
    "mortal": {"capacity": {"min": 1, "instance_types": ["g6e.xlarge"]}},
    "lonely": {
        "spill": None,
        "capacity": {"max": 1, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 1000},
        "thresholds": {"waiting_usd_per_request": 1.0, "idle_after_seconds": 604_800},
    },
    "hosted": {"path": "jumpstart", "capacity": {"max": 2, "instance_types": ["ml.g5.2xlarge"]}},
}


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    awake = {"thresholds": {"idle_after_seconds": 604_800}}
    ask_at_once(sandbox, *(spec_body(name=name, **{**awake, **wish}) for name, wish in WISHES.items()))


def machines_of(sandbox: Sandbox, name: str) -> list[Machine]:
    return [each for each in list(sandbox.emulation.fleet.machines.values()) if each.deployment == name]


def _in_service(sandbox: Sandbox, name: str) -> list[Machine]:
    return [each for each in machines_of(sandbox, name) if each.phase is Phase.IN_SERVICE and each.engine]


def _states(sandbox: Sandbox, name: str) -> list[str]:
    """Return the states of the alerts about lost capacity, in order."""
    return [each["state"] for each in sandbox.alerts.alerts() if each["id"].startswith(f"{name}/capacity_lost")]


async def put_to_sleep(operator: Operator, name: str) -> None:
    answer = await operator.call("POST", f"/deployments/{name}/sleep")
    assert answer.status == 202, answer.body
    await operator.until(name, "asleep")


async def test_sleep_by_request_leaves_no_instance_and_says_what_it_saves(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ready("sleepy")
    await put_to_sleep(operator, "sleepy")
    asleep = await operator.seen("sleepy")
    assert (asleep["desired"], asleep["route"]["state"]) == (0, "cold")
    assert machines_of(sandbox, "sleepy") == []
    alert = await operator.alerted("sleepy", "asleep")
    assert alert["usd_per_hour"] < 0
    assert alert["why"]["code"] == "asked"
    again = await operator.call("POST", "/deployments/sleepy/sleep")
    assert (again.status, again.error["code"]) == (409, "conflict")


async def test_an_idle_fleet_is_put_to_sleep_by_the_check(operator: Operator) -> None:
    operator.adopt("idler")
    asleep = await operator.until("idler", "asleep")
    assert asleep["status_reason"] == "Asleep: zero instances."
    alert = await operator.alerted("idler", "asleep")
    assert alert["why"]["code"] == "idle"
    assert alert["why"]["observed"] >= alert["why"]["threshold"] == 300


async def test_a_type_without_a_price_serves_and_sleeps_by_its_threshold_and_is_named(operator: Operator) -> None:
    operator.adopt("novel")
    asleep = await operator.until("novel", "asleep")
    assert "serving" in operator.statuses("novel")
    assert (asleep["unpriced"], asleep["resources"]["instance_type"]) == (["instance g7.2xlarge"], "g7.2xlarge")
    alert = await operator.alerted("novel", "asleep")
    assert (alert["why"]["code"], alert["usd_per_hour"]) == ("idle", None)
    await operator.alerted("novel", "budget_unpriced")
    unheld = (await operator.alerts("novel", "budget_unpriced/"))[0]
    assert unheld["why"]["sentence"].startswith("Part of what it used this month has no known price")
    # Its first hours may be last month's by now.
    costs = await operator.call("GET", f"/costs?deployment=novel&from={asleep['created_at'][:10]}")
    assert "instance g7.2xlarge" in costs.body["unknown"]
    assert costs.body["total"]["usd"] is None


async def test_many_wakes_at_once_are_one(operator: Operator) -> None:
    await operator.ready("popular")
    await put_to_sleep(operator, "popular")
    answers = await asyncio.gather(*(operator.call("POST", "/deployments/popular/wake") for _ in range(6)))
    assert {answer.status for answer in answers} <= {202, 409}
    assert 202 in {answer.status for answer in answers}
    await operator.until("popular", "serving")
    assert operator.statuses("popular").count("waking") == 1
    await operator.alerted("popular", "awake")
    assert len(await operator.alerts("popular", "awake/")) == 1


async def test_a_wake_without_capacity_goes_back_to_sleep_is_held_and_spill_serves(
    sandbox: Sandbox, faults: Faults, operator: Operator
) -> None:
    await operator.ready("unlucky")
    await put_to_sleep(operator, "unlucky")
    faults.insufficient_capacity |= {"g6e.xlarge", "g5.2xlarge"}
    await operator.call("POST", "/deployments/unlucky/wake")
    await operator.when("unlucky", lambda found: found["status"] == "waking")
    asleep = await operator.until("unlucky", "asleep")
    assert asleep["status_reason"].startswith("CapacityUnavailable: ")
    assert asleep["desired"] == 0
    alert = await operator.alerted("unlucky", "scale_failed")
    assert alert["why"]["sentence"] == asleep["status_reason"]
    assert "no_capacity" in await operator.codes("unlucky")
    assert len(await operator.alerts("unlucky", "scale_failed/")) == 1
    assert operator.statuses("unlucky").count("waking") == 1
    answer = await operator.chat("unlucky")
    assert (answer.status, answer.headers["x-spillway-target"]) == (200, "bedrock")
    faults.clear()
    assert (await operator.call("POST", "/deployments/unlucky/wake")).status == 202
    await operator.until("unlucky", "serving")


async def test_without_a_spill_target_it_sleeps_and_wakes_by_what_waiting_costs(operator: Operator) -> None:
    # By now it may have served and gone to sleep already.
    await operator.until("lonely", "asleep")
    refused = await operator.chat("lonely")
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) > 0
    # One request does not pay for a start; that they go on coming, a dollar each, does.
    async with asyncio.timeout(2 * PATIENCE_SECONDS):
        while not await _was_woken(operator, "lonely"):
            assert (await operator.chat("lonely")).status in (200, 503)
    assert "traffic_returned" not in await operator.codes("lonely")


async def _was_woken(operator: Operator, name: str) -> bool:
    answer = await operator.call("GET", f"/deployments/{name}/decisions?limit=100")
    return any(
        found["action"] == "wake" and found["reason"]["code"] == "traffic_pays" for found in answer.body["items"]
    )


async def test_a_smaller_maximum_scales_in(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ready("shrinking")
    await operator.eventually(lambda: len(_in_service(sandbox, "shrinking")) == 2)
    answer = await operator.call("PATCH", "/deployments/shrinking", {"capacity": {"min": 1, "max": 1}})
    assert answer.status == 202, answer.body
    assert answer.body["workflow"]
    await operator.when("shrinking", lambda found: found["desired"] == 1 and not found["workflow"])
    await operator.eventually(lambda: len(machines_of(sandbox, "shrinking")) == 1)
    alert = await operator.alerted("shrinking", "shrunk")
    assert (alert["why"]["code"], alert["usd_per_hour"] < 0) == ("out_of_bounds", True)
    assert "draining" not in operator.statuses("shrinking")


async def test_a_larger_minimum_wakes_and_scales_out(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ready("growing")
    await put_to_sleep(operator, "growing")
    answer = await operator.call("PATCH", "/deployments/growing", {"capacity": {"min": 2}})
    assert answer.status == 202, answer.body
    grown = await operator.until("growing", "serving")
    assert grown["desired"] == 2
    refused = await operator.call("POST", "/deployments/growing/sleep")
    assert refused.status == 409
    assert "must keep 2" in refused.error["message"]


async def test_a_fleet_of_one_that_may_be_two_gets_an_instance_by_the_template_of_several(
    sandbox: Sandbox, operator: Operator
) -> None:
    await operator.ready("alone")
    (first,) = _in_service(sandbox, "alone")
    answer = await operator.call("PATCH", "/deployments/alone", {"capacity": {"min": 2, "max": 2}})
    assert answer.status == 202, answer.body
    await operator.when("alone", lambda found: found["desired"] == 2 and not found["workflow"])
    await operator.eventually(lambda: len(_in_service(sandbox, "alone")) == 2)
    (second,) = (each for each in _in_service(sandbox, "alone") if each.id != first.id)
    # Instances that are not alone have a proxy each, which the launch template's next version starts.
    assert (first.proxied, second.proxied) == (False, True)
    answers = [await operator.chat("alone") for _ in range(4)]
    assert {answer.status for answer in answers} == {200}
    assert all(answer.headers["x-spillway-target"] == "fleet" for answer in answers)
    await operator.retired("alone")
    assert operator.leftovers("alone") == []


async def test_a_window_that_opens_later_wakes_the_fleet_when_it_opens(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ready("early-bird")
    await put_to_sleep(operator, "early-bird")
    now = sandbox.clock.now()
    opens, closes = now + timedelta(minutes=10), now + timedelta(hours=12)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    window = {"days": days, "from": f"{opens:%H:%M}", "to": f"{closes:%H:%M}", "time_zone": "UTC"}
    answer = await operator.call("PATCH", "/deployments/early-bird", {"capacity": {"warm_windows": [window]}})
    assert (answer.status, answer.body["status"]) == (202, "asleep")
    waking = await operator.when("early-bird", lambda found: found["status"] in ("waking", "serving"))
    assert waking["updated_at"] >= f"{opens:%Y-%m-%dT%H:%M}"
    await operator.until("early-bird", "serving")
    alert = await operator.alerted("early-bird", "awake")
    assert alert["why"]["code"] == "warm_window"


async def test_a_spot_interruption_moves_the_route_tells_and_recovers(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ready("bargain")
    (machine,) = machines_of(sandbox, "bargain")
    assert machine.spot
    await asyncio.to_thread(sandbox.emulation.fleet.interrupt_spot, machine.id)
    alert = await operator.alerted("bargain", "spot_notice")
    assert machine.id in alert["why"]["sentence"]
    assert "spot_notice" in await operator.codes("bargain")
    await operator.eventually(lambda: machine.phase is Phase.GONE)
    await operator.eventually(lambda: len(_in_service(sandbox, "bargain")) == 1)
    await operator.when("bargain", lambda found: found["route"]["state"] == "ready")
    assert len(await operator.alerts("bargain", "spot_notice/")) == 1


async def test_a_dead_instance_is_announced_once_and_its_replacement_too(
    sandbox: Sandbox, faults: Faults, operator: Operator
) -> None:
    await operator.ready("mortal")
    (machine,) = machines_of(sandbox, "mortal")
    # Its replacement comes once it has been seen to be missing, however long a look takes.
    faults.insufficient_capacity.add("g6e.xlarge")
    await asyncio.to_thread(sandbox.emulation.fleet.kill_instance, machine.id)
    await operator.when("mortal", lambda found: found["route"]["state"] == "warming")
    faults.clear()
    await operator.when("mortal", lambda found: found["route"]["state"] == "ready")
    assert machines_of(sandbox, "mortal")[0].id != machine.id
    await operator.eventually(lambda: _states(sandbox, "mortal") == ["open", "closed"])


async def test_a_jumpstart_endpoint_sleeps_wakes_and_serves(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ready("hosted")
    await put_to_sleep(operator, "hosted")
    component = sandbox.emulation.sagemaker.components["spillway-hosted"]
    assert component.copies == []
    await operator.eventually(lambda: sandbox.emulation.sagemaker.endpoints["spillway-hosted"].instances == 0)
    await operator.call("POST", "/deployments/hosted/wake")
    await operator.until("hosted", "serving")
    assert len(component.ready) == 1
    await operator.retired("hosted")
    assert operator.leftovers("hosted") == []


async def test_of_checks_that_overlap_one_runs_and_the_others_are_skipped(sandbox: Sandbox) -> None:
    check = next(spec for spec in sandbox.deployed.functions if spec.logical_id == "CheckUtilizationFunction")

    async def look() -> Any:
        invocation = await sandbox.functions.run_async(check.name, b"{}")
        assert invocation.function_error is None
        return json.loads(invocation.payload)

    # A look at next to nothing is over soon: that two of one round overlap is likely, and of ten rounds certain.
    for _ in range(10):
        looks = await asyncio.gather(*(look() for _ in range(4)))
        assert not all(look.get("skipped") for look in looks)
        if any(look.get("skipped") for look in looks):
            return
    pytest.fail(f"all ran: {looks}")
