"""Lasting states: one alert when they begin, one when they end, none in between."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.alerts.evaluate import evaluate
from spillway.domain.decision import Code
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.scaling.check_state import Memory
from tests.builders import NOW, a_capacity, a_deployment, a_spec

UP, LOST = a_capacity(1), a_capacity(0, starting=1)
BUDGET = {"usd_per_month": 100, "alert_at": [0.5, 0.8, 1.0]}


def told(alerts: list[Alert]) -> list[tuple[AlertState, str]]:
    return [(alert.state, alert.what) for alert in alerts]


def looks(*seen: tuple[Deployment, Capacity], memory: Memory | None = None) -> list[list[Alert]]:
    """The alerts of one look a minute."""
    memory, all_alerts = memory or Memory(), []
    for minute, (deployment, capacity) in enumerate(seen):
        alerts, memory = evaluate(deployment, capacity, memory, NOW + timedelta(minutes=minute))
        all_alerts.append(alerts)
    return all_alerts


def test_lost_capacity_is_told_once_and_its_end_once() -> None:
    fleet = a_deployment()
    alerts = looks((fleet, UP), (fleet, LOST), (fleet, LOST), (fleet, Capacity()), (fleet, UP), (fleet, UP))
    assert [len(each) for each in alerts] == [0, 1, 0, 0, 1, 0]
    (begun,), (ended,) = alerts[1], alerts[4]
    assert (begun.state, begun.severity, begun.topic) == (AlertState.OPEN, Severity.WARNING, Topic.SCALE)
    assert (begun.why.code, begun.why.observed, begun.why.threshold) == (Code.CAPACITY_LOST, 0, 1)
    assert begun.what == "support-llama has lost all its instances; its spill target answers"
    assert (ended.state, ended.severity) == (AlertState.CLOSED, Severity.INFO)
    assert ended.what == f"Over: {begun.what}"
    assert ended.why.sentence == "Instances answer again."


def test_the_same_state_later_is_another_alert() -> None:
    fleet = a_deployment()
    (first,), _, (second,) = looks((fleet, LOST), (fleet, UP), (fleet, LOST))
    assert first.id != second.id


def test_a_workflow_at_work_neither_begins_nor_ends_it() -> None:
    fleet = a_deployment()
    claimed = replace(fleet, workflow="an execution")
    assert looks((claimed, LOST), (fleet, UP)) == [[], []]
    alerts = looks((fleet, LOST), (claimed, LOST), (claimed, UP), (fleet, LOST), (fleet, UP))
    assert [len(each) for each in alerts] == [1, 0, 0, 0, 1]


def test_a_held_or_unbounded_deployment_does_not_end_it() -> None:
    fleet = a_deployment()
    held = replace(fleet, hold_until=NOW + timedelta(minutes=10))
    unbounded = replace(fleet, desired=9)
    assert [len(each) for each in looks((fleet, LOST), (held, LOST), (unbounded, LOST))] == [1, 0, 0]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (Status.ASLEEP, "It is asleep now, so no instance is expected to answer."),
        (Status.DRAINING, "It is draining now, so no instance is expected to answer."),
        (Status.RETIRING, "The deployment is being retired."),
    ],
)
def test_it_ends_truthfully_when_no_instance_is_expected_any_more(status: Status, why: str) -> None:
    fleet = a_deployment()
    _, (ended,), after = looks((fleet, LOST), (replace(fleet, status=status), Capacity()), (fleet, UP))
    assert (ended.state, ended.why.sentence, after) == (AlertState.CLOSED, why, [])


def test_bedrock_has_no_capacity_to_lose() -> None:
    assert looks((a_deployment(spec=a_spec(path="bedrock")), Capacity())) == [[]]


def spending(*usd: float, memory: Memory | None = None, budget: dict[str, Any] | None = None) -> list[list[Alert]]:
    deployment = a_deployment(spec=a_spec(budget=BUDGET if budget is None else budget))
    memory, all_alerts = memory or Memory(month="2026-11"), []
    for minute, amount in enumerate(usd):
        memory = replace(memory, usd_this_month=amount)
        alerts, memory = evaluate(deployment, UP, memory, NOW + timedelta(minutes=minute))
        all_alerts.append(alerts)
    return all_alerts


def test_each_threshold_of_a_budget_is_told_once() -> None:
    alerts = spending(0.0, 49.99, 50.0, 79.99, 80.0, 99.99, 100.0, 250.0)
    assert [[alert.why.threshold for alert in each] for each in alerts] == [[], [], [0.5], [], [0.8], [], [1.0], []]
    (half,) = alerts[2]
    assert (half.topic, half.state, half.usd, half.why.observed) == (Topic.COST, AlertState.OPEN, 50.0, 0.5)
    assert half.what == "support-llama has used 50% of this month's budget of $100.00"
    assert half.why.sentence == "An estimated $50.00 of $100.00 is spent this month."


def test_thresholds_passed_in_one_look_are_one_alert_about_the_highest() -> None:
    alerts = spending(130.0, 131.0)
    assert [[alert.why.threshold for alert in each] for each in alerts] == [[1.0], []]


def test_an_estimate_that_lacks_a_price_says_so() -> None:
    ((_, alert),) = spending(50.0, memory=Memory(month="2026-11", has_unpriced=True))
    assert alert.why.sentence == "At least $50.00 of $100.00 is spent this month."


def watch_budget(
    memory: Memory, now: datetime = NOW, budget: dict[str, Any] | None = BUDGET, status: Status = Status.SERVING
) -> tuple[list[Alert], Memory]:
    return evaluate(a_deployment(spec=a_spec(budget=budget), status=status), UP, memory, now)


@pytest.fixture
def overspent() -> Memory:
    return watch_budget(Memory(month="2026-11", usd_this_month=101.0))[1]


def test_a_new_month_ends_it_once_and_begins_anew(overspent: Memory) -> None:
    alerts, memory = watch_budget(replace(overspent, month="2026-12", usd_this_month=0.5))
    assert [(alert.state, alert.why.sentence, alert.usd) for alert in alerts] == [
        (AlertState.CLOSED, "A new month began.", 0.5)
    ]
    assert watch_budget(memory)[0] == []
    (again,), _ = watch_budget(replace(memory, usd_this_month=55.0))
    assert (again.state, again.why.threshold) == (AlertState.OPEN, 0.5)


@pytest.mark.parametrize(
    ("budget", "status", "sentence", "of"),
    [
        ({"usd_per_month": 1000}, Status.SERVING, "The budget or its thresholds were changed.", "budget of $1,000.00"),
        (None, Status.SERVING, "The budget or its thresholds were changed.", "a former budget"),
        (BUDGET, Status.RETIRING, "The deployment is being retired.", "budget of $100.00"),
    ],
)
def test_a_change_of_the_budget_or_a_retirement_ends_it(
    overspent: Memory, budget: dict[str, Any] | None, status: Status, sentence: str, of: str
) -> None:
    (ended,), memory = watch_budget(overspent, budget=budget, status=status)
    assert (ended.state, ended.why.sentence) == (AlertState.CLOSED, sentence)
    assert ended.what.startswith("Over: support-llama has used 100% of ")
    assert ended.what.endswith(of)
    assert memory.open_alerts == frozenset()


def test_a_deployment_without_a_budget_has_no_cost_alerts() -> None:
    assert watch_budget(Memory(month="2026-11", usd_this_month=1e6), budget=None)[0] == []


MONTH = Memory(month="2026-11", usd_this_month=77.0, last_request_at=NOW)


def told_of(memory: Memory, kind: str, **looked: Any) -> list[Alert]:
    alerts, _ = evaluate(looked.pop("deployment", BUDGETED), looked.pop("capacity", UP), memory, NOW, **looked)
    return [alert for alert in alerts if f"/{kind}/" in alert.id]


# NOW is 2026-11-24T09:30Z: 23.4 days of 30 have passed.
OCTOBER = datetime(2026, 10, 1, tzinfo=NOW.tzinfo)
BUDGETED = a_deployment(spec=a_spec(budget={**BUDGET, "alert_at": [1.0]}), created_at=OCTOBER, updated_at=OCTOBER)


def test_a_month_that_will_pass_its_budget_at_this_pace_is_told_before_it_does() -> None:
    assert told_of(replace(MONTH, usd_this_month=77.9), "budget_forecast") == []
    (alert,) = told_of(replace(MONTH, usd_this_month=78.1), "budget_forecast")
    passed, left = 23 + 9.5 / 24, 30 - (23 + 9.5 / 24)
    assert alert.why.observed == pytest.approx(78.1 * (1 + left / passed) / 100, abs=1e-4)
    assert (alert.why.threshold, alert.usd, alert.topic) == (1.0, 78.1, Topic.COST)


def test_a_forecast_counts_from_the_deployments_own_beginning_and_not_on_its_first_days() -> None:
    young = replace(BUDGETED, created_at=NOW - timedelta(days=2))
    assert told_of(replace(MONTH, usd_this_month=60.0), "budget_forecast", deployment=young) == []
    older = replace(BUDGETED, created_at=NOW - timedelta(days=4))
    assert len(told_of(replace(MONTH, usd_this_month=60.0), "budget_forecast", deployment=older)) == 1


def test_a_forecast_ends_only_well_below_the_budget_or_once_all_of_it_is_used() -> None:
    open_ = replace(MONTH, open_alerts=frozenset({"budget_forecast:2026-11"}))
    assert told_of(replace(open_, usd_this_month=72.0), "budget_forecast") == []
    (ended,) = told_of(replace(open_, usd_this_month=69.0), "budget_forecast")
    assert ended.state is AlertState.CLOSED
    used_up = replace(open_, usd_this_month=100.0)
    assert [alert.state for alert in told_of(used_up, "budget_forecast")] == [AlertState.CLOSED]
    assert [alert.state for alert in told_of(used_up, "budget")] == [AlertState.OPEN]


def test_instances_that_nobody_uses_are_told_once_they_have_cost_enough() -> None:
    idle = replace(MONTH, last_request_at=NOW - timedelta(hours=4))
    two = a_capacity(2)
    assert told_of(idle, "idle_burn", capacity=two, usd_per_hour=1.2) == []
    (alert,) = told_of(idle, "idle_burn", capacity=two, usd_per_hour=1.25)
    assert (alert.usd, alert.usd_per_hour) == (10.0, 2.5)
    assert (alert.why.observed, alert.why.threshold, alert.why.unit) == (10.0, 10.0, "USD")
    assert "POST" in alert.advice or "PATCH" in alert.advice


def test_an_unknown_price_burns_nothing_that_could_be_told() -> None:
    idle = replace(MONTH, last_request_at=NOW - timedelta(days=4))
    assert told_of(idle, "idle_burn", usd_per_hour=None) == []


def test_hours_asleep_since_the_last_request_cost_nothing() -> None:
    idle = replace(MONTH, last_request_at=NOW - timedelta(hours=60))
    woken = replace(BUDGETED, updated_at=NOW - timedelta(hours=4))
    assert told_of(idle, "idle_burn", deployment=woken, usd_per_hour=2.4) == []
    (alert,) = told_of(idle, "idle_burn", deployment=woken, usd_per_hour=2.5)
    assert alert.usd == 10.0
    assert alert.why.sentence == "1 instance(s) have run for 4.0 hours without a request."


def test_a_fleet_that_never_had_a_request_burns_from_when_it_began_to_serve() -> None:
    fresh = replace(BUDGETED, updated_at=NOW - timedelta(hours=2))
    assert told_of(replace(MONTH, last_request_at=None), "idle_burn", deployment=fresh, usd_per_hour=4.9) == []
    assert len(told_of(replace(MONTH, last_request_at=None), "idle_burn", deployment=fresh, usd_per_hour=5.0)) == 1


def test_idle_burn_ends_with_the_next_request() -> None:
    memory = replace(MONTH, open_alerts=frozenset({"idle_burn"}))
    (ended,) = told_of(memory, "idle_burn", usd_per_hour=5.0)
    assert (ended.state, ended.why.sentence) == (
        AlertState.CLOSED,
        "Requests came again, its size was changed, or its price is no longer known.",
    )


def test_a_budget_says_that_it_is_not_held_for_what_has_no_price() -> None:
    fleet = a_deployment(spec=a_spec(budget=BUDGET))
    memory = Memory(month="2026-11", usd_this_month=20.0, has_unpriced=True)
    (begun,), (), (ended,) = looks((fleet, UP), (fleet, UP), (a_deployment(), UP), memory=memory)
    assert (begun.topic, begun.why.code, begun.state) == (Topic.COST, Code.BUDGET_UNPRICED, AlertState.OPEN)
    assert "At least $20.00 of $100.00" in begun.why.sentence
    assert "no known price" in begun.why.sentence
    assert (ended.state, ended.why.sentence) == (AlertState.CLOSED, "The deployment has no budget any more.")


def test_without_a_budget_nothing_is_told_of_what_has_no_price() -> None:
    assert looks((a_deployment(), UP), memory=Memory(month="2026-11", has_unpriced=True)) == [[]]


def met(**counts: int) -> Load:
    return Load((Minute(NOW, 1, **counts),))


QUIET, ANSWERED, ELSEWHERE = Load(), met(bedrock_completion_tokens=5), met(primary_tokens=5)


@pytest.mark.parametrize("code", ["spill_failed", "quota_used_up", "access_denied"])
def test_what_bedrock_goes_on_refusing_is_told_once_and_ends_once_it_answers(code: str) -> None:
    memory, alerts = Memory(), []
    loads = (ANSWERED, met(**{code: 3}), met(**{code: 1}), QUIET, ELSEWHERE, ANSWERED, ANSWERED)
    for minute, load in enumerate(loads):
        found, memory = evaluate(a_deployment(), UP, memory, NOW + timedelta(minutes=minute), load=load)
        alerts.append(found)
    assert [len(each) for each in alerts] == [0, 1, 0, 0, 0, 1, 0]
    (begun,), (ended,) = alerts[1], alerts[5]
    assert (begun.why.code, begun.why.observed, begun.state) == (Code(code), 3, AlertState.OPEN)
    assert (ended.state, ended.what) == (AlertState.CLOSED, f"Over: {begun.what}")


def test_without_a_spill_target_none_fails() -> None:
    alone = a_deployment(spec=a_spec(spill=None))
    memory = Memory(open_alerts=frozenset({"spill_failed"}))
    (ended,), _ = evaluate(alone, UP, memory, NOW, load=met(spill_failed=1))
    assert ended.state == AlertState.CLOSED


def test_a_deployment_that_is_retired_has_no_targets_to_tell_of() -> None:
    retiring = a_deployment(status=Status.RETIRING)
    assert evaluate(retiring, UP, Memory(), NOW, load=met(spill_failed=1))[0] == []
