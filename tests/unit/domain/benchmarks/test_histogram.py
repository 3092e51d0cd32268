"""Merging knows no order, and percentiles stay within the buckets' error of the exact ones."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.benchmarks.histogram import (
    BUCKETS,
    HIGHEST,
    LOWEST,
    Histogram,
    histogram_from_json,
    histogram_to_json,
    merged,
)

VALUES = st.lists(st.floats(LOWEST, HIGHEST), min_size=1, max_size=200)


def of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(VALUES, st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_the_error_of_the_exact_one(values: list[float], share: float) -> None:
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    found = of(values).percentile(share)
    assert found is not None
    assert abs(found - exact) <= exact * (1 / 21 + 1e-9)


@given(st.lists(VALUES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_and_grouping_of_merging_do_not_matter(parts: list[list[float]], random: object) -> None:
    whole = of([value for part in parts for value in part])
    histograms = [of(part) for part in parts]
    random.shuffle(histograms)  # type: ignore[attr-defined]
    one_by_one = Histogram()
    for histogram in histograms:
        one_by_one = merged([histogram, one_by_one])
    assert merged(histograms).counts == one_by_one.counts == whole.counts


@given(st.lists(st.floats(LOWEST, HIGHEST), max_size=50))
def test_json_brings_it_back(values: list[float]) -> None:
    histogram = of(values)
    assert histogram_from_json(json.loads(json.dumps(histogram_to_json(histogram)))) == histogram


@settings(max_examples=20)
@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_nothing_is_outside_and_the_size_is_bounded(value: float) -> None:
    assert set(of([value]).counts) <= set(range(BUCKETS + 1))


def test_nothing_has_no_percentile() -> None:
    assert Histogram().percentile(0.5) is None
