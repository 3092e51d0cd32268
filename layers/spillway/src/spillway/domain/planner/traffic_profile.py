"""The traffic that a plan is made for: whole hours, each with its requests and their lengths."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import pairwise
from typing import Any

from spillway.domain.economics.trace import Trace
from spillway.domain.economics.traffic_log import read_log
from spillway.domain.pricing.price_book import HOURS_PER_MONTH

_MINUTES_PER_HOUR = 60
# A last hour with less than this belongs to the hour before: a few minutes say nothing about an hour.
_SHORTEST_HOUR_MINUTES = 10
# Fewer in an hour are none: tokens by so small a number would have no end.
_FEWEST = 1e-6
_LONGEST_LOG_MINUTES = 366 * 24 * _MINUTES_PER_HOUR


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
class TrafficProfile:
    """Hours that repeat; a month is 730 of them."""

    hours: tuple[Hour, ...]

    @cached_property
    def requests_per_month(self) -> float:
        """Requests of 730 hours."""
        return self.per_month(sum(hour.requests for hour in self.hours))

    @cached_property
    def tokens_per_month(self) -> float:
        """Prompt and completion tokens of 730 hours."""
        return self.per_month(sum(self.sizes))

    @cached_property
    def sizes(self) -> tuple[float, ...]:
        """All tokens of each hour."""
        return tuple(hour.tokens for hour in self.hours)

    @cached_property
    def prompt_tokens(self) -> float:
        """Mean of a request."""
        return self._mean([hour.prompt_tokens for hour in self.hours])

    @cached_property
    def completion_tokens(self) -> float:
        """Mean of a request."""
        return self._mean([hour.completion_tokens for hour in self.hours])

    def per_month(self, amount: float) -> float:
        """Return what 730 hours have of an amount that these hours have."""
        return amount * HOURS_PER_MONTH / len(self.hours)

    def scaled(self, factor: float) -> "TrafficProfile":
        """Return the same shape with this many times the requests."""
        return TrafficProfile(
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


def profile_of_curve(
    requests: Sequence[float], prompt_tokens: Sequence[float] | float, completion_tokens: Sequence[float] | float
) -> TrafficProfile:
    """Return a curve as a shape; a single length is that of every hour."""

    def lengths(given: Sequence[float] | float) -> Sequence[float]:
        return [given] * len(requests) if isinstance(given, int | float) else given

    return TrafficProfile(tuple(map(Hour, requests, lengths(prompt_tokens), lengths(completion_tokens))))


def profile_of_log(lines: Iterable[str], param: str = "traffic.log") -> TrafficProfile:
    """Return a request log's hours, read row by row as :func:`read_log` does; InvalidRequest names a wrong row.

    Hours are counted from the first row, and those without a row had no request; a last hour of less than ten minutes
    is part of the one before.
    """
    trace = read_log(lines, param, _LONGEST_LOG_MINUTES)
    starts = list(range(0, len(trace), _MINUTES_PER_HOUR))
    if len(starts) > 1 and len(trace) - starts[-1] < _SHORTEST_HOUR_MINUTES:
        starts.pop()
    return TrafficProfile(tuple(_hour(trace, start, end) for start, end in pairwise([*starts, len(trace)])))


def _hour(trace: Trace, start: int, end: int) -> Hour:
    columns = (trace.requests, trace.prompt_tokens, trace.completion_tokens)
    requests, prompt, completion = (sum(column[start:end]) for column in columns)
    if requests < _FEWEST:
        return Hour(0.0, 0.0, 0.0)
    return Hour(requests * _MINUTES_PER_HOUR / (end - start), prompt / requests, completion / requests)
