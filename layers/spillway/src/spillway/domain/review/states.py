"""The states that a review may find a deployment's money in, each with its number, its threshold and its end.

A state that was told of ends at another value than it began at: figures move a little with every hour.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from spillway.domain.alerts.alert import Alert
from spillway.domain.alerts.conditions import Condition, begin, end, news_of
from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.costs.ledger import Amounts
from spillway.domain.costs.month import MICRO
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.paths.path import Billing
from spillway.domain.review.record import Review, Shadow
from spillway.domain.review.shadow import sentence_of

# How much dearer than Bedrock a day must have been, as a factor and in dollars, to be worth a message.
DEARER_FACTOR = 1.2
DEARER_USD = 5.0
# The same of an hour against the same hour a week before; over once it is less than the second factor.
ANOMALY_FACTOR = 2.0
ANOMALY_USD = 5.0
_ANOMALY_ENDS_BELOW = 1.5
# A fleet is told of when it would have saved a tenth, and no longer once it would have saved nothing.
FLEET_PAYS_FACTOR = 0.9
_HOURS = 24

_OVER = {
    AlertKind.DEARER_THAN_BEDROCK: (
        "The last 24 hours did not cost more than Bedrock would have, or a price is unknown."
    ),
    AlertKind.COST_ANOMALY: "The last hour cost about what the same hour did a week before, or that is not known.",
    AlertKind.FLEET_PAYS: "The last days' traffic would not have cost less on a fleet, or a price is unknown.",
}


@dataclass(frozen=True)
class Facts:
    """What a review saw of one deployment: the last 24 whole hours, the last one, and the same one a week before.

    ``day_on_bedrock`` is what Bedrock would have charged for the day, in micro-dollars. None is unknown.
    """

    day: Amounts
    day_on_bedrock: int | None
    hour: Amounts
    hour_last_week: Amounts | None
    shadow: Shadow | None


def judge(deployment: Deployment, facts: Facts, before: Review | None, review: Review) -> tuple[list[Alert], Review]:
    """Return the alerts that are due, and ``review`` with the states that have been told of by then."""
    told = before.open_alerts if before else frozenset()
    states = () if deployment.status is Status.RETIRING else _states(deployment, facts, told)
    lasting = {state.key: state for state in states}
    alerts = [begin(lasting[key], deployment, review.at) for key in sorted(lasting.keys() - told)]
    alerts += [end(key, deployment, _why_over(key, deployment), review.at) for key in sorted(told - lasting.keys())]
    return alerts, Review(review.at, frozenset(lasting), review.shadow)


def _states(deployment: Deployment, facts: Facts, told: Set[str]) -> Iterable[Condition]:
    if deployment.spec.path.billing is Billing.TOKEN:
        yield from _fleet_pays(facts.shadow, told)
    else:
        yield from _dearer(facts.day, facts.day_on_bedrock, told)
    yield from _anomaly(facts.hour, facts.hour_last_week, told)


def _dearer(day: Amounts, on_bedrock: int | None, told: Set[str]) -> Iterable[Condition]:
    if on_bedrock is None or not day.is_priced:
        return
    usd, there = day.micro_usd / MICRO, on_bedrock / MICRO
    is_told = AlertKind.DEARER_THAN_BEDROCK in told
    limit = there if is_told else max(there * DEARER_FACTOR, there + DEARER_USD)
    if usd <= there or usd < limit:
        return
    sentence = f"The last 24 hours cost ${usd:,.2f}; Bedrock would have charged ${there:,.2f} for the same tokens."
    reason = Reason(Code.DEARER_THAN_BEDROCK, sentence, round(usd, 2), round(limit, 2), "USD")
    yield Condition(AlertKind.DEARER_THAN_BEDROCK, AlertKind.DEARER_THAN_BEDROCK, reason, None, (usd - there) / _HOURS)


def _anomaly(hour: Amounts, last_week: Amounts | None, told: Set[str]) -> Iterable[Condition]:
    if last_week is None or not (hour.is_priced and last_week.is_priced):
        return
    usd, then = hour.micro_usd / MICRO, last_week.micro_usd / MICRO
    is_told = AlertKind.COST_ANOMALY in told
    limit = then * _ANOMALY_ENDS_BELOW if is_told else max(then * ANOMALY_FACTOR, then + ANOMALY_USD)
    if usd <= then or usd < limit:
        return
    sentence = (
        f"The last hour cost ${usd:,.2f} with {hour.requests:,} requests; "
        f"the same hour a week before cost ${then:,.2f} with {last_week.requests:,}."
    )
    reason = Reason(Code.COST_ANOMALY, sentence, round(usd, 2), round(limit, 2), "USD")
    yield Condition(AlertKind.COST_ANOMALY, AlertKind.COST_ANOMALY, reason, None, usd - then)


def _fleet_pays(shadow: Shadow | None, told: Set[str]) -> Iterable[Condition]:
    if shadow is None or not shadow.pays or shadow.fleet_usd is None or shadow.bedrock_usd is None:
        return
    limit = shadow.bedrock_usd * (1.0 if AlertKind.FLEET_PAYS in told else FLEET_PAYS_FACTOR)
    if shadow.fleet_usd >= limit:
        return
    saved = shadow.bedrock_usd - shadow.fleet_usd
    reason = Reason(Code.FLEET_PAYS, sentence_of(shadow), round(shadow.fleet_usd, 2), round(limit, 2), "USD")
    yield Condition(AlertKind.FLEET_PAYS, AlertKind.FLEET_PAYS, reason, None, -saved / shadow.hours)


def _why_over(key: str, deployment: Deployment) -> Reason:
    news = news_of(key)
    retiring = "The deployment is being retired."
    return Reason(Code(news), retiring if deployment.status is Status.RETIRING else _OVER[news])
