"""Lasting states of a deployment's money that deserve an alert: its budget, the month's course, idle instances.

All of it is held against the check's running estimate (``domain/costs/running_estimate.py``), which costs no read of
its own. What has no known price is missing in it, which the sentences say; no state begins on an unknown price.
"""

from collections.abc import Iterable, Set
from datetime import datetime, timedelta

from spillway.domain.access.limits import month_at
from spillway.domain.alerts.conditions import Condition
from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.capacity import Capacity
from spillway.domain.scaling.check_state import Memory
from spillway.domain.scaling.policy import idle_since

# Of a shorter stretch, a single busy day would make the month.
_FORECAST_AFTER = timedelta(days=3)
# A forecast that has been told of ends only once it is this share of the budget: it would come and go with each hour.
_FORECAST_ENDS_BELOW = 0.9
IDLE_BURN_USD = 10.0
_SECONDS_PER_HOUR = 3600.0


def budget_conditions(
    deployment: Deployment, capacity: Capacity, memory: Memory, usd_per_hour: float | None, now: datetime
) -> Iterable[Condition]:
    """Return the states that hold now; ``usd_per_hour`` is one instance's price."""
    yield from _idle_burn(deployment, capacity, memory, usd_per_hour, now)
    budget = deployment.spec.budget
    if budget is None:
        return
    used = memory.usd_this_month / budget.usd_per_month
    sentence = f"{_estimate(memory)} of ${budget.usd_per_month:,.2f} is spent this month."
    for share in budget.alert_at:
        if used >= share:
            reason = Reason(Code.BUDGET, sentence, round(used, 4), share, "of the month's budget")
            yield Condition(_budget_key(memory.month, share), AlertKind.BUDGET, reason, memory.usd_this_month)
    if memory.has_unpriced:
        unknown = "Part of what it used this month has no known price and is not counted."
        reason = Reason(Code.BUDGET_UNPRICED, f"{unknown} {sentence}", round(used, 4), None, "of the month's budget")
        key = f"{AlertKind.BUDGET_UNPRICED}:{memory.month}"
        yield Condition(key, AlertKind.BUDGET_UNPRICED, reason, memory.usd_this_month)
    if used < 1.0:
        yield from _forecast(deployment, memory, budget.usd_per_month, memory.open_alerts, now)


def _forecast(
    deployment: Deployment, memory: Memory, budget_usd: float, told: Set[str], now: datetime
) -> Iterable[Condition]:
    """The month's end at the pace so far: spent, plus what is left of the month at the mean of what has passed."""
    month = month_at(now)
    passed = now - max(month.begin, deployment.created_at)
    if passed < _FORECAST_AFTER:
        return
    usd = memory.usd_this_month * (1 + (month.end - now) / passed)
    key, share = f"{AlertKind.BUDGET_FORECAST}:{memory.month}", usd / budget_usd
    if share < (_FORECAST_ENDS_BELOW if key in told else 1.0):
        return
    sentence = (
        f"{_estimate(memory)} was spent in {passed.days} days; at this pace the month ends at ${usd:,.2f}, "
        f"and the budget is ${budget_usd:,.2f}."
    )
    reason = Reason(Code.BUDGET_FORECAST, sentence, round(share, 4), 1.0, "of the month's budget, at its end")
    yield Condition(key, AlertKind.BUDGET_FORECAST, reason, memory.usd_this_month)


def _idle_burn(
    deployment: Deployment, capacity: Capacity, memory: Memory, usd_per_hour: float | None, now: datetime
) -> Iterable[Condition]:
    """What its instances have cost since anybody asked for anything; hours asleep and other sizes don't count."""
    if deployment.status is not Status.SERVING or not capacity.billed or not usd_per_hour:
        return
    hours = (now - idle_since(deployment, memory)).total_seconds() / _SECONDS_PER_HOUR
    rate = capacity.billed * usd_per_hour
    if (usd := hours * rate) < IDLE_BURN_USD:
        return
    sentence = f"{capacity.billed} instance(s) have run for {hours:.1f} hours without a request."
    reason = Reason(Code.IDLE_BURN, sentence, round(usd, 2), IDLE_BURN_USD, "USD")
    yield Condition(AlertKind.IDLE_BURN, AlertKind.IDLE_BURN, reason, usd, rate)


def _estimate(memory: Memory) -> str:
    return f"{'At least' if memory.has_unpriced else 'An estimated'} ${memory.usd_this_month:,.2f}"


def _budget_key(month: str, share: float) -> str:
    return f"{AlertKind.BUDGET}:{month}:{share:g}"
