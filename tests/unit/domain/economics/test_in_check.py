"""The rule in the check: wakes when traffic pays, sleeps when it does not, only where everything is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spillway.adapters.dynamodb.checks_table import _from_json, _to_json
from spillway.domain.decision import Action, Code, Decision
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.pricing.price_book import Source, TokenPrice
from spillway.domain.routing.route_for_status import route_of
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import decide, remember
from tests.builders import a_capacity, a_deployment, a_spec

START = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# An instance costs a dollar a minute; the tokens of a full one cost two.
PRICE = TokenPrice(20_000.0, 20_000.0, Source("test", "2026-11"))
FULL = 100
ASLEEP: dict[str, Any] = {
    "status": Status.ASLEEP,
    "desired": 0,
    "cold_start_seconds": 300.0,
    "updated_at": START - timedelta(days=1),
}


def a_measured(status: Status, desired: int, **changes: Any) -> Deployment:
    capacity = {"min": 0, "max": 3, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": FULL}
    spec = a_spec(capacity={**capacity, **changes.pop("capacity", {})}, **changes)
    began = START - timedelta(days=1)
    return a_deployment(spec=spec, status=status, desired=desired, updated_at=began, cold_start_seconds=300.0)


def watch(deployment: Deployment, tokens: list[int], memory: Memory | None = None) -> tuple[list[Decision], Memory]:
    """The decisions of one check a minute, each with the metrics of the minutes just before it."""
    memory = memory or Memory()
    found = []
    for at in range(2, len(tokens) + 2):
        now = START + at * MINUTE
        seen = range(max(0, at - 4), at - 1)
        is_up = deployment.status is Status.SERVING
        minutes = tuple(
            Minute(START + m * MINUTE, 1, *((0, 0, tokens[m]) if is_up else (tokens[m], 0, 0)))
            for m in reversed(seen)
            if tokens[m]
        )
        snapshot = Snapshot(deployment, a_capacity(deployment.desired), Load(minutes), memory, 60.0, PRICE)
        # As between two checks, the memory passes through the table's JSON.
        memory = _from_json(_to_json(remember(snapshot, now)))
        found.append(decide(replace(snapshot, memory=memory), now))
    return found, memory


def test_what_paid_before_it_fell_asleep_wakes_it_with_the_next_request_only() -> None:
    _, memory = watch(a_measured(Status.SERVING, 1), [FULL] * 30)
    now = START + 45 * MINUTE
    slept = replace(a_measured(Status.ASLEEP, 0), updated_at=now - 10 * MINUTE)
    quiet = Snapshot(slept, a_capacity(0), Load(), memory, 60.0, PRICE)
    asked = replace(quiet, load=Load((Minute(now - 2 * MINUTE, 1, 5, 0, 0),)))
    before = replace(quiet, load=Load((Minute(now - 11 * MINUTE, 1, 5, 0, 0),)))
    actions = [decide(seen, now).action for seen in (quiet, before, asked)]
    assert actions == [Action.HOLD, Action.HOLD, Action.WAKE]
    assert decide(quiet, now).reason.code is Code.ASLEEP


def test_a_few_requests_do_not_wake_what_they_would_not_pay_for() -> None:
    decisions, _ = watch(a_measured(Status.ASLEEP, 0), [10] * 60)
    assert {decision.action for decision in decisions} == {Action.HOLD}
    assert decisions[-1].reason.unit == "USD"


def test_traffic_that_pays_wakes_it_and_says_so_in_dollars() -> None:
    decisions, _ = watch(a_measured(Status.ASLEEP, 0), [FULL] * 40)
    first = next(decision for decision in decisions if decision.action is not Action.HOLD)
    assert (first.action, first.desired, first.reason.code) == (Action.WAKE, 1, Code.TRAFFIC_PAYS)
    assert "$" in first.reason.sentence


def test_a_fleet_that_runs_is_kept_by_its_traffic_and_sleeps_without() -> None:
    kept, memory = watch(a_measured(Status.SERVING, 1), [FULL] * 30)
    assert {decision.action for decision in kept} == {Action.HOLD}
    decisions, _ = watch(a_measured(Status.SERVING, 1), [FULL] * 10 + [5] * 30)
    asleep = next(decision for decision in decisions if decision.action is not Action.HOLD)
    assert (asleep.action, asleep.reason.code) == (Action.SLEEP, Code.TRAFFIC_FELL)
    assert memory.economy is not None


def test_what_another_version_kept_is_not_read_but_the_fleet_goes_on() -> None:
    _, memory = watch(a_measured(Status.SERVING, 1), [FULL] * 10)
    other = _to_json(memory)
    other["economy"]["state"] = {"layers": [["of another form"]], "minute": 1, "wanted": 1}
    decisions, _ = watch(a_measured(Status.SERVING, 1), [FULL] * 10, _from_json(other))
    assert {decision.action for decision in decisions} == {Action.HOLD}


def test_more_traffic_gets_more_instances_within_the_maximum() -> None:
    decisions, _ = watch(a_measured(Status.SERVING, 1), [9 * FULL] * 60)
    assert decisions[-1].desired == 3


def test_a_minimum_is_kept_whatever_it_costs() -> None:
    decisions, _ = watch(a_measured(Status.SERVING, 1, capacity={"min": 1}), [0] * 60)
    assert {decision.desired for decision in decisions} == {1}


@pytest.mark.parametrize(
    "change",
    [
        {"deployment": a_deployment(spec=a_spec(), **ASLEEP)},
        {"deployment": replace(a_measured(Status.ASLEEP, 0), cold_start_seconds=None)},
        {"usd_per_hour": None},
        {"spill_price": None},
    ],
)
def test_without_a_price_or_a_measure_the_thresholds_decide(change: dict[str, Any]) -> None:
    now = START + 10 * MINUTE
    load = Load((Minute(now - MINUTE, 1, 10),))
    whole = Snapshot(a_measured(Status.ASLEEP, 0), a_capacity(0), load, Memory(), 60.0, PRICE)
    snapshot = replace(whole, **change)
    snapshot = replace(snapshot, memory=remember(snapshot, now))
    assert snapshot.memory.economy is None
    assert decide(snapshot, now).reason.code is Code.TRAFFIC_RETURNED


def test_a_single_request_wakes_only_what_is_not_weighed() -> None:
    measured = replace(a_measured(Status.ASLEEP, 0), cold_start_seconds=300.0)
    assert not route_of(measured, None, Load(), version=1).wakes
    assert route_of(replace(measured, cold_start_seconds=None), None, Load(), version=1).wakes
