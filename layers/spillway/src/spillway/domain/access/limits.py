"""What a key may use: requests and tokens a minute, dollars a month; and how these travel to the gateway.

Money is counted in whole nano-dollars (a billionth), so that sums are exact and a single token has a price.
"""

import calendar
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

NANO_PER_USD = 1_000_000_000


@dataclass(frozen=True)
class KeyLimits:
    """A key's limits; None is no limit. Minutes and months are the calendar's, in UTC."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    usd_per_month: float | None = None

    @property
    def nano_usd_per_month(self) -> int | None:
        """The budget in nano-dollars."""
        return None if self.usd_per_month is None else round(self.usd_per_month * NANO_PER_USD)

    def to_context(self) -> dict[str, str]:
        """Return what the authorizer hands on: strings only, and only the limits that there are."""
        return {name: repr(value) for name, value in vars(self).items() if value is not None}


NO_LIMITS = KeyLimits()


def limits_from(context: Mapping[str, object]) -> KeyLimits:
    """Read back what :meth:`KeyLimits.to_context` wrote; raises ValueError for a limit that is no number.

    API Gateway hands some values on as numbers; and a limit that can't be read must never become none at all.
    """
    requests, tokens = context.get("requests_per_minute"), context.get("tokens_per_minute")
    usd = context.get("usd_per_month")
    if requests is None and tokens is None and usd is None:
        return NO_LIMITS
    dollars = None if usd is None else float(str(usd))
    if dollars is not None and not math.isfinite(dollars):
        raise ValueError(f"no budget: {dollars}")
    return KeyLimits(
        None if requests is None else int(str(requests)), None if tokens is None else int(str(tokens)), dollars
    )


@dataclass(frozen=True)
class Window:
    """The span that a limit counts in; ``name`` sorts by time."""

    name: str
    begin: datetime
    end: datetime

    def seconds_left(self, now: datetime) -> float:
        """Return how long until everything is free again."""
        return max(0.0, (self.end - now).total_seconds())


def minute_at(now: datetime) -> Window:
    """Return the minute that requests and tokens count in."""
    return _minute(int(now.timestamp()) // 60)


def month_at(now: datetime) -> Window:
    """Return the month that money counts in."""
    utc = now.astimezone(UTC)
    return _month(utc.year, utc.month)


# Every request of a key with limits asks for both, and for a minute the answer is the same.
@lru_cache(maxsize=4)
def _minute(number: int) -> Window:
    begin = datetime.fromtimestamp(number * 60, UTC)
    return Window(f"{begin:%Y-%m-%dT%H:%MZ}", begin, begin + timedelta(minutes=1))


@lru_cache(maxsize=4)
def _month(year: int, month: int) -> Window:
    begin = datetime(year, month, 1, tzinfo=UTC)
    return Window(f"{begin:%Y-%m}", begin, begin + timedelta(days=calendar.monthrange(year, month)[1]))
