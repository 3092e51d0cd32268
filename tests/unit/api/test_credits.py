"""``/credits``."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spillway.domain.observations.usage import HourOfTraffic, Traffic
from tests.builders import NOW, a_deployment, an_instance_time
from tests.unit.api.conftest import World

HOUR = timedelta(hours=1)


def put(world: World, *grants: dict[str, Any], **more: Any) -> Any:
    return world.call("PUT", "/credits", {"grants": list(grants), **more})


@pytest.fixture
def burning(world: World) -> World:
    """A fleet that costs $24 a day, for three days up to now."""
    world.deployments.items["support-llama"] = a_deployment()
    for back in range(1, 24 * 3 + 10):
        hour = NOW.replace(minute=0) - back * HOUR
        world.usage.put_instance_times([an_instance_time(hour=hour, seconds=3600, usd_per_hour=1.0)])
    return world


def test_without_credits_there_is_nothing_to_show(world: World) -> None:
    shown = world.call("GET", "/credits").json
    assert (shown["stated_at"], shown["grants"], shown["balance_usd"]) == (None, [], 0.0)
    assert (shown["usd_per_day"], shown["runs_out_on"], shown["days_covered"]) == (None, None, None)


def test_grants_are_burnt_at_the_pace_of_the_last_days_the_first_to_expire_first(burning: World) -> None:
    activate, poc = {"name": "activate", "usd": 200}, {"name": "poc", "usd": 100, "expires_on": "2026-11-25"}
    shown = put(burning, activate, poc).json
    assert (shown["stated_at"], shown["balance_usd"], shown["used_usd"]) == ("2026-11-24T09:30:00Z", 300.0, 0.0)
    # Three whole days of $24 each; before them nothing was here.
    assert (shown["usd_per_day"], shown["pace_days"], shown["is_at_least"]) == (24.0, 3, False)
    by_name = {grant["name"]: grant for grant in shown["grants"]}
    # Today and tomorrow come out of the proof of concept, and $52 of it expire; then 200 / 24 = 8.3 days.
    assert by_name["poc"]["unused_usd"] == pytest.approx(52.0)
    assert (by_name["poc"]["empty_on"], by_name["activate"]["empty_on"]) == (None, "2026-12-04")
    assert (shown["runs_out_on"], shown["days_covered"]) == ("2026-12-04", 10)


def test_what_has_been_used_since_is_taken_off(burning: World) -> None:
    put(burning, {"name": "poc", "usd": 10, "expires_on": "2026-11-25"}, {"name": "activate", "usd": 100})
    burning.now = NOW + timedelta(days=2)
    for hours in range(48):
        hour = NOW.replace(minute=0) + hours * HOUR
        burning.usage.put_instance_times([an_instance_time(hour=hour, seconds=3600, usd_per_hour=1.0)])
    shown = burning.call("GET", "/credits").json
    # $48 in two days: ten of the first grant, the rest of the second; the first has expired meanwhile.
    assert [(grant["stated_usd"], grant["left_usd"]) for grant in shown["grants"]] == [(10.0, 0.0), (100.0, 62.0)]
    assert (shown["used_usd"], shown["balance_usd"]) == (48.0, 62.0)
    # Of the last seven days the five whole ones with a cost, all of $24.
    assert (shown["usd_per_day"], shown["pace_days"]) == (24.0, 5)


def test_what_else_uses_them_counts_by_the_day_also_before_the_first_cost(world: World) -> None:
    shown = put(world, {"name": "activate", "usd": 100}, other_usd_per_day=10).json
    assert (shown["usd_per_day"], shown["pace_days"], shown["runs_out_on"]) == (10.0, 0, "2026-12-04")
    world.now = datetime(2026, 11, 25, 21, 30, tzinfo=UTC)
    # A day and a half later.
    assert world.call("GET", "/credits").json["used_usd"] == pytest.approx(15.0)


def test_expired_grants_are_no_balance(world: World) -> None:
    shown = put(world, {"name": "old", "usd": 100, "expires_on": "2026-11-23"}, other_usd_per_day=1).json
    assert (shown["balance_usd"], shown["runs_out_on"]) == (0.0, "2026-11-24")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "grants"),
        ({"grants": [{"name": "a", "usd": 0}]}, "grants.0.usd"),
        ({"grants": [{"name": "a", "usd": -5}]}, "grants.0.usd"),
        ({"grants": [{"name": "a"}]}, "grants.0.usd"),
        ({"grants": [{"name": "", "usd": 5}]}, "grants.0.name"),
        ({"grants": [{"name": "a", "usd": 5, "expires_on": "soon"}]}, "grants.0.expires_on"),
        ({"grants": [{"name": "a", "usd": 5}, {"name": "a", "usd": 6}]}, "grants.1.name"),
        ({"grants": [{"name": f"g{n}", "usd": 5} for n in range(21)]}, "grants"),
        ({"grants": [], "other_usd_per_day": -1}, "other_usd_per_day"),
        ({"grants": [], "colour": "blue"}, "colour"),
    ],
)
def test_credits_that_make_no_sense_are_rejected(world: World, body: dict[str, Any], param: str) -> None:
    answer = world.call("PUT", "/credits", body)
    assert (answer.status, answer.error["param"]) == (400, param), answer.text
    assert world.credits.ledger is None


def test_the_share_of_spillways_own_services_is_paid_by_credits_too(world: World) -> None:
    put(world, {"name": "activate", "usd": 100})
    world.deployments.items["support-llama"] = a_deployment()
    # A thousand requests that occupied 256 MB of Lambda for ten seconds each.
    traffic = Traffic(1000, 0, 1_000_000, 0, 100_000, lambda_mb_ms=1000 * 256 * 10_000)
    hour = NOW.replace(minute=0)
    world.usage.by_hour["support-llama"] = [HourOfTraffic(hour, "spill", "bedrock", "key_a", traffic)]
    total = world.call("GET", "/costs").json["total"]
    assert total["shared_usd"] > 0
    shown = world.call("GET", "/credits").json
    assert shown["used_usd"] == pytest.approx(total["usd"] + total["shared_usd"], abs=1e-5)
