"""Credits that will not last: told of when few days of them are left, and when that is over."""

from datetime import date, datetime

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.alerts.kinds import closed
from spillway.domain.costs.credits import CreditsState
from spillway.domain.decision import Code, Reason
from spillway.domain.review.record import Review

# Days that credits still last at which to tell of it: time to ask for more, and time to act at once.
CREDIT_DAYS = (30, 7)


def judge_credits(stack: str, state: CreditsState, before: Review | None, now: datetime) -> tuple[list[Alert], Review]:
    """Return the alerts that are due, and the review that will not send them again; the most urgent says it all."""
    told = before.open_alerts if before else frozenset()
    low = _low(state, now.date())
    begun = sorted(low - told, key=int)[:1]
    ended = [] if low else sorted(told, key=int)[:1]
    alerts = [_alert(stack, state, days, now) for days in begun]
    over = [_alert(stack, state, days, now) for days in ended]
    alerts += [closed(alert, now, alert.why) for alert in over]
    return alerts, Review(now, frozenset(low))


def _low(state: CreditsState, today: date) -> frozenset[str]:
    """Return the thresholds that credits are under, as the keys of what was told."""
    if state.outlook is None or state.outlook.runs_out_on is None:
        return frozenset()
    left = (state.outlook.runs_out_on - today).days
    return frozenset(str(days) for days in CREDIT_DAYS if left <= days)


def _alert(stack: str, state: CreditsState, days: str, now: datetime) -> Alert:
    found = state.outlook
    ends = f"cover no more than the days before {found.runs_out_on}" if found and found.runs_out_on else "run out"
    return Alert(
        id=f"credits/{days}/{now:%Y-%m-%d}/{AlertState.OPEN}",
        topic=Topic.COST,
        state=AlertState.OPEN,
        severity=Severity.WARNING,
        deployment=stack,
        at=now,
        what=f"{stack}: AWS credits {ends}",
        why=Reason(Code.CREDITS_LOW, _sentence(state), found.days_covered if found else None, int(days), "days"),
        advice="Ask AWS for more, or plan what is paid for from then on: POST /plans.",
        usd_per_hour=found.usd_per_day / 24 if found else None,
    )


def _sentence(state: CreditsState) -> str:
    if state.outlook is None:
        return "No credits are stated, or nothing is known of the pace."
    usd, pace = state.outlook.balance_usd, state.outlook.usd_per_day
    unused = sum(grant.unused_usd for grant in state.outlook.grants)
    lost = f" ${unused:,.2f} will expire unused." if unused >= 0.01 else ""
    return f"${usd:,.2f} are left, and {'at least ' if state.is_at_least else ''}${pace:,.2f} a day are used.{lost}"
