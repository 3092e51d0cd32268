"""A load worker on an engine of known speed: what it counts is what the engine can do, and it leaves nothing behind."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from spillway.domain.benchmarks.counts import Tally, merge
from spillway.domain.benchmarks.record import StepResult, Verdict
from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.domain.benchmarks.steps import step_of
from spillway.domain.benchmarks.worker_orders import Length, WorkerOrder, order_from_json, order_to_json, orders_of
from spillway.domain.decision import Code
from spillway.domain.paths.targets import FleetTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.load_test.prompts import Prompts
from spillway.gateway.load_test.worker import Worker
from tests.sandbox.wording import count_tokens
from tests.unit.gateway.doubles import FakeUpstreams, chunk, sse
from tests.unit.gateway.load_test.virtual import SimulatedUpstreams, run_virtually

RATE = 400.0
MIX = [{"prompt_tokens": 120, "completion_tokens": 40}]
SPEC = BenchmarkSpec.model_validate({"mix": MIX, "latency": {"ttft_p95_ms": 2000}})


def orders(concurrency: int, seconds: float = 60.0, **changes: Any) -> list[WorkerOrder]:
    lengths = [Length(**part.model_dump()) for part in changes.pop("spec", SPEC).mix]
    target = FleetTarget("support-llama")
    made = orders_of("support-llama", "1", target, lengths, concurrency, seconds, 1, 0.0)
    return [replace(order, **changes) for order in made]


async def work(upstreams: Any, order: WorkerOrder, unwanted_at: float = 1e9) -> Tally:
    moment = asyncio.get_running_loop().time

    async def is_wanted() -> bool:
        return moment() < unwanted_at

    return await Worker(upstreams, order, Random(order.seed), moment, is_wanted).run()


def measured(concurrency: int, spec: BenchmarkSpec = SPEC, **engine: Any) -> tuple[StepResult, SimulatedUpstreams]:
    async def run() -> tuple[StepResult, SimulatedUpstreams]:
        upstreams = SimulatedUpstreams(rate=RATE, **engine)
        try:
            tallies = await asyncio.gather(*(work(upstreams, order) for order in orders(concurrency, spec=spec)))
        finally:
            await upstreams.close()
        tally = merge(tallies, len(spec.mix))
        return step_of(1, concurrency, tally, spec, 2000.0, 1, None), upstreams

    return run_virtually(run())


@pytest.mark.parametrize("concurrency", [8, 32, 100])
def test_a_full_engine_shows_its_rate(concurrency: int) -> None:
    step, upstreams = measured(concurrency)
    assert step.completion_tokens_per_minute == pytest.approx(RATE * 60, rel=0.01)
    assert step.prompt_tokens == pytest.approx(120, rel=0.1)
    assert step.prompt_tokens_per_minute == pytest.approx(RATE * 60 * step.prompt_tokens / 40, rel=0.05)
    assert (step.completion_tokens, step.failures) == (40, {})
    # The batch has 64 places: who has to wait for one does so for the better part of an answer.
    assert step.verdict is (Verdict.LATENCY if concurrency > 64 else Verdict.GOOD)
    assert upstreams.in_flight == 0
    assert not upstreams.scheduler.running
    assert len(set(upstreams.prompts)) == len(upstreams.prompts)


def test_a_short_span_shows_it_too_though_pieces_were_larger_before() -> None:
    async def run() -> Tally:
        upstreams = SimulatedUpstreams(rate=RATE)
        try:
            return await work(upstreams, orders(4, seconds=5.0)[0])
        finally:
            await upstreams.close()

    # One stream alone gets four tokens with each step of the engine, four streams get one each.
    step = step_of(1, 4, run_virtually(run()), SPEC, 2000.0, 1, None)
    assert step.completion_tokens_per_minute == pytest.approx(RATE * 60, rel=0.01)


def test_a_mix_is_counted_by_its_lengths() -> None:
    spec = BenchmarkSpec.model_validate(
        {
            "mix": [
                {"prompt_tokens": 400, "completion_tokens": 10, "share": 3},
                {"prompt_tokens": 40, "completion_tokens": 90},
            ]
        }
    )
    step, _ = measured(16, spec)
    assert step.completion_tokens_per_minute == pytest.approx(RATE * 60, rel=0.03)
    # Three of four requests are long in the prompt: 30 completion and 310 prompt tokens on the mean.
    assert step.completion_tokens == pytest.approx(30, rel=0.1)
    assert step.prompt_tokens == pytest.approx(310, rel=0.1)


def test_what_an_engine_refuses_is_counted_by_its_code() -> None:
    step, _ = measured(16, max_in_flight=8)
    assert set(step.failures) == {"engine_saturated"}
    assert step.verdict is Verdict.FAILURES
    assert "8 requests in flight" in step.details["engine_saturated"]


def test_the_stop_button_ends_it_within_a_second_and_keeps_what_was_counted() -> None:
    async def run() -> None:
        upstreams = SimulatedUpstreams(rate=RATE)
        (order,) = orders(8)
        tally = await work(upstreams, order, unwanted_at=order.measure_from + 20)
        assert asyncio.get_running_loop().time() <= order.measure_from + 21
        assert tally.stopped
        assert tally.seconds == pytest.approx(20, abs=1)
        assert sum(length.completion_millitokens for length in tally.lengths) > 0
        assert upstreams.in_flight == 0
        await upstreams.close()

    run_virtually(run())


def test_a_worker_that_comes_late_says_so_and_counts_the_same_span() -> None:
    async def run() -> Tally:
        upstreams = SimulatedUpstreams(rate=RATE)
        (order,) = orders(8)
        await asyncio.sleep(order.measure_from + 30)
        try:
            return await work(upstreams, order)
        finally:
            await upstreams.close()

    tally = run_virtually(run())
    assert tally.late_seconds == pytest.approx(30)
    assert tally.seconds == pytest.approx(60)
    step = step_of(1, 8, tally, SPEC, 2000.0, 1, None)
    # Never too high: half of the span it had nobody.
    assert step.completion_tokens_per_minute == pytest.approx(RATE * 30, rel=0.05)


def test_a_request_that_waits_to_the_end_counts_with_its_wait() -> None:
    async def run() -> Tally:
        upstreams = SimulatedUpstreams(rate=RATE)
        upstreams.scheduler.frozen = True
        try:
            return await work(upstreams, orders(4, seconds=10.0)[0])
        finally:
            await upstreams.close()

    tally = run_virtually(run())
    assert (tally.requests, tally.first_token_seconds.total) == (4, 4)
    # Begun in the two seconds before the ten.
    assert tally.first_token_seconds.percentile(0.01) == pytest.approx(11, abs=1.1)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (UpstreamUnavailable(Code.PRIMARY_FAILED, "HTTP 403"), "primary_failed"),
        (UpstreamRejected(400, "too long"), "rejected_400"),
        ([sse(chunk("a")), UpstreamUnavailable(Code.PRIMARY_FAILED, "gone")], "broke_off"),
        ([sse(chunk("a"))], "broke_off"),
    ],
)
def test_every_way_to_fail_has_a_code(script: Any, code: str) -> None:
    async def run() -> Tally:
        upstreams = FakeUpstreams({"fleet": script})
        tally = await work(upstreams, orders(1, seconds=5.0)[0])
        assert len(upstreams.closed) == (0 if isinstance(script, Exception) else len(upstreams.requests))
        return tally

    tally = run_virtually(run())
    # A failed stream rests a quarter of a second.
    assert set(tally.failures) == {code}
    assert tally.failed == pytest.approx(20, abs=1)
    assert tally.requests >= tally.failed - 1


def test_a_fault_of_our_own_is_no_failure_of_the_targets() -> None:
    class Faulty:
        async def open(self, *_: object) -> Any:
            raise KeyError("ours")

    with pytest.raises(KeyError):
        run_virtually(work(Faulty(), orders(2, seconds=5.0)[0]))


def test_orders_share_the_streams_out_and_pass_through_json() -> None:
    made = orders(130)
    assert [order.streams for order in made] == [44, 43, 43]
    assert len({order.seed for order in made}) == 3
    assert [order_from_json(order_to_json(order)) for order in made] == made


def test_later_levels_begin_with_the_prompts_that_earlier_ones_found_right() -> None:
    (order,) = orders(64)

    async def first_prompt(order: WorkerOrder) -> tuple[int, Tally]:
        upstreams = SimulatedUpstreams(rate=RATE)
        tally = await work(upstreams, order)
        await upstreams.close()
        return count_tokens(upstreams.prompts[0]), tally

    _, tally = run_virtually(first_prompt(order))
    learnt = replace(order, words_per_token=tally.prompt_words / tally.words_tokens)
    assert run_virtually(first_prompt(learnt))[0] == pytest.approx(120, rel=0.1)


def test_prompts_take_the_length_that_the_engine_counts() -> None:
    prompts = Prompts(Random(1))
    prompts.counted("one two three four", 8)
    assert len(prompts.text(100).split()) == 50
