"""When an EventBridge schedule expression is due: ``rate(...)`` and the six fields of ``cron(...)``.

Of what AWS knows beside these, ``at(...)`` and the letters L, W and # are not played.
"""

import re
from datetime import datetime, timedelta

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Minute, hour, day of the month, month, day of the week and year: the first and last number, and names for numbers.
_FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (1, 7, _DAYS), (1970, 2199, ()))


def rate_seconds(expression: str) -> int | None:
    """Return the period of ``rate(n unit)`` in seconds, None for another kind of expression."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return int(found[1]) * _UNITS[found[2]] if found else None


def is_expression(text: str) -> bool:
    """Whether it is one that the scheduler takes."""
    period = rate_seconds(text)
    if period is not None:
        return period > 0
    try:
        fields = _fields(text)
        parts = [(part, *rule) for field, rule in zip(fields, _FIELDS, strict=True) for part in field.split(",")]
        return "?" in (fields[2], fields[4]) and all(_is_part(*each) for each in parts)
    except ValueError:
        return False


def is_due(expression: str, after: datetime, until: datetime) -> bool:
    """Return whether a minute in ``(after, until]`` matches a ``cron(...)``; raises ``ValueError`` for none."""
    fields = _fields(expression)
    # A clock that has jumped by more than a day is one late turn, not many.
    minute = max(after, until - timedelta(days=1)).replace(second=0, microsecond=0)
    while (minute := minute + timedelta(minutes=1)) <= until:
        if _matches(fields, minute):
            return True
    return False


def _fields(expression: str) -> list[str]:
    found = re.fullmatch(r"cron\(([^)]+)\)", expression)
    fields = found[1].upper().split() if found else []
    if len(fields) != len(_FIELDS):
        raise ValueError(f"not a cron expression: {expression}")
    return fields


def _is_part(part: str, first: int, last: int, names: tuple[str, ...]) -> bool:
    span, _, step = part.partition("/")
    if (step or "1") == "0" or not (step or "1").isdigit():
        return False
    if span in ("*", "?"):
        return True
    ends = [_number(each, first, names) for each in span.split("-")]
    return len(ends) <= 2 and all(first <= end <= last for end in ends)


def _matches(fields: list[str], at: datetime) -> bool:
    minute, hour, day, month, weekday, year = fields
    return (
        _in(minute, at.minute, 0)
        and _in(hour, at.hour, 0)
        and _in(day, at.day, 1)
        and _in(month, at.month, 1, _MONTHS)
        and _in(weekday, at.isoweekday() % 7 + 1, 1, _DAYS)
        and _in(year, at.year, 1970)
    )


def _in(field: str, value: int, first: int, names: tuple[str, ...] = ()) -> bool:
    return any(_in_part(part, value, first, names) for part in field.split(","))


def _in_part(part: str, value: int, first: int, names: tuple[str, ...]) -> bool:
    span, _, step = part.partition("/")
    if span in ("*", "?"):
        return not step or (value - first) % int(step) == 0
    low, _, high = span.partition("-")
    start = _number(low, first, names)
    end = _number(high, first, names) if high else (10_000 if step else start)
    return start <= value <= end and (value - start) % int(step or 1) == 0


def _number(text: str, first: int, names: tuple[str, ...]) -> int:
    return names.index(text) + first if text in names else int(text)
