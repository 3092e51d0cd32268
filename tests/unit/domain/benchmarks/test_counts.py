"""What workers counted becomes one tally in any order, and rates and percentiles of a level."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.benchmarks.counts import LengthTally, Tally, merge, tally_from_json, tally_to_json
from spillway.domain.benchmarks.histogram import BUCKETS, Histogram
from spillway.domain.benchmarks.record import Verdict
from spillway.domain.benchmarks.spec import MOST_STREAMS, BenchmarkSpec
from spillway.domain.benchmarks.steps import best_of, step_of
from spillway.domain.benchmarks.worker_orders import STREAMS_PER_WORKER
from tests.measuring_builders import a_benchmark, a_histogram, a_tally

SPEC = a_benchmark().spec
COUNT = st.integers(0, 1000)
HISTOGRAM = st.dictionaries(st.integers(0, BUCKETS), st.integers(1, 1000), max_size=8).map(Histogram)
TALLY = st.builds(
    Tally,
    lengths=st.lists(st.builds(LengthTally, *[COUNT] * 9), min_size=2, max_size=2),
    seconds=st.integers(0, 600).map(float),
    requests=COUNT,
    failures=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 9)),
    details=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=5)),
    first_token_seconds=HISTOGRAM,
    piece_seconds=HISTOGRAM,
    stream_tokens_per_second=HISTOGRAM,
    engine=st.sampled_from(["", "vllm-0.32.0", "vllm-0.33.0"]),
    late_seconds=st.integers(0, 9).map(float),
    lost=st.integers(0, 1),
    stopped=st.booleans(),
)


@settings(max_examples=50)
@given(st.lists(TALLY, min_size=1, max_size=4), st.data())
def test_any_order_and_grouping_of_workers_gives_the_same(tallies: list[Tally], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(tallies))
    cut = data.draw(st.integers(0, len(tallies)))
    halves = [part for part in (shuffled[:cut], shuffled[cut:]) if part]
    assert merge([merge(part, 2) for part in halves], 2) == merge(tallies, 2)


@settings(max_examples=50)
@given(TALLY)
def test_json_brings_a_tally_back(tally: Tally) -> None:
    assert tally_from_json(json.loads(json.dumps(tally_to_json(tally)))) == tally


def test_as_many_workers_as_there_may_be_fit_into_a_state_machines_data() -> None:
    # Step Functions passes at most 256 KiB between states; each bucket full to five digits is the worst case.
    full = Histogram(dict.fromkeys(range(BUCKETS + 1), 99_999))
    worst = a_tally(first_token_seconds=full, piece_seconds=full, stream_tokens_per_second=full)
    worst.lengths = [LengthTally(*[9_999_999] * 9)] * 8
    for code in range(3):
        worst.fail(f"rejected_40{code}", "x" * 10_000)
    workers = math.ceil(MOST_STREAMS / STREAMS_PER_WORKER)
    assert workers * len(json.dumps(tally_to_json(worst), separators=(",", ":"))) < 256 * 1024


def test_rates_are_the_tokens_of_the_span() -> None:
    step = step_of(1, 8, a_tally(100), SPEC, 2000.0, 2, 0.12)
    # 100 completion tokens a second; ten times as many prompt tokens.
    assert (step.completion_tokens_per_minute, step.prompt_tokens_per_minute) == (6000, 60_000)
    assert step.tokens_per_minute == 66_000
    assert (step.prompt_tokens, step.completion_tokens) == (100, 10)
    assert step.ttft_ms.p95 == pytest.approx(100, rel=0.05)
    best = best_of([step], is_at_least=False)
    assert best is not None
    assert best.tokens_per_minute_per_instance == 33_000
    assert best.prompt_tokens_per_minute_per_instance + best.completion_tokens_per_minute_per_instance == 33_000


def test_a_piece_may_be_several_tokens() -> None:
    tally = a_tally(100)
    # Requests that ended had two tokens a piece; so have the pieces of those that did not.
    tally.lengths = [LengthTally(12, 1000, 3_000_000, 2, 500, 10, 1000, 100, 50)]
    step = step_of(1, 8, tally, SPEC, 2000.0, 1, None)
    assert (step.completion_tokens_per_minute, step.prompt_tokens_per_minute) == (4000, 1200)


def test_where_nothing_ended_what_was_declared_counts_and_is_said() -> None:
    tally = a_tally(100)
    tally.lengths = [LengthTally(prefills=60, open_prefills=60, open_pieces=6000)]
    step = step_of(1, 8, tally, SPEC, 2000.0, 1, None)
    assert (step.prompt_tokens_per_minute, step.completion_tokens_per_minute) == (6000, 6000)
    assert any("as declared" in note for note in step.notes)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.GOOD),
        ({"ttft": 2.5}, Verdict.LATENCY),
        ({"piece_seconds": a_histogram(0.3, 100)}, Verdict.LATENCY),
        ({"failures": {"engine_saturated": 60}, "details": {"engine_saturated": "503"}}, Verdict.FAILURES),
        ({"failures": {"engine_saturated": 6}, "details": {"engine_saturated": "503"}}, Verdict.GOOD),
        ({"lost": 1}, Verdict.INCOMPLETE),
        ({"stopped": True}, Verdict.INCOMPLETE),
        ({"late_seconds": 7.0}, Verdict.INCOMPLETE),
        ({"late_seconds": 5.0}, Verdict.GOOD),
        ({"requests": 0}, Verdict.INCOMPLETE),
    ],
)
def test_verdicts(changes: dict[str, object], verdict: Verdict) -> None:
    spec = BenchmarkSpec.model_validate({**SPEC.model_dump(), "latency": {"inter_token_p95_ms": 200}})
    assert step_of(1, 8, a_tally(100, **changes), spec, 2000.0, 1, None).verdict is verdict


def test_the_best_level_is_a_good_one() -> None:
    steps = [
        step_of(1, 4, a_tally(100), SPEC, 2000.0, 1, None),
        step_of(2, 8, a_tally(150), SPEC, 2000.0, 1, None),
        step_of(3, 16, a_tally(200, ttft=3.0), SPEC, 2000.0, 1, None),
    ]
    best = best_of(steps, is_at_least=True)
    assert best is not None
    assert (best.concurrency, best.is_at_least) == (8, True)
    assert best_of(steps[2:], is_at_least=False) is None
