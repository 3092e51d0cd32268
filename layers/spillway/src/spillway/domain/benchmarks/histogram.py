"""Histograms of bounded size that merge exactly: buckets whose bounds grow by a constant factor.

A percentile is off by at most (``GROWTH`` - 1) / (``GROWTH`` + 1) of itself, a 21st, whatever the distribution (the
argument is DDSketch's: Masson, Rim and Lee, VLDB 2019), as long as values lie within ``LOWEST`` and ``HIGHEST``; others
count as these.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

GROWTH = 1.1
# A tenth of a millisecond to a quarter of an hour in seconds, and as tokens a second more than any stream has.
LOWEST = 1e-4
BUCKETS = 168
HIGHEST = LOWEST * GROWTH**BUCKETS
_LOG_GROWTH = math.log(GROWTH)


@dataclass
class Histogram:
    """``counts`` by bucket; bucket *i* holds values up to ``LOWEST * GROWTH**i``, and above the one before."""

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, value: float, times: int = 1) -> None:
        """Count a value; what is not above ``LOWEST`` falls into the first bucket."""
        within = min(value, HIGHEST)
        bucket = 0 if within <= LOWEST else min(BUCKETS, math.ceil(math.log(within / LOWEST) / _LOG_GROWTH))
        self.counts[bucket] = self.counts.get(bucket, 0) + times

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    def percentile(self, share: float) -> float | None:
        """Return the value below or at which ``share`` (0 to 1) of the values lie; None while there are none."""
        left = max(1, math.ceil(share * self.total))
        for bucket in sorted(self.counts):
            left -= self.counts[bucket]
            if left <= 0:
                return LOWEST * 2 * GROWTH**bucket / (GROWTH + 1) if bucket else LOWEST
        return None


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Return all values together; the order does not matter."""
    counts: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
    return Histogram(counts)


def histogram_to_json(histogram: Histogram) -> list[int]:
    """Return the first bucket and the counts from there on: the shortest form, since values lie close together."""
    if not histogram.counts:
        return []
    first, last = min(histogram.counts), max(histogram.counts)
    return [first, *(histogram.counts.get(bucket, 0) for bucket in range(first, last + 1))]


def histogram_from_json(data: Sequence[int]) -> Histogram:
    """Read back what :func:`histogram_to_json` wrote."""
    first, counts = (data[0], data[1:]) if data else (0, ())
    return Histogram({first + offset: count for offset, count in enumerate(counts) if count})
