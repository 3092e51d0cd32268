"""What one load worker is told, and the moments of a step; plain data, so that the worker's start stays light."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spillway.domain.paths.targets import Target, target_from_json, target_to_json

# What one Lambda of the load function's size reads without falling behind: some thousand stream events a second.
STREAMS_PER_WORKER = 64
# Until all workers run: a distributed map's start and a cold function's.
LEAD_SECONDS = 4.0


@dataclass(frozen=True)
class Length:
    """One kind of request: tokens of its prompt and its answer, and its share of the requests."""

    prompt_tokens: int
    completion_tokens: int
    share: float


@dataclass(frozen=True)
class WorkerOrder:
    """One worker's part of a step.

    Its streams begin one after another in the ``ramp_seconds`` before ``measure_from``. Moments are seconds since the
    epoch on the machines' own clocks, so that all workers measure the same span of time. ``words_per_token`` is what
    levels before have shown of prompts, None at the first.
    """

    deployment: str
    benchmark: str
    target: Target
    lengths: tuple[Length, ...]
    streams: int
    seed: int
    measure_from: float
    measure_until: float
    ramp_seconds: float
    words_per_token: float | None = None


def ramp_of(seconds: float) -> float:
    """Return how long before the measured span streams begin: a fifth of it, 1 to 10 seconds."""
    return min(10.0, max(1.0, seconds / 5))


def step_seconds(seconds: float) -> float:
    """Return how long a step takes from its planning to the end of its measured span."""
    return LEAD_SECONDS + ramp_of(seconds) + seconds


def orders_of(
    deployment: str,
    benchmark: str,
    target: Target,
    lengths: Sequence[Length],
    concurrency: int,
    seconds: float,
    step: int,
    now: float,
    words_per_token: float | None = None,
) -> list[WorkerOrder]:
    """Share a step's streams out among as few workers as can drive them; ``now`` is seconds since the epoch."""
    workers = math.ceil(concurrency / STREAMS_PER_WORKER)
    ramp = ramp_of(seconds)
    begin = now + LEAD_SECONDS + ramp
    return [
        WorkerOrder(
            deployment=deployment,
            benchmark=benchmark,
            target=target,
            lengths=tuple(lengths),
            streams=concurrency // workers + (worker < concurrency % workers),
            seed=step * 1_000 + worker,
            measure_from=begin,
            measure_until=begin + seconds,
            ramp_seconds=ramp,
            words_per_token=words_per_token,
        )
        for worker in range(workers)
    ]


def order_to_json(order: WorkerOrder) -> dict[str, Any]:
    """Return an order as a JSON object."""
    return {**asdict(order), "target": target_to_json(order.target)}


def order_from_json(data: Mapping[str, Any]) -> WorkerOrder:
    """Read back what :func:`order_to_json` wrote."""
    lengths = tuple(Length(**each) for each in data["lengths"])
    return WorkerOrder(**{**data, "target": target_from_json(data["target"]), "lengths": lengths})
