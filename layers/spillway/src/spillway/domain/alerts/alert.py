"""One alert: what happened, why, what it costs or saves, what to do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from spillway.domain.decision import Reason, reason_to_json

SCHEMA = "spillway.alert/1"


class Topic(StrEnum):
    """Which SNS topic an alert goes to; operations is that of the stack's own alarms."""

    SCALE = "scale"
    COST = "cost"
    OPERATIONS = "operations"


class AlertState(StrEnum):
    """``event`` happened once; a lasting state is ``open`` once and ``closed`` once."""

    EVENT = "event"
    OPEN = "open"
    CLOSED = "closed"


class Severity(StrEnum):
    """Whether somebody should look now."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Alert:
    """``id`` is the same for every repeat of the same alert; ``usd_per_hour`` is positive for a cost, negative for a
    saving, None where unknown; ``usd`` is an amount (a month's spend, say)."""

    id: str
    topic: Topic
    state: AlertState
    severity: Severity
    deployment: str
    at: datetime
    what: str
    why: Reason
    advice: str
    usd_per_hour: float | None = None
    usd: float | None = None


def alert_to_json(alert: Alert) -> dict[str, Any]:
    """Return the documented JSON form (docs/alerts.md)."""
    return {
        "schema": SCHEMA,
        "id": alert.id,
        "topic": alert.topic,
        "state": alert.state,
        "severity": alert.severity,
        "deployment": alert.deployment,
        "at": alert.at.isoformat(),
        "what": alert.what,
        "why": reason_to_json(alert.why),
        "usd_per_hour": alert.usd_per_hour,
        "usd": alert.usd,
        "advice": alert.advice,
    }


def subject_of(alert: Alert) -> str:
    """Return an e-mail subject: SNS takes up to 100 ASCII characters without control characters."""
    text = alert.what if alert.deployment in alert.what else f"{alert.deployment}: {alert.what}"
    ascii_text = f"[Spillway] {text}".encode("ascii", "replace").decode()
    return "".join(character if character.isprintable() else " " for character in ascii_text)[:100]


def text_of(alert: Alert) -> str:
    """Return the plain-text rendering for e-mail."""
    lines = [alert.what, "", f"Why: {alert.why.sentence}"]
    if alert.why.observed is not None and alert.why.threshold is not None:
        unit = f" {alert.why.unit}" if alert.why.unit else ""
        lines.append(f"     observed {alert.why.observed:g}{unit}, threshold {alert.why.threshold:g}{unit}")
    lines += [f"Money: {money_of(alert)}", f"What to do: {alert.advice}", ""]
    lines += [f"Deployment {alert.deployment} · {alert.state} · {alert.severity} · {alert.at.isoformat()}"]
    return "\n".join(lines)


def money_of(alert: Alert) -> str:
    """Return what an alert costs or saves, in words; an unknown price says so."""
    parts = []
    if alert.usd is not None:
        parts.append(f"${alert.usd:,.2f} so far")
    if alert.usd_per_hour is not None:
        verb = "saves" if alert.usd_per_hour < 0 else "costs"
        changes = alert.usd_per_hour != 0
        parts.append(f"{verb} ${abs(alert.usd_per_hour):,.3f} an hour" if changes else "changes nothing an hour")
    return ", ".join(parts) or "unknown"
