"""Which level comes next, or why there is none: a pure function of what was asked for and measured so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from spillway.domain.benchmarks.record import Benchmark, End, StepResult, Verdict
from spillway.domain.benchmarks.worker_orders import step_seconds

UsdPerSecond: TypeAlias = Callable[[int], float | None]
# Levels that are nearer to each other than this share are the same to any reader.
_NEAREST = 0.1


@dataclass(frozen=True)
class Next:
    """The level to measure, or the end and why."""

    concurrency: int | None
    end: End | None = None
    sentence: str = ""


def next_level(
    benchmark: Benchmark, *, usd_per_second: UsdPerSecond, seconds_used: float, instances: int, stop_asked: bool
) -> Next:
    """Return the next level; ``usd_per_second`` says what so many requests at once cost, None where that is unknown."""
    if stop_asked:
        return Next(None, End.STOPPED, "Stopped through the API.")
    before = benchmark.conditions.instances
    if instances == 0:
        return Next(None, End.CAPACITY_CHANGED, "No instance is ready.")
    if instances != before:
        sentence = f"{before} instance(s) were ready at the beginning, {instances} are now: levels can't be compared."
        return Next(None, End.CAPACITY_CHANGED, sentence)
    found = _by_measure(benchmark)
    if found.concurrency is None:
        return found
    return _used_up(benchmark, found.concurrency, usd_per_second, seconds_used) or found


def _by_measure(benchmark: Benchmark) -> Next:
    steps, spec = benchmark.steps, benchmark.spec
    if not steps:
        return Next(benchmark.ladder[0])
    if steps[-1].verdict is Verdict.INCOMPLETE:
        notes = " ".join(steps[-1].notes) or "Nothing was measured."
        return Next(None, End.FAILED, f"At {steps[-1].concurrency} at once: {notes}")
    broken = [step for step in steps if step.verdict is not Verdict.GOOD]
    if broken:
        return _between(benchmark, broken)
    if len(steps) > 1:
        before = max(step.tokens_per_minute for step in steps[:-1])
        gain = steps[-1].tokens_per_minute / before - 1 if before else 1.0
        if gain < spec.min_gain:
            sentence = (
                f"From {steps[-2].concurrency} to {steps[-1].concurrency} at once throughput grew by {gain:.1%}, "
                f"less than {spec.min_gain:.1%}."
            )
            return Next(None, End.SATURATED, sentence)
    if len(steps) < len(benchmark.ladder):
        return Next(benchmark.ladder[len(steps)])
    return Next(None, End.LEVELS_DONE, f"All {len(steps)} levels kept the bounds.")


def _between(benchmark: Benchmark, broken: Sequence[StepResult]) -> Next:
    """Go half the way back from the lowest level that broke a bound, as often as was asked for."""
    lowest = min(broken, key=lambda step: step.concurrency)
    good = max((step.concurrency for step in benchmark.steps if step.concurrency < lowest.concurrency), default=0)
    first = next(at for at, step in enumerate(benchmark.steps) if step.verdict is not Verdict.GOOD)
    refined = len(benchmark.steps) - first - 1
    middle = (good + lowest.concurrency) // 2
    is_worth_it = good < middle < lowest.concurrency and lowest.concurrency - good > _NEAREST * lowest.concurrency
    if refined < benchmark.spec.refinements and is_worth_it:
        return Next(middle)
    return Next(None, *_broken(benchmark, lowest))


def _broken(benchmark: Benchmark, step: StepResult) -> tuple[End, str]:
    match step.verdict:
        case Verdict.LATENCY:
            bound = benchmark.spec.latency
            sentence = f"At {step.concurrency} at once 95 % of first tokens took {step.ttft_ms.p95} ms"
            if bound.inter_token_p95_ms is not None:
                sentence += f" and of pieces {step.inter_token_ms.p95} ms ({bound.inter_token_p95_ms:g} allowed)"
            return End.LATENCY, f"{sentence}; {bound.ttft_p95_ms:g} ms are allowed for first tokens."
        case Verdict.FAILURES:
            said = "; ".join(f"{code}: {detail}" for code, detail in step.details.items())
            return End.FAILURES, f"At {step.concurrency} at once {step.failure_share:.1%} of requests failed ({said})."
        case Verdict.GOOD | Verdict.INCOMPLETE:
            raise ValueError(f"a level that is {step.verdict} has broken nothing")
        case _:
            assert_never(step.verdict)


def _used_up(benchmark: Benchmark, concurrency: int, usd_per_second: UsdPerSecond, seconds_used: float) -> Next | None:
    spec = benchmark.spec
    seconds = step_seconds(spec.seconds_per_step)
    if seconds_used + seconds > spec.max_seconds:
        sentence = (
            f"{seconds_used:.0f} s are used; {concurrency} at once would take {seconds:.0f} s more, "
            f"{spec.max_seconds:g} s are allowed."
        )
        return Next(None, End.TIME_USED_UP, sentence)
    rate, used = usd_per_second(concurrency), benchmark.usd_used
    if rate is None or used is None:
        return None
    more = seconds * rate
    if used + more > spec.max_usd:
        sentence = f"${used:.4f} is used; another step would cost ${more:.4f}, ${spec.max_usd:g} is allowed."
        return Next(None, End.COST_USED_UP, sentence)
    return None
