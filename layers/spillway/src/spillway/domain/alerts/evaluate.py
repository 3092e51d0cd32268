"""Lasting states that deserve an alert: announced once when they begin and once when they end."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from spillway.domain.alerts.alert import Alert
from spillway.domain.alerts.budget_conditions import budget_conditions
from spillway.domain.alerts.conditions import Condition, begin, end, news_of
from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.alerts.target_conditions import target_conditions
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load
from spillway.domain.scaling.check_state import Memory
from spillway.domain.scaling.policy import has_lost_capacity, lost_reason

_NO_LOAD = Load()
_OF_TARGETS = (AlertKind.SPILL_FAILED, AlertKind.QUOTA_USED_UP, AlertKind.ACCESS_DENIED)
_ENDED = {
    AlertKind.CAPACITY_LOST: Code.READY,
    AlertKind.BUDGET: Code.BUDGET,
    AlertKind.BUDGET_FORECAST: Code.BUDGET_FORECAST,
    AlertKind.BUDGET_UNPRICED: Code.BUDGET_UNPRICED,
    AlertKind.IDLE_BURN: Code.IDLE_BURN,
    **{kind: Code(kind) for kind in _OF_TARGETS},
}

_OF_THE_MONTH = (AlertKind.BUDGET, AlertKind.BUDGET_FORECAST, AlertKind.BUDGET_UNPRICED)


def evaluate(
    deployment: Deployment,
    capacity: Capacity,
    memory: Memory,
    now: datetime,
    usd_per_hour: float | None = None,
    load: Load = _NO_LOAD,
) -> tuple[list[Alert], Memory]:
    """Return the alerts that are due and the memory that will not send them again.

    ``usd_per_hour`` is one instance's price, None where unknown.
    """
    lasting = {state.key: state for state in _states(deployment, capacity, memory, usd_per_hour, now)}
    if deployment.status is not Status.RETIRING:
        lasting |= {state.key: state for state in target_conditions(deployment, load, memory.open_alerts)}
    begun = _worth_telling(lasting.keys() - memory.open_alerts)
    ended = _worth_telling(memory.open_alerts - lasting.keys())
    alerts = [begin(lasting[key], deployment, now) for key in begun]
    alerts += [_end(key, deployment, memory, now) for key in ended]
    return alerts, replace(memory, open_alerts=frozenset(lasting))


def _states(
    deployment: Deployment, capacity: Capacity, memory: Memory, usd_per_hour: float | None, now: datetime
) -> Iterable[Condition]:
    if deployment.status is Status.RETIRING:
        return
    if _is_lost(deployment, capacity, memory, now):
        yield Condition(AlertKind.CAPACITY_LOST, AlertKind.CAPACITY_LOST, lost_reason(deployment, capacity))
    yield from budget_conditions(deployment, capacity, memory, usd_per_hour, now)


def _is_lost(deployment: Deployment, capacity: Capacity, memory: Memory, now: datetime) -> bool:
    # A workflow at work takes instances away and brings them: what was announced before neither begins nor ends.
    if deployment.status is Status.SERVING and deployment.is_claimed(now):
        return AlertKind.CAPACITY_LOST in memory.open_alerts
    return has_lost_capacity(deployment, capacity)


def _worth_telling(keys: Iterable[str]) -> list[str]:
    """Return the keys without all but the highest budget threshold: one look tells of the budget once."""
    budgets = sorted((key for key in keys if _is_budget(key)), key=_share_of)
    return sorted(key for key in keys if not _is_budget(key)) + budgets[-1:]


def _end(key: str, deployment: Deployment, memory: Memory, now: datetime) -> Alert:
    news = news_of(key)
    share = _share_of(key) if _is_budget(key) else None
    why = Reason(_ENDED[news], _why_it_ended(news, key, deployment, memory), None, share)
    usd = memory.usd_this_month if news in _OF_THE_MONTH else None
    return end(key, deployment, why, now, usd)


def _why_it_ended(news: AlertKind, key: str, deployment: Deployment, memory: Memory) -> str:
    if deployment.status is Status.RETIRING:
        return "The deployment is being retired."
    if news in _OF_THE_MONTH and memory.month not in key:
        return "A new month began."
    if news is AlertKind.BUDGET:
        return "The budget or its thresholds were changed."
    if news is AlertKind.BUDGET_UNPRICED:
        return "The deployment has no budget any more."
    if news is AlertKind.BUDGET_FORECAST:
        return "The month takes another course, its budget was changed, or all of it is used."
    if news in _OF_TARGETS:
        return "Bedrock answers again, or the deployment has no such target any more."
    if deployment.status is not Status.SERVING:
        return f"It is {deployment.status} now, so no instance is expected to answer."
    if news is AlertKind.IDLE_BURN:
        return "Requests came again, its size was changed, or its price is no longer known."
    return "Instances answer again."


def _is_budget(key: str) -> bool:
    return key.startswith(f"{AlertKind.BUDGET}:")


def _share_of(key: str) -> float:
    return float(key.rsplit(":", 1)[-1])
