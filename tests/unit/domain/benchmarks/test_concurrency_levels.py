"""Which level follows, and what ends a benchmark."""

from typing import Any

import pytest
from pydantic import ValidationError

from spillway.domain.benchmarks.concurrency_levels import Next, next_level
from spillway.domain.benchmarks.record import Benchmark, End, StepResult
from spillway.domain.benchmarks.spec import BenchmarkSpec, Concurrency
from spillway.domain.benchmarks.steps import step_of
from tests.measuring_builders import a_benchmark, a_tally

GOOD: dict[str, Any] = {}
SLOW: dict[str, Any] = {"ttft": 3.0}
REFUSED: dict[str, Any] = {"failures": {"engine_saturated": 400}, "details": {"engine_saturated": "no"}}


def after(*levels: tuple[int, float, dict[str, Any]], **changes: Any) -> Benchmark:
    """A benchmark after levels: requests at once, tokens a second, and what else is counted."""
    spec = BenchmarkSpec.model_validate(
        {
            "mix": [{"prompt_tokens": 100, "completion_tokens": 10}],
            "latency": {"ttft_p95_ms": 2000},
            "concurrency": {"start": 4, "max": 64},
            **changes.pop("spec", {}),
        }
    )
    steps: list[StepResult] = [
        step_of(at, concurrency, a_tally(rate, **more), spec, 2000.0, 1, 0.1)
        for at, (concurrency, rate, more) in enumerate(levels, 1)
    ]
    return a_benchmark(spec=spec, steps=tuple(steps), **changes)


def follows(benchmark: Benchmark, **changes: Any) -> Next:
    now: dict[str, Any] = {
        "usd_per_second": lambda _: 0.001,
        "seconds_used": 100.0,
        "instances": 1,
        "stop_asked": False,
        **changes,
    }
    return next_level(benchmark, **now)


def test_levels_rise_while_throughput_does() -> None:
    assert follows(after()).concurrency == 4
    assert follows(after((4, 100, GOOD))).concurrency == 8
    assert follows(after((4, 100, GOOD), (8, 190, GOOD))).concurrency == 16


def test_throughput_that_grows_no_more_is_the_end() -> None:
    found = follows(after((4, 100, GOOD), (8, 104, GOOD)))
    assert (found.end, "grew by 4.0%" in found.sentence) == (End.SATURATED, True)


def test_a_broken_bound_is_approached_from_both_sides() -> None:
    levels: list[tuple[int, float, dict[str, Any]]] = [(4, 100, GOOD), (8, 190, GOOD), (16, 250, SLOW)]
    assert follows(after(*levels)).concurrency == 12
    assert follows(after(*levels, (12, 230, GOOD))).concurrency == 14
    assert follows(after(*levels, (12, 230, SLOW))).concurrency == 10
    last = follows(after(*levels, (12, 230, GOOD), (14, 240, GOOD)))
    assert (last.end, "2000 ms are allowed" in last.sentence) == (End.LATENCY, True)
    assert follows(after(*levels, spec={"refinements": 0})).end is End.LATENCY


def test_a_first_level_that_breaks_is_halved() -> None:
    assert follows(after((4, 100, SLOW))).concurrency == 2
    assert follows(after((4, 100, SLOW), (2, 100, SLOW))).concurrency == 1
    assert follows(after((4, 100, SLOW), (2, 100, SLOW), (1, 100, SLOW))).end is End.LATENCY


def test_refused_requests_say_why() -> None:
    found = follows(after((4, 100, REFUSED), spec={"refinements": 0}))
    assert found.end is End.FAILURES
    assert "66.7% of requests failed (engine_saturated: no)" in found.sentence


def test_what_could_not_be_measured_fails_it() -> None:
    found = follows(after((4, 100, {"lost": 1})))
    assert (found.end, "brought nothing back" in found.sentence) == (End.FAILED, True)


def test_the_last_level_is_the_end() -> None:
    levels = [(4 * 2**at, 100.0 * 2**at, GOOD) for at in range(5)]
    assert follows(after(*levels)).end is End.LEVELS_DONE


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"stop_asked": True}, End.STOPPED),
        ({"instances": 2}, End.CAPACITY_CHANGED),
        ({"instances": 0}, End.CAPACITY_CHANGED),
        # A step takes 4 s to begin, 10 s to fill and 60 s to measure, of 1,800 s.
        ({"seconds_used": 1727.0}, End.TIME_USED_UP),
        ({"usd_per_second": lambda _: 0.03}, End.COST_USED_UP),
    ],
)
def test_bounds_end_it_before_another_step(changes: dict[str, Any], end: End) -> None:
    assert follows(after((4, 100, GOOD), usd_used=2.9), **changes).end is end


def test_without_instances_nothing_begins() -> None:
    found = follows(after(conditions={"instances": 0}), instances=0)
    assert (found.end, found.sentence) == (End.CAPACITY_CHANGED, "No instance is ready.")


def test_within_the_bounds_it_goes_on() -> None:
    assert follows(after((4, 100, GOOD)), seconds_used=1725.0, usd_per_second=lambda _: None).concurrency == 8
    # $2.90 used and 74 s more at 2.8 cents a second are $4.97 of $5.
    assert follows(after((4, 100, GOOD), usd_used=2.9), usd_per_second=lambda _: 0.028).concurrency == 8


def test_ladders() -> None:
    assert Concurrency(start=1, factor=1.5, max=10).ladder() == (1, 2, 3, 4, 6, 9, 10)
    given = Concurrency(levels=(1, 5, 7))
    assert Concurrency.model_validate(given.model_dump()).ladder() == (1, 5, 7)
    assert Concurrency().ladder() == (4, 8, 16, 32, 64, 128, 256)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"levels": [4, 4]}, "levels"),
        ({"start": 9, "max": 8}, "start"),
        ({"start": 1, "factor": 1.1, "max": 3072}, "factor"),
    ],
)
def test_ladders_that_are_none(body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as found:
        Concurrency.model_validate(body)
    assert found.value.errors()[0]["ctx"]["field"] == field
