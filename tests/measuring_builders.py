"""Tallies and records with defaults."""

from typing import Any

from spillway.domain.benchmarks.counts import LengthTally, Tally
from spillway.domain.benchmarks.histogram import Histogram
from spillway.domain.benchmarks.record import Benchmark, Conditions, State
from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.domain.deployments.measured_capacity import Measured
from tests.builders import MODEL, NOW


def a_histogram(value: float, times: int) -> Histogram:
    histogram = Histogram()
    if times:
        histogram.add(value, times)
    return histogram


def a_tally(tokens_per_second: float = 100.0, **changes: Any) -> Tally:
    """A minute at so many completion tokens a second: requests of 100 prompt and 10 completion tokens, a piece each."""
    requests = round(tokens_per_second * 60 / 10)
    ttft = changes.pop("ttft", 0.1)
    values: dict[str, Any] = {
        "lengths": [
            LengthTally(
                prefills=requests,
                prompt_tokens=requests * 100,
                completion_millitokens=requests * 10_000,
                ended=requests,
                ended_prompt_tokens=requests * 100,
                ended_completion_tokens=requests * 10,
                ended_pieces=requests * 10,
            )
        ],
        "seconds": 60.0,
        "requests": requests,
        "first_token_seconds": a_histogram(ttft, requests),
        "piece_seconds": a_histogram(0.02, requests * 10),
        "engine": "vllm-0.32.0",
        **changes,
    }
    return Tally(**values)


def a_measured(**changes: Any) -> Measured:
    """What a benchmark found on a g6e.xlarge: 120,000 tokens a minute."""
    values: dict[str, Any] = {
        "tokens_per_minute": 120_000.0,
        "prompt_tokens_per_minute": 96_000.0,
        "completion_tokens_per_minute": 24_000.0,
        "at": NOW,
        "benchmark": "00000003-01",
        "instance_type": "g6e.xlarge",
        "instances": 1,
        "concurrency": 16,
        "prompt_tokens": 200.0,
        "completion_tokens": 50.0,
        "ttft_p95_ms": 2000.0,
        "engine": "vllm-0.32.0",
        **changes,
    }
    return Measured(**values)


def a_benchmark(**changes: Any) -> Benchmark:
    """One that has begun, on one instance."""
    spec = BenchmarkSpec.model_validate(
        {"mix": [{"prompt_tokens": 100, "completion_tokens": 10}], "latency": {"ttft_p95_ms": 2000.0}}
    )
    spec = changes.pop("spec", spec)
    conditions = {
        "model": MODEL,
        "path": "fleet",
        "instance_type": "g6e.xlarge",
        "instances": 1,
        "engine": "",
        "usd_per_hour_per_instance": 3.6,
        "price_source": "a test",
        **changes.pop("conditions", {}),
    }
    values: dict[str, Any] = {
        "id": "00000003-1",
        "deployment": "support-llama",
        "state": State.RUNNING,
        "reason": "Running.",
        "spec": spec,
        "created_at": NOW,
        "begun_at": NOW,
        "ladder": spec.concurrency.ladder(),
        "most_usd": 1.8,
        "conditions": Conditions(**conditions),
        "version": 3,
        "begun": 0.0,
        **changes,
    }
    return Benchmark(**values)
