"""Telling people: the alert, the decision record and the event of what a workflow did."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.alerts.kinds import AlertKind, alert_of
from spillway.domain.decision import Action, Code, Decision, Reason, decision_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.pricing.price_book import PriceBook
from spillway.ports import Alerts, Decisions, Events
from spillway.services.events.deployment_steps import Announce

_CODES = {
    AlertKind.DEPLOYED: Code.READY,
    AlertKind.DEPLOY_FAILED: Code.DEPLOY_FAILED,
    AlertKind.SCALE_FAILED: Code.SCALE_FAILED,
    AlertKind.RETIRED: Code.RETIRED,
    AlertKind.RETIRE_FAILED: Code.RETIRED,
}
_ACTIONS = {
    AlertKind.DEPLOYED: Action.SCALE,
    AlertKind.AWAKE: Action.WAKE,
    AlertKind.ASLEEP: Action.SLEEP,
    AlertKind.GROWN: Action.SCALE,
    AlertKind.SHRUNK: Action.SCALE,
}


@dataclass(frozen=True)
class Notify:
    """``run`` announces one workflow's outcome; a repeat sends the same alert under the same id.

    The alert goes out last: it reaches people, and a repeat after any failure must not reach them twice.
    """

    decisions: Decisions
    events: Events
    alerts: Alerts
    prices: Callable[[], PriceBook]
    region: str
    now: Callable[[], datetime]

    def run(self, deployment: Deployment, step: Announce) -> None:
        """Tell of the step's news with its reason, or with the deployment's own status sentence."""
        news, now = step.news, self.now()
        reason = step.reason or Reason(_CODES.get(news, Code.STEADY), deployment.status_reason)
        usd_per_hour = self._usd_per_hour(deployment, step)
        occasion = step.execution.rsplit(":", 1)[-1]
        decision = Decision(_ACTIONS.get(news, Action.HOLD), deployment.desired, reason, usd_per_hour)
        self.decisions.add(deployment.name, decision, now)
        self.events.publish("DecisionTaken", deployment.name, decision_to_json(decision))
        self.alerts.send(alert_of(news, deployment, reason, now, occasion, usd_per_hour=usd_per_hour))

    def _usd_per_hour(self, deployment: Deployment, step: Announce) -> float | None:
        change = step.change
        if change is None:
            change = deployment.desired if step.news is AlertKind.DEPLOYED else 0
        if change == 0 or not deployment.spec.profile.has_instances:
            return 0.0
        price = self.prices().instance_of(deployment.spec, self.region)
        return None if price is None else change * price.usd_per_hour
