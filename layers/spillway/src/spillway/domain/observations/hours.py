"""Hours and months (UTC) by the names that usage is kept under; light, because the gateway keeps it too."""

from datetime import UTC, datetime


def month_of(now: datetime) -> str:
    """Return the calendar month (UTC) that budgets and costs are kept by, such as ``2026-11``."""
    return f"{now:%Y-%m}"


def hour_of(at: datetime) -> str:
    """Return the hour (UTC) that usage is kept by, such as ``2026-11-24T01Z``."""
    return f"{at:%Y-%m-%dT%H}Z"


def hour_at(at: datetime) -> datetime:
    """Return the beginning of the hour (UTC) that a moment lies in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_from(name: str) -> datetime:
    """Return the moment at which an hour named by :func:`hour_of` begins."""
    return datetime.strptime(name, "%Y-%m-%dT%HZ").replace(tzinfo=UTC)
