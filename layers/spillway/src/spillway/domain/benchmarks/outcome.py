"""How a benchmark ends: its record closed, and the capacity that follows from it."""

from datetime import datetime

from spillway.domain.benchmarks.concurrency_levels import Next
from spillway.domain.benchmarks.record import LIMIT_FOUND, Benchmark, End, State
from spillway.domain.benchmarks.steps import best_of
from spillway.domain.deployments.measured_capacity import Measured

# Where users had more of the tokens than this share, the instances can do more than was measured.
_MOST_OF_USERS = 0.05


def closed(benchmark: Benchmark, found: Next, users_tokens: int, now: datetime) -> Benchmark:
    """Return the record with its result; only a limit that was found, alone on the instances, becomes a capacity."""
    end = found.end or End.FAILED
    own = sum(step.tokens_per_minute * step.seconds / 60 for step in benchmark.steps)
    is_shared = users_tokens > _MOST_OF_USERS * (users_tokens + own)
    best = best_of(benchmark.steps, is_at_least=is_shared or end not in LIMIT_FOUND)
    state = State.FAILED if best is None or end is End.FAILED else State.DONE
    return ended(benchmark, end, found.sentence or "It has no target.", now).model_copy(
        update={
            "best": best,
            "users_tokens": users_tokens,
            "state": State.STOPPED if end is End.STOPPED else state,
            "became_capacity": best is not None and not best.is_at_least,
        }
    )


def ended(benchmark: Benchmark, end: End, reason: str, now: datetime) -> Benchmark:
    """Return the record as it is when nothing was found."""
    update = {"state": State.FAILED, "end": end, "reason": reason, "ended_at": now, "running_concurrency": None}
    return benchmark.model_copy(update=update)


def measured_by(benchmark: Benchmark) -> Measured | None:
    """Return the capacity that a benchmark found, None when it found none."""
    best = benchmark.best
    if best is None or benchmark.ended_at is None:
        return None
    step = benchmark.steps[best.step - 1]
    return Measured(
        tokens_per_minute=best.tokens_per_minute_per_instance,
        prompt_tokens_per_minute=best.prompt_tokens_per_minute_per_instance,
        completion_tokens_per_minute=best.completion_tokens_per_minute_per_instance,
        at=benchmark.ended_at,
        benchmark=benchmark.id,
        instance_type=benchmark.conditions.instance_type,
        instances=best.instances,
        concurrency=best.concurrency,
        prompt_tokens=step.prompt_tokens,
        completion_tokens=step.completion_tokens,
        ttft_p95_ms=benchmark.spec.latency.ttft_p95_ms or 0.0,
        engine=benchmark.conditions.engine,
    )
