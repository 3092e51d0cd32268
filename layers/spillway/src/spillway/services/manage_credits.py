"""AWS credits: what the user stated of them, less what the deployments have cost since, and how long they last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from spillway.domain.costs.credits import Credit, CreditLedger, CreditsState, left_of, outlook
from spillway.domain.costs.ledger import Amounts
from spillway.domain.costs.month import MICRO
from spillway.ports import Credits
from spillway.services.show_costs import ShowCosts

_DAY = timedelta(days=1)
# The pace is the mean of this many whole days; of usage that is older than this, nothing is kept.
_PACE_DAYS = 7
_KEPT = timedelta(days=399)


@dataclass(frozen=True)
class ManageCredits:
    """Keeps the grants, and holds realised costs against them."""

    credits: Credits
    costs: ShowCosts
    now: Callable[[], datetime]

    def put(self, grants: Sequence[Credit], other_usd_per_day: float) -> CreditsState:
        """State all grants anew, as they stand now."""
        self.credits.put_credits(CreditLedger(tuple(grants), self.now(), other_usd_per_day))
        return self.state()

    def state(self) -> CreditsState:
        """Return where they stand; a ledger without grants where none were stated."""
        now = self.now().astimezone(UTC)
        ledger = self.credits.credits() or CreditLedger((), now)
        if not ledger.grants:
            return CreditsState(ledger, (), 0.0, 0.0, 0, False, None)
        spent = self._days(max(ledger.stated_at, now - _KEPT), now)
        since_stated = {day: _usd(amounts) for day, amounts in spent.items()}
        _add_other(since_stated, ledger, now)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        paced = self._days(midnight - _PACE_DAYS * _DAY, midnight)
        # Days before the first cost are those in which nothing was here yet.
        pace_days = (midnight.date() - min(paced, default=midnight.date())).days
        left = left_of(ledger.grants, since_stated)
        usable = [grant for grant in left if grant.usd > 0]
        pace = sum(map(_usd, paced.values())) / max(1, pace_days) + ledger.other_usd_per_day
        return CreditsState(
            ledger=ledger,
            left=left,
            balance_usd=sum(grant.usd for grant in left if grant.expires_on is None or now.date() <= grant.expires_on),
            used_usd=sum(since_stated.values()),
            pace_days=pace_days,
            is_at_least=any(not amounts.is_priced for amounts in [*spent.values(), *paced.values()]),
            outlook=outlook(usable, pace, now.date()) if pace_days or ledger.other_usd_per_day else None,
        )

    def _days(self, since: datetime, until: datetime) -> Mapping[date, Amounts]:
        report = self.costs.report(since, until, "day", None)
        return {date.fromisoformat(group.name): group.amounts for group in report.groups}


def _usd(amounts: Amounts) -> float:
    # AWS's credits pay for Spillway's own services as well.
    return (amounts.micro_usd + amounts.shared_micro_usd) / MICRO


def _add_other(usd_by_day: dict[date, float], ledger: CreditLedger, now: datetime) -> None:
    """Add to each day, and to the begun ones in proportion, what else uses the credits."""
    at = ledger.stated_at.astimezone(UTC)
    while at < now:
        end = min(now, (at + _DAY).replace(hour=0, minute=0, second=0, microsecond=0))
        usd = ledger.other_usd_per_day * ((end - at) / _DAY)
        usd_by_day[at.date()] = usd_by_day.get(at.date(), 0.0) + usd
        at = end
