"""AWS credits as a ledger: which grant pays for which days, when the last one runs out, and what expires unused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import Field

from spillway.domain.frozen import LEAST, Frozen

_LONGEST_DAYS = 5 * 366


class Credit(Frozen):
    """One grant of AWS credits: what is left of it, and the last day it can be used (UTC), None for no end."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    usd: Annotated[float, Field(ge=LEAST, le=1e12)]
    expires_on: date | None = None


@dataclass(frozen=True)
class CreditLedger:
    """The user's grants as they stood at ``stated_at``; ``other_usd_per_day`` is what else in the account uses them."""

    grants: tuple[Credit, ...]
    stated_at: datetime
    other_usd_per_day: float = 0.0


@dataclass(frozen=True)
class GrantUse:
    """What becomes of one grant; ``empty_on`` is the day that takes its last cent, None if it expires before that."""

    name: str
    used_usd: float
    unused_usd: float
    empty_on: date | None


@dataclass(frozen=True)
class CreditsOutlook:
    """``runs_out_on`` is the first day that credits don't cover whole; None if none is within five years."""

    balance_usd: float
    usd_per_day: float
    runs_out_on: date | None
    days_covered: int
    grants: tuple[GrantUse, ...]


@dataclass(frozen=True)
class CreditsState:
    """The ledger now. ``left`` are its grants with what is left of each; ``balance_usd`` is that of those not expired.

    ``used_usd`` is what was used since they were stated. ``pace_days`` whole days made the outlook's pace; before the
    first one there is no outlook.
    ``is_at_least`` says that something in the cost has no known price.
    """

    ledger: CreditLedger
    left: tuple[Credit, ...]
    balance_usd: float
    used_usd: float
    pace_days: int
    is_at_least: bool
    outlook: CreditsOutlook | None


class _Purse:
    """Grants that are paid from, the one that expires first before the others."""

    def __init__(self, credits: Sequence[Credit]) -> None:
        self.order = sorted(credits, key=lambda grant: (grant.expires_on or date.max, grant.name))
        self.left = [grant.usd for grant in self.order]
        self.empty_on: list[date | None] = [None] * len(self.order)

    def pay(self, day: date, usd: float) -> float:
        """Pay for a day and return what nothing was left for."""
        for at, grant in enumerate(self.order):
            if usd > 0 and self.left[at] > 0 and (grant.expires_on is None or day <= grant.expires_on):
                paid = min(self.left[at], usd)
                self.left[at], usd = self.left[at] - paid, usd - paid
                self.empty_on[at] = day if self.left[at] == 0 else None
        return usd


def outlook(credits: Sequence[Credit], usd_per_day: float, starts_on: date) -> CreditsOutlook:
    """Burn grants day by day at a steady pace."""
    purse, days = _Purse(credits), 0
    while days < _LONGEST_DAYS and usd_per_day > 0 and not purse.pay(starts_on + timedelta(days=days), usd_per_day):
        days += 1
    ends = days < _LONGEST_DAYS and usd_per_day > 0
    return CreditsOutlook(
        balance_usd=sum(grant.usd for grant in credits if grant.expires_on is None or starts_on <= grant.expires_on),
        usd_per_day=usd_per_day,
        runs_out_on=starts_on + timedelta(days=days) if ends else None,
        days_covered=days if usd_per_day > 0 else _LONGEST_DAYS,
        grants=tuple(
            GrantUse(grant.name, grant.usd - rest, rest, empty)
            for grant, rest, empty in zip(purse.order, purse.left, purse.empty_on, strict=True)
        ),
    )


def left_of(credits: Sequence[Credit], usd_by_day: Mapping[date, float]) -> tuple[Credit, ...]:
    """Return the grants, in their order, with what past days have left of each."""
    purse = _Purse(credits)
    for day, usd in sorted(usd_by_day.items()):
        purse.pay(day, usd)
    left = {id(grant): rest for grant, rest in zip(purse.order, purse.left, strict=True)}
    return tuple(grant.model_copy(update={"usd": left[id(grant)]}) for grant in credits)
