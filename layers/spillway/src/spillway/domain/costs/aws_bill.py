"""AWS's bill of the instances that bear our tags, day by day, beside what the ledger says of the same days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from spillway.domain.costs.ledger import Part
from spillway.domain.paths.path import is_billed_by_token


@dataclass(frozen=True)
class Billed:
    """What AWS billed for a day (UTC), in USD; ``is_final`` once AWS does not call it an estimate any more."""

    unblended_usd: float
    amortized_usd: float
    is_final: bool


@dataclass(frozen=True)
class DayOfBill:
    """One day: the instances' cost by the ledger, and the bill, None where AWS has none of it."""

    day: date
    told_micro_usd: int
    billed: Billed | None


@dataclass(frozen=True)
class BillCheck:
    """All whole past days of a span; ``problem`` says why there is no bill to compare with."""

    days: Sequence[DayOfBill] = ()
    problem: str | None = None


def whole_days(since: datetime, until: datetime, now: datetime) -> tuple[date, date] | None:
    """Return the first whole day (UTC) of a span and the day after its last one that has passed; None without any."""
    midnight = since.replace(hour=0, minute=0)
    first = midnight if midnight == since else midnight + timedelta(days=1)
    end = min(until, now).replace(hour=0, minute=0, second=0, microsecond=0)
    return (first.date(), end.date()) if first < end else None


def compared(parts: Iterable[Part], billed: Mapping[date, Billed], first: date, end: date) -> BillCheck:
    """Set the parts' instance time, which alone bears tags, beside the bill."""
    told: dict[date, int] = {}
    for part in parts:
        if not is_billed_by_token(part.path):
            told[part.hour.date()] = told.get(part.hour.date(), 0) + part.amounts.micro_usd
    days = (first + timedelta(days=number) for number in range((end - first).days))
    return BillCheck([DayOfBill(day, told.get(day, 0), billed.get(day)) for day in days])
