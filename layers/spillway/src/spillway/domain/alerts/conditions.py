"""States that last: announced once when they begin and once when they end, and not in between."""

from dataclasses import dataclass
from datetime import datetime

from spillway.domain.alerts.alert import Alert, AlertState
from spillway.domain.alerts.kinds import AlertKind, alert_of, closed
from spillway.domain.decision import Reason
from spillway.domain.deployments.deployment import Deployment


@dataclass(frozen=True)
class Condition:
    """One state that holds now; ``key`` begins with its news, and tells it from others of its kind (a threshold)."""

    key: str
    news: AlertKind
    reason: Reason
    usd: float | None = None
    usd_per_hour: float | None = None


def begin(state: Condition, deployment: Deployment, now: datetime) -> Alert:
    """Return the alert that a state has begun."""
    return alert_of(
        state.news,
        deployment,
        state.reason,
        now,
        _occasion(state.key, now),
        state=AlertState.OPEN,
        usd=state.usd,
        usd_per_hour=state.usd_per_hour,
    )


def end(key: str, deployment: Deployment, why: Reason, now: datetime, usd: float | None = None) -> Alert:
    """Return the alert that the state of this key is over."""
    return closed(alert_of(news_of(key), deployment, why, now, _occasion(key, now), usd=usd), now, why)


def news_of(key: str) -> AlertKind:
    """Return what a state's key is about."""
    return AlertKind(key.split(":", 1)[0])


def _occasion(key: str, now: datetime) -> str:
    return f"{key}/{now:%Y%m%dT%H%M}"
