"""A fleet without a spill target: it may sleep where the user says what waiting costs, and is woken by who waited."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spillway.adapters.dynamodb.checks_table import _from_json, _to_json
from spillway.domain.decision import Action, Code, Decision
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.economics.in_check import FleetEconomy
from spillway.domain.economics.rule import State
from spillway.domain.economics.unserved import size_after, unserved_tokens
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.routing.route_for_status import route_of
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import decide, remember
from tests.builders import a_capacity, a_deployment, a_spec

START = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# An instance costs a dollar a minute and serves ten requests of ten tokens; it would cost two dollars if they waited.
CAPACITY = {"min": 0, "max": 3, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 100}
WAITING = {"waiting_usd_per_request": 0.2}


def a_lone(status: Status, desired: int, **changes: Any) -> Deployment:
    spec = a_spec(**{"capacity": CAPACITY, "spill": None, "thresholds": WAITING, **changes})
    began = START - timedelta(days=1)
    return a_deployment(spec=spec, status=status, desired=desired, updated_at=began, cold_start_seconds=300.0)


def watch(
    deployment: Deployment, minutes: Sequence[Minute], memory: Memory | None = None
) -> tuple[list[Decision], Memory]:
    """The decisions of one check a minute, each with the metrics of the minutes just before it."""
    memory, found = memory or Memory(), []
    for at in range(2, len(minutes) + 2):
        now = minutes[0].at + at * MINUTE
        load = Load(tuple(minute for minute in reversed(minutes[max(0, at - 4) : at - 1]) if minute.requests))
        snapshot = Snapshot(deployment, a_capacity(deployment.desired), load, memory, 60.0)
        # As between two checks, the memory passes through the table's JSON.
        memory = _from_json(_to_json(remember(snapshot, now)))
        found.append(decide(replace(snapshot, memory=memory), now))
    return found, memory


def refused(requests: int, minutes: int, since: datetime = START) -> list[Minute]:
    return [Minute(since + at * MINUTE, requests) for at in range(minutes)]


def served(requests: int, minutes: int) -> list[Minute]:
    return [
        Minute(START + at * MINUTE, requests, primary_tokens=10 * requests, primary_requests=requests)
        for at in range(minutes)
    ]


def test_without_a_price_of_waiting_it_stays_up_as_ever() -> None:
    decisions, memory = watch(a_lone(Status.SERVING, 1, thresholds={}), refused(0, 60))
    assert {decision.action for decision in decisions} == {Action.HOLD}
    assert memory.economy is None


def test_who_waits_wakes_it_once_that_costs_more_than_a_start() -> None:
    decisions, _ = watch(a_lone(Status.ASLEEP, 0), refused(10, 60))
    first = next(decision for decision in decisions if decision.action is not Action.HOLD)
    assert (first.action, first.desired, first.reason.code) == (Action.WAKE, 1, Code.TRAFFIC_PAYS)
    assert first.reason.sentence.startswith("Waiting cost $")
    assert first.reason.unit == "USD"


def test_a_few_that_wait_do_not_wake_what_they_would_not_pay_for() -> None:
    decisions, _ = watch(a_lone(Status.ASLEEP, 0), refused(2, 240))
    assert {decision.action for decision in decisions} == {Action.HOLD}
    assert not route_of(a_lone(Status.ASLEEP, 0)).wakes


def test_what_nobody_waits_for_sleeps() -> None:
    decisions, _ = watch(a_lone(Status.SERVING, 1), [*served(10, 30), *refused(0, 40, START + 30 * MINUTE)])
    asleep = next(decision for decision in decisions if decision.action is not Action.HOLD)
    assert (asleep.action, asleep.desired) == (Action.SLEEP, 0)


def test_what_it_serves_keeps_it_awake_at_the_price_of_waiting() -> None:
    kept, _ = watch(a_lone(Status.SERVING, 1), served(10, 60))
    assert {decision.action for decision in kept} == {Action.HOLD}
    dear, _ = watch(a_lone(Status.SERVING, 1), served(2, 60))
    assert any(decision.action is Action.SLEEP and decision.reason.code is Code.TRAFFIC_FELL for decision in dear)


def test_refused_requests_count_for_as_many_instances_as_served_ones_of_their_size_need() -> None:
    _, seen = watch(a_lone(Status.SERVING, 1), served(10, 10))
    assert isinstance(seen.economy, FleetEconomy)
    slept = Memory(economy=replace(seen.economy, state=State(), reason=None))
    decisions, _ = watch(a_lone(Status.ASLEEP, 0), refused(30, 60), slept)
    assert max(decision.desired for decision in decisions) == 3
    # Of unknown size, they count for one.
    decisions, _ = watch(a_lone(Status.ASLEEP, 0), refused(30, 60))
    assert max(decision.desired for decision in decisions) == 1


@pytest.mark.parametrize(
    ("minute", "size", "tokens"),
    [
        (Minute(START, 5), None, 100.0),
        (Minute(START, 5), 7.0, 35.0),
        (Minute(START, 5, primary_requests=3), 7.0, 14.0),
        # Requests that were counted when they began to wait, and are answered now.
        (Minute(START, 0, primary_requests=3), 7.0, 0.0),
        (Minute(START), None, 0.0),
    ],
)
def test_what_was_not_answered_has_the_size_of_what_was(minute: Minute, size: float | None, tokens: float) -> None:
    assert unserved_tokens(minute, size, capacity=100.0) == tokens


def test_the_size_of_a_request_follows_what_is_answered() -> None:
    assert size_after(None, Minute(START, 5)) is None
    size = size_after(None, Minute(START, 2, primary_tokens=100, primary_requests=2))
    assert size == 50
    for _ in range(200):
        size = size_after(size, Minute(START, 1, primary_tokens=10, primary_requests=1))
    assert size == pytest.approx(10, abs=0.1)
