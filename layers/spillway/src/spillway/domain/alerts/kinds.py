"""The alerts, in words: what each piece of news says, how bad it is, and what to do about it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.decision import Reason
from spillway.domain.deployments.deployment import Deployment


class AlertKind(StrEnum):
    """Everything that is worth an alert."""

    DEPLOYED = "deployed"
    DEPLOY_FAILED = "deploy_failed"
    AWAKE = "awake"
    ASLEEP = "asleep"
    GROWN = "grown"
    SHRUNK = "shrunk"
    SCALE_FAILED = "scale_failed"
    RETIRED = "retired"
    RETIRE_FAILED = "retire_failed"
    CAPACITY_LOST = "capacity_lost"
    SPILL_FAILED = "spill_failed"
    QUOTA_USED_UP = "quota_used_up"
    ACCESS_DENIED = "access_denied"
    SPOT_NOTICE = "spot_notice"
    LAUNCH_FAILED = "launch_failed"
    BUDGET = "budget"
    BUDGET_FORECAST = "budget_forecast"
    BUDGET_UNPRICED = "budget_unpriced"
    IDLE_BURN = "idle_burn"
    DEARER_THAN_BEDROCK = "dearer_than_bedrock"
    COST_ANOMALY = "cost_anomaly"
    FLEET_PAYS = "fleet_pays"


@dataclass(frozen=True)
class _Text:
    severity: Severity
    what: str
    advice: str
    topic: Topic = Topic.SCALE


_TEXTS: dict[AlertKind, _Text] = {
    AlertKind.DEPLOYED: _Text(
        Severity.INFO, "{path} is up and serving with {desired} instance(s)", "Nothing; requests go to it now."
    ),
    AlertKind.DEPLOY_FAILED: _Text(
        Severity.CRITICAL,
        "could not be deployed; what was made has been released",
        "Read the reason, correct the request, DELETE the deployment and POST it again. "
        "Until then its spill target answers, if it has one.",
    ),
    AlertKind.AWAKE: _Text(Severity.INFO, "is awake with {desired} instance(s)", "Nothing; requests go to it again."),
    AlertKind.ASLEEP: _Text(
        Severity.INFO,
        "was put to sleep (zero instances); {meanwhile}",
        "Nothing. Raise thresholds.idle_after_seconds or add a warm window if it sleeps too early.",
    ),
    AlertKind.GROWN: _Text(Severity.INFO, "was scaled out to {desired} instance(s)", "Nothing."),
    AlertKind.SHRUNK: _Text(Severity.INFO, "was scaled in to {desired} instance(s)", "Nothing."),
    AlertKind.SCALE_FAILED: _Text(
        Severity.WARNING,
        "could not change its capacity; it is back where it was ({status})",
        "Until then {meanwhile}. Check quotas, or add instance types to capacity.instance_types.",
    ),
    AlertKind.RETIRED: _Text(Severity.INFO, "is retired; nothing of it is left", "Nothing; the name is free again."),
    AlertKind.RETIRE_FAILED: _Text(
        Severity.CRITICAL,
        "could not be released completely and may still cost money",
        "DELETE it again; if it fails again, look for its tags (spillway:deployment) in the account.",
    ),
    AlertKind.CAPACITY_LOST: _Text(
        Severity.WARNING,
        "has lost all its instances; {meanwhile}",
        "Nothing if replacements start; otherwise look at the Auto Scaling group's activity history.",
    ),
    AlertKind.SPILL_FAILED: _Text(
        Severity.WARNING,
        "has a spill target that gives no answer",
        "Read why in the log of requests (detail). Give the account access to the model in Bedrock, or name another: "
        "PATCH /deployments/{name} with spill.model_id.",
    ),
    AlertKind.QUOTA_USED_UP: _Text(
        Severity.WARNING,
        "has used up the account's quota of tokens a day for a model on Bedrock",
        "Ask for a higher quota in Service Quotas, or name another model in spill.model_id: PATCH /deployments/{name}. "
        "The model is asked again once a minute.",
    ),
    AlertKind.ACCESS_DENIED: _Text(
        Severity.WARNING,
        "is denied its model on Bedrock by a policy",
        "Read which in the log of requests (detail): a service control policy of the organization, often for one "
        "region of a cross-region profile. Have it changed, or name another model.",
    ),
    AlertKind.SPOT_NOTICE: _Text(
        Severity.WARNING, "will lose a spot instance in two minutes", "Nothing; a replacement has been asked for."
    ),
    AlertKind.LAUNCH_FAILED: _Text(
        Severity.WARNING,
        "could not get an instance it asked for",
        "Until then {meanwhile}. Add instance types or zones, or ask for a higher quota.",
    ),
    AlertKind.BUDGET: _Text(
        Severity.WARNING,
        "has used {share:.0%} of {budget}",
        "Lower capacity.max or idle_after_seconds, or raise the budget: PATCH /deployments/{name}.",
        Topic.COST,
    ),
    AlertKind.BUDGET_FORECAST: _Text(
        Severity.WARNING,
        "will pass {budget} before its end, at the pace of this month so far",
        "Lower capacity.max or idle_after_seconds, or raise the budget: PATCH /deployments/{name}.",
        Topic.COST,
    ),
    AlertKind.BUDGET_UNPRICED: _Text(
        Severity.WARNING,
        "uses something without a known price, so it can't be held to {budget} for that part",
        "See what: cost.unknown in GET /deployments/{name}. Give its price by PUT /prices/overrides.",
        Topic.COST,
    ),
    AlertKind.IDLE_BURN: _Text(
        Severity.WARNING,
        "pays for instances that nobody uses",
        "Let it sleep: lower capacity.min or thresholds.idle_after_seconds, or narrow its warm windows: "
        "PATCH /deployments/{name}.",
        Topic.COST,
    ),
    AlertKind.DEARER_THAN_BEDROCK: _Text(
        Severity.WARNING,
        "costs more than the same tokens would on Bedrock",
        "If it goes on: lower capacity.min or thresholds.idle_after_seconds, narrow its warm windows, or retire it and "
        "ask for the same model with path bedrock.",
        Topic.COST,
    ),
    AlertKind.COST_ANOMALY: _Text(
        Severity.WARNING,
        "costs much more than in the same hour last week",
        "See who uses it: GET /costs?group_by=key&deployment={name}. If nobody should, limit that key: PATCH /keys.",
        Topic.COST,
    ),
    AlertKind.FLEET_PAYS: _Text(
        Severity.INFO,
        "would cost less on a fleet of its own than on Bedrock",
        "Compare by POST /plans. To move, retire it and ask for the same model with path fleet, and Bedrock as its "
        "spill target.",
        Topic.COST,
    ),
}


def alert_of(
    news: AlertKind,
    deployment: Deployment,
    reason: Reason,
    at: datetime,
    occasion: str,
    *,
    state: AlertState = AlertState.EVENT,
    usd_per_hour: float | None = None,
    usd: float | None = None,
) -> Alert:
    """Return the alert for one piece of news.

    ``occasion`` names what happened once (an execution, a month and threshold), so that a repeat has the same id.
    """
    text = _TEXTS[news]
    spec = deployment.spec
    facts = {
        "name": spec.name,
        "path": spec.path,
        "desired": deployment.desired,
        "status": deployment.status,
        "share": reason.threshold or 0.0,
        "meanwhile": "its spill target answers" if spec.spill else "requests wait or are refused meanwhile",
        "budget": f"this month's budget of ${spec.budget.usd_per_month:,.2f}" if spec.budget else "a former budget",
    }
    return Alert(
        id=f"{spec.name}/{news}/{occasion}/{state}",
        topic=text.topic,
        state=state,
        severity=text.severity,
        deployment=spec.name,
        at=at,
        what=f"{spec.name} {text.what.format(**facts)}",
        why=reason,
        advice=text.advice.format(**facts),
        usd_per_hour=usd_per_hour,
        usd=usd,
    )


def closed(alert: Alert, at: datetime, why: Reason) -> Alert:
    """Return the alert that says that a lasting state has ended."""
    ended_id = alert.id.rsplit("/", 1)[0] + f"/{AlertState.CLOSED}"
    return replace(
        alert,
        id=ended_id,
        state=AlertState.CLOSED,
        severity=Severity.INFO,
        at=at,
        what=f"Over: {alert.what}",
        why=why,
        advice="Nothing.",
    )
