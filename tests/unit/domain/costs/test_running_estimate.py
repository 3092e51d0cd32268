"""The running estimate: every minute counted once, however often and however late the check looks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spillway.domain.costs.running_estimate import Spent, add_up
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.scaling.check_state import Memory
from tests.builders import NOW, SPILL_MODEL, a_capacity, a_deployment, a_price_book, a_spec

MINUTE = timedelta(minutes=1)
# A million prompt tokens at $1, and a million completion tokens at $2.
TOKENS = {"bedrock_prompt_tokens": 1_000_000, "bedrock_completion_tokens": 1_000_000}
USD = 3.0


def spent(
    load: Load | None = None,
    memory: Memory | None = None,
    now: datetime = NOW,
    capacity: Capacity | None = None,
    region: str = "us-east-1",
    **changes: Any,
) -> Spent:
    deployment = a_deployment(**changes)
    return add_up(deployment, capacity or Capacity(), load or Load(), memory or Memory(), a_price_book(), region, now)


def at(*minutes: datetime) -> Load:
    return Load(tuple(Minute(minute, 1, **TOKENS) for minute in minutes))


def test_the_first_look_has_nothing_to_count_from() -> None:
    first = spent(at(NOW - 5 * MINUTE), capacity=a_capacity(1))
    assert first.memory.usd_this_month == 0.0
    assert first.memory.counted_until == NOW - 2 * MINUTE


def test_a_minute_counts_once_it_is_settled_and_only_once() -> None:
    busy = datetime(2026, 11, 24, 9, 28, tzinfo=UTC)
    memory = Memory(counted_until=busy, month="2026-11")
    seen = []
    # Looks of every minute, one of them twice, that all see the same datapoint.
    for look in (busy + MINUTE, busy + 2 * MINUTE, busy + 2 * MINUTE, busy + 3 * MINUTE, busy + 4 * MINUTE):
        memory = spent(at(busy), memory, look + timedelta(seconds=7)).memory
        seen.append(memory.usd_this_month)
    assert seen == [0.0, 0.0, 0.0, USD, USD]


def test_a_datapoint_that_comes_late_still_counts() -> None:
    busy = NOW - 2 * MINUTE
    early = spent(Load(), Memory(counted_until=busy, month="2026-11"), NOW).memory
    assert spent(at(busy), early, NOW + MINUTE).memory.usd_this_month == USD


def test_a_clock_that_is_behind_counts_nothing_twice() -> None:
    memory = Memory(counted_until=NOW, checked_at=NOW + 2 * MINUTE, month="2026-11")
    behind = spent(at(NOW - MINUTE), memory, NOW + MINUTE, a_capacity(1))
    assert behind.memory.counted_until == NOW
    assert behind.memory.usd_this_month == 0.0
    assert spent(at(NOW - MINUTE), behind.memory, NOW + 2 * MINUTE).memory.usd_this_month == 0.0


@pytest.mark.parametrize("gap", [60, 59.6, 900, 86_400])
def test_instances_are_billed_for_all_the_time_since_the_last_look(gap: float) -> None:
    memory = Memory(checked_at=NOW - timedelta(seconds=gap), month="2026-11")
    # Those that start are billed like those that answer. $3.60 an hour is a thousandth of a dollar a second.
    after = spent(memory=memory, capacity=a_capacity(1, starting=1)).memory
    assert after.usd_this_month == pytest.approx(2 * gap / 1000)


def test_an_hours_whole_time_is_stored_whenever_the_hour_is_looked_at() -> None:
    memory = Memory(checked_at=NOW - timedelta(seconds=1), month="2026-11")
    (time,) = spent(memory=memory, capacity=a_capacity(1)).instance_times
    assert (time.deployment, time.path, time.instance_type, time.instance) == (
        "support-llama",
        "fleet",
        "g6e.xlarge",
        "i-0",
    )
    assert (time.hour, time.seconds, time.micro_usd) == (NOW.replace(minute=0), 1800, 1_800_000)


@pytest.mark.parametrize("capacity", [Capacity(), Capacity(desired=1), Capacity(instances=())])
def test_nothing_is_billed_where_no_instance_is(capacity: Capacity) -> None:
    assert not spent(memory=Memory(checked_at=NOW - MINUTE), capacity=capacity).instance_times


def test_instance_time_and_tokens_add_up_over_the_month() -> None:
    memory = Memory(checked_at=NOW - MINUTE, counted_until=NOW - 3 * MINUTE, month="2026-11", usd_this_month=10.0)
    after = spent(at(NOW - 3 * MINUTE), memory, capacity=a_capacity(1)).memory
    assert after.usd_this_month == pytest.approx(10.0 + USD + 0.06)


def test_a_new_month_starts_from_nothing() -> None:
    now = datetime(2026, 12, 1, 0, 0, 30, tzinfo=UTC)
    # Half of the minute since the last look was still November's.
    memory = Memory(checked_at=now - MINUTE, month="2026-11", usd_this_month=700.0, has_unpriced=True)
    after = spent(memory=memory, now=now, capacity=a_capacity(1)).memory
    assert (after.month, after.has_unpriced) == ("2026-12", False)
    assert after.usd_this_month == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("changes", "capacity"),
    [
        ({"spec": a_spec(capacity={"market": "spot", "instance_types": ["g6e.xlarge"]})}, a_capacity(1)),
        ({}, a_capacity(1, instance_type="g7.xlarge")),
        ({"region": "eu-central-1"}, a_capacity(1)),
    ],
    ids=["spot", "type without a price", "another region"],
)
def test_an_unknown_price_is_never_taken_for_nothing(changes: dict[str, Any], capacity: Capacity) -> None:
    after = spent(memory=Memory(checked_at=NOW - MINUTE, month="2026-11"), capacity=capacity, **changes)
    (time,) = after.instance_times
    assert (time.seconds, time.unpriced_seconds, time.micro_usd) == (1800, 1800, 0)
    assert (after.memory.usd_this_month, after.memory.has_unpriced) == (0.0, True)
    # It stays known for the rest of the month that something is missing.
    assert spent(memory=after.memory, now=NOW + MINUTE).memory.has_unpriced


@pytest.mark.parametrize("spill", [None, {"model_id": "meta.llama9-1b-v1:0"}])
def test_tokens_without_a_price_are_unknown_and_no_tokens_cost_nothing(spill: dict[str, str] | None) -> None:
    memory = Memory(counted_until=NOW - 3 * MINUTE, month="2026-11")
    spec = a_spec(spill=spill)
    assert spent(at(NOW - 3 * MINUTE), memory, spec=spec).memory.has_unpriced
    assert not spent(Load((Minute(NOW - 3 * MINUTE, 5),)), memory, spec=spec).memory.has_unpriced


def test_a_deployment_on_bedrock_is_priced_by_its_own_model() -> None:
    memory = Memory(counted_until=NOW - 3 * MINUTE, month="2026-11")
    target = BedrockTarget(SPILL_MODEL, "converse")
    after = spent(at(NOW - 3 * MINUTE), memory, spec=a_spec(path="bedrock", spill=None), target=target).memory
    assert after.usd_this_month == USD
