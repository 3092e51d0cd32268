"""The traffic that a plan is made for: whole hours, each with its requests and their lengths."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

from spillway.domain.errors import InvalidRequest
from spillway.domain.prices import SECONDS_PER_HOUR

HOURS_PER_MONTH = 730
# More of anything in an hour than this is a slip of the pen.
LARGEST = 1e12
LOG_COLUMNS = ("t_seconds", "requests", "prompt_tokens", "completion_tokens")
# A last hour with less than this belongs to the hour before: a few minutes say nothing about an hour.
_SHORTEST_HOUR_SECONDS = 600
_LONGEST_LOG_HOURS = 24 * 366


@dataclass(frozen=True)
class Hour:
    """Requests of one hour, and the mean tokens of each."""

    requests: float
    prompt_tokens: float
    completion_tokens: float

    @property
    def tokens(self) -> float:
        """All tokens of the hour."""
        return self.requests * (self.prompt_tokens + self.completion_tokens)


@dataclass(frozen=True)
class Shape:
    """Hours that repeat; a month is 730 of them."""

    hours: tuple[Hour, ...]

    @property
    def requests_per_month(self) -> float:
        """Requests of 730 hours."""
        return self.per_month(sum(hour.requests for hour in self.hours))

    @property
    def tokens_per_month(self) -> float:
        """Prompt and completion tokens of 730 hours."""
        return self.per_month(sum(hour.tokens for hour in self.hours))

    @property
    def prompt_tokens(self) -> float:
        """Mean of a request."""
        return self._mean([hour.prompt_tokens for hour in self.hours])

    @property
    def completion_tokens(self) -> float:
        """Mean of a request."""
        return self._mean([hour.completion_tokens for hour in self.hours])

    def per_month(self, amount: float) -> float:
        """Return what 730 hours have of an amount that these hours have."""
        return amount * HOURS_PER_MONTH / len(self.hours)

    def scaled(self, factor: float) -> "Shape":
        """Return the same shape with this many times the requests."""
        return Shape(
            tuple(Hour(hour.requests * factor, hour.prompt_tokens, hour.completion_tokens) for hour in self.hours)
        )

    def _mean(self, lengths: Sequence[float]) -> float:
        requests = sum(hour.requests for hour in self.hours)
        if not requests:
            return sum(lengths) / len(lengths)
        return sum(hour.requests * one for hour, one in zip(self.hours, lengths, strict=True)) / requests


@cache
def examples() -> Mapping[str, Mapping[str, Any]]:
    """Return the named traffics that are shipped with the package, each with what it is and its source."""
    data: dict[str, Any] = json.loads(files("spillway.data").joinpath("traffic_examples.json").read_text())
    return data


def shape_of_curve(
    requests: Sequence[float], prompt_tokens: Sequence[float] | float, completion_tokens: Sequence[float] | float
) -> Shape:
    """Return a curve as a shape; a single length is that of every hour."""

    def lengths(given: Sequence[float] | float) -> Sequence[float]:
        return [given] * len(requests) if isinstance(given, int | float) else given

    return Shape(tuple(map(Hour, requests, lengths(prompt_tokens), lengths(completion_tokens))))


def shape_of_log(lines: Iterable[str], param: str = "traffic.log") -> Shape:
    """Return a request log's hours, read line by line; InvalidRequest names the row that is wrong.

    Columns are ``LOG_COLUMNS`` under a header, one row a request or a window, in order of time; the tokens are those
    of one request. Hours without a row had no request; a last hour of less than ten minutes is part of the one before.
    """
    rows = _rows(lines, param)
    at = _places([name.strip() for _, row in islice(rows, 1) for name in row], param)
    sums: list[list[float]] = []
    first = last = None
    for number, row in rows:
        if not row:
            continue
        moment, requests, prompt, completion = _numbers(row, at, number, param)
        first = moment if first is None else first
        if last is not None and moment < last:
            raise InvalidRequest(f"row {number} of the log is earlier than the row before it", param=param)
        last = moment
        hour = int((moment - first) // SECONDS_PER_HOUR)
        if hour >= _LONGEST_LOG_HOURS:
            raise InvalidRequest(f"row {number} of the log is more than a year after the first", param=param)
        sums += [[0.0, 0.0, 0.0] for _ in range(hour + 1 - len(sums))]
        for place, amount in enumerate((requests, requests * prompt, requests * completion)):
            sums[hour][place] += amount
    if first is None or last is None:
        raise InvalidRequest("the log has no rows", param=param)
    return Shape(_whole_hours(sums, last - first))


def _rows(lines: Iterable[str], param: str) -> Iterator[tuple[int, list[str]]]:
    reader, number = csv.reader(lines), 0
    try:
        for number, row in enumerate(reader, start=1):
            yield number, row
    except csv.Error as err:
        raise InvalidRequest(f"row {number + 1} of the log cannot be read: {err}", param=param) from err


def _places(header: Sequence[str], param: str) -> list[int]:
    for said, names in (
        ("lacks", [name for name in LOG_COLUMNS if name not in header]),
        ("names more than once", [name for name in LOG_COLUMNS if header.count(name) > 1]),
    ):
        if names:
            raise InvalidRequest(f"the log's header {said} {', '.join(names)}", param=param, allowed=LOG_COLUMNS)
    return [header.index(name) for name in LOG_COLUMNS]


def _numbers(row: Sequence[str], at: Sequence[int], number: int, param: str) -> tuple[float, ...]:
    try:
        values = tuple(float(row[place]) for place in at)
    except (ValueError, IndexError) as err:
        raise InvalidRequest(f"row {number} of the log is not four numbers", param=param) from err
    for name, value in zip(LOG_COLUMNS, values, strict=True):
        most = math.inf if name == "t_seconds" else LARGEST
        if not (math.isfinite(value) and 0 <= value <= most):
            said = f"row {number} of the log: {name} is {value:g}, not a number from 0 to {most:g}"
            raise InvalidRequest(said, param=param)
    return values


def _whole_hours(sums: list[list[float]], span_seconds: float) -> tuple[Hour, ...]:
    rest = span_seconds - (len(sums) - 1) * SECONDS_PER_HOUR
    seconds = [float(SECONDS_PER_HOUR)] * (len(sums) - 1) + [max(rest, 1.0)]
    if len(sums) > 1 and rest < _SHORTEST_HOUR_SECONDS:
        sums[-2:] = [[before + after for before, after in zip(*sums[-2:], strict=True)]]
        seconds[-2:] = [sum(seconds[-2:])]
    elif len(sums) == 1:
        seconds = [max(rest, 60.0)]
    return tuple(
        Hour(
            requests * SECONDS_PER_HOUR / length,
            prompt / requests if requests else 0.0,
            completion / requests if requests else 0.0,
        )
        for (requests, prompt, completion), length in zip(sums, seconds, strict=True)
    )
