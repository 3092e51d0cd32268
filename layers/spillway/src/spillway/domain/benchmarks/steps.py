"""A step's counts as rates and percentiles, and whether its level kept the bounds."""

from collections.abc import Sequence

from spillway.domain.benchmarks.counts import LengthTally, Tally
from spillway.domain.benchmarks.histogram import Histogram
from spillway.domain.benchmarks.record import Best, Percentiles, StepResult, Verdict
from spillway.domain.benchmarks.spec import BenchmarkSpec, MixPart

# A worker that came this much of the measured span late has left the level unreached for too long.
_LATE_SHARE = 0.1
_MS = 1000


def step_of(
    step: int,
    concurrency: int,
    tally: Tally,
    spec: BenchmarkSpec,
    ttft_p95_ms: float,
    instances: int,
    usd: float | None,
) -> StepResult:
    """Return what a step showed; rates are tokens within the measured span, and can only be too low."""
    prompt, completion = _tokens(tally.lengths, spec.mix)
    prefills = sum(length.prefills for length in tally.lengths)
    result = StepResult(
        step=step,
        concurrency=concurrency,
        verdict=Verdict.GOOD,
        seconds=round(tally.seconds, 3),
        requests=tally.requests,
        failures=dict(tally.failures),
        failure_share=round(tally.failed / max(1, tally.requests), 6),
        details=dict(tally.details),
        **_rates(prompt, completion, tally.seconds / 60),
        prompt_tokens=round(prompt / prefills, 1) if prefills else 0.0,
        completion_tokens=round(_completions_per_request(tally.lengths, spec.mix), 1),
        **_latencies(tally),
        instances=instances,
        usd=None if usd is None else round(usd, 6),
        notes=tuple(_notes(tally)),
    )
    return result.model_copy(update={"verdict": _verdict(result, tally, spec, ttft_p95_ms)})


def best_of(steps: Sequence[StepResult], *, is_at_least: bool) -> Best | None:
    """Return the good level with the most tokens a minute, None when there is none."""
    good = [step for step in steps if step.verdict is Verdict.GOOD and step.tokens_per_minute > 0 and step.instances]
    if not good:
        return None
    best = max(good, key=lambda step: step.tokens_per_minute)
    return Best(
        step=best.step,
        concurrency=best.concurrency,
        instances=best.instances,
        tokens_per_minute=best.tokens_per_minute,
        tokens_per_minute_per_instance=round(best.tokens_per_minute / best.instances, 1),
        prompt_tokens_per_minute_per_instance=round(best.prompt_tokens_per_minute / best.instances, 1),
        completion_tokens_per_minute_per_instance=round(best.completion_tokens_per_minute / best.instances, 1),
        is_at_least=is_at_least,
    )


def _verdict(result: StepResult, tally: Tally, spec: BenchmarkSpec, ttft_p95_ms: float) -> Verdict:
    # A failure says more than a step that was cut short; a latency says nothing if too few streams were there.
    if result.failures and result.failure_share > spec.max_failure_share:
        return Verdict.FAILURES
    is_late = tally.late_seconds > _LATE_SHARE * max(tally.seconds, spec.seconds_per_step)
    if tally.stopped or tally.lost or is_late or not tally.requests:
        return Verdict.INCOMPLETE
    pairs = (
        (result.ttft_ms.p95, ttft_p95_ms),
        (result.inter_token_ms.p95, spec.latency.inter_token_p95_ms),
    )
    if any(seen is not None and bound is not None and seen > bound for seen, bound in pairs):
        return Verdict.LATENCY
    return Verdict.GOOD


def _notes(tally: Tally) -> list[str]:
    notes = []
    if tally.lost:
        notes.append(f"{tally.lost} load worker(s) brought nothing back: the level was not reached.")
    if tally.late_seconds > 0:
        notes.append(f"A load worker began {tally.late_seconds:.1f} s late: rates are too low by its part.")
    if any(length.open_pieces and not length.ended_pieces for length in tally.lengths):
        notes.append("No request of some length ended: each piece of it counts as one token, each prompt as declared.")
    if tally.stopped:
        notes.append("Stopped before its end.")
    return notes


def _tokens(lengths: Sequence[LengthTally], mix: Sequence[MixPart]) -> tuple[float, float]:
    """Return prompt and completion tokens within the measured span."""
    prompt = completion = 0.0
    for length, part in zip(lengths, mix, strict=True):
        per_prompt = length.ended_prompt_tokens / length.ended if length.ended else float(part.prompt_tokens)
        prompt += length.prompt_tokens + length.open_prefills * per_prompt
        completion += length.completion_millitokens / 1000 + length.open_pieces * _per_piece(length)
    return prompt, completion


def _per_piece(length: LengthTally) -> float:
    return length.ended_completion_tokens / length.ended_pieces if length.ended_pieces else 1.0


def _completions_per_request(lengths: Sequence[LengthTally], mix: Sequence[MixPart]) -> float:
    """Return the completion tokens of the mean request: of those that ended, weighed by how often each length began."""
    prefills = sum(length.prefills for length in lengths)
    if not prefills:
        return 0.0
    each = [
        length.ended_completion_tokens / length.ended if length.ended else float(part.completion_tokens)
        for length, part in zip(lengths, mix, strict=True)
    ]
    return sum(mean * length.prefills for mean, length in zip(each, lengths, strict=True)) / prefills


def _latencies(tally: Tally) -> dict[str, Percentiles]:
    return {
        "ttft_ms": _percentiles(tally.first_token_seconds, _MS),
        "inter_token_ms": _percentiles(tally.piece_seconds, _MS),
        "stream_tokens_per_second": _percentiles(tally.stream_tokens_per_second, 1),
    }


def _percentiles(histogram: Histogram, factor: float) -> Percentiles:
    def at(share: float) -> float | None:
        found = histogram.percentile(share)
        return None if found is None else round(found * factor, 2)

    return Percentiles(p50=at(0.5), p90=at(0.9), p95=at(0.95), p99=at(0.99))


def _rates(prompt: float, completion: float, minutes: float) -> dict[str, float]:
    counts = {"tokens": prompt + completion, "prompt_tokens": prompt, "completion_tokens": completion}
    return {f"{name}_per_minute": round(count / minutes, 1) if minutes else 0.0 for name, count in counts.items()}
