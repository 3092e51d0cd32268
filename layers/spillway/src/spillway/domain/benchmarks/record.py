"""One benchmark as it is kept and shown: what was asked for, how far it is, what it found."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.domain.frozen import Frozen

# An execution that never began, or died without a word, holds its place no longer than this.
UNBEGUN_LIMIT = timedelta(minutes=2)


class State(StrEnum):
    """Where a benchmark is; the last three are its end."""

    REQUESTED = "requested"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


OPEN = frozenset({State.REQUESTED, State.RUNNING})


class End(StrEnum):
    """Why a benchmark ended."""

    SATURATED = "saturated"
    LATENCY = "latency_bound"
    FAILURES = "failures"
    LEVELS_DONE = "levels_done"
    COST_USED_UP = "cost_used_up"
    TIME_USED_UP = "time_used_up"
    CAPACITY_CHANGED = "capacity_changed"
    STOPPED = "stopped"
    FAILED = "failed"


# Only these have found what the instances can do; the others end with "at least".
LIMIT_FOUND = frozenset({End.SATURATED, End.LATENCY, End.FAILURES})


class Verdict(StrEnum):
    """What one step showed about its level."""

    GOOD = "good"
    LATENCY = "latency_bound"
    FAILURES = "failures"
    INCOMPLETE = "incomplete"


class Percentiles(Frozen):
    """Of one step; each is within 5 % of the exact one. Null where nothing was counted."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class StepResult(Frozen):
    """One level, measured; rates are of all instances together."""

    step: int
    concurrency: int
    verdict: Verdict
    seconds: float
    requests: Annotated[
        int, Field(description="That began to be answered, failed or still waited in the measured span")
    ]
    failures: dict[str, int]
    failure_share: float
    details: Annotated[dict[str, str], Field(description="One sentence for each code of failure")]
    tokens_per_minute: float
    prompt_tokens_per_minute: float
    completion_tokens_per_minute: float
    prompt_tokens: Annotated[float, Field(description="Of the mean request, as the engine counts them")]
    completion_tokens: float
    ttft_ms: Percentiles
    inter_token_ms: Percentiles
    stream_tokens_per_second: Percentiles
    instances: int
    usd: Annotated[float | None, Field(description="What the step cost; null where a price is unknown")]
    notes: tuple[str, ...]


class Best(Frozen):
    """The most tokens a minute of a level that kept all bounds."""

    step: int
    concurrency: int
    instances: int
    tokens_per_minute: float
    tokens_per_minute_per_instance: float
    prompt_tokens_per_minute_per_instance: float
    completion_tokens_per_minute_per_instance: float
    is_at_least: Annotated[
        bool, Field(description="It ended before a limit showed, or users had their part: there may be more")
    ]


class Conditions(Frozen):
    """What the result holds for."""

    model: str
    path: str
    instance_type: str | None
    instances: int
    engine: Annotated[str, Field(description="As the engine names itself; empty where it does not")]
    usd_per_hour_per_instance: float | None
    price_source: str | None


class Benchmark(Frozen):
    """A benchmark's record. ``workflow`` is the execution that works on it.

    ``version`` is the deployment's when it was asked for, ``begun`` in seconds of the clock that steps go by,
    ``words_per_token`` what the last level showed of prompts, ``users_tokens_before`` what the hour's counters held.
    """

    id: str
    deployment: str
    state: State
    reason: str
    spec: BenchmarkSpec
    created_at: AwareDatetime
    begun_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    end: End | None = None
    ladder: tuple[int, ...]
    running_concurrency: Annotated[int | None, Field(description="The level that is being measured now")] = None
    seconds_used: float = 0.0
    usd_used: float | None = 0.0
    most_usd: Annotated[float | None, Field(description="What it can cost at most; null where a price is unknown")]
    conditions: Conditions
    steps: tuple[StepResult, ...] = ()
    best: Best | None = None
    users_tokens: Annotated[
        int | None, Field(description="Tokens that users had of the instances meanwhile; null until it has ended")
    ] = None
    became_capacity: Annotated[bool, Field(description="Whether the deployment's capacity was measured by it")] = False
    workflow: str | None = None
    version: int
    begun: float | None = None
    words_per_token: float | None = None
    users_tokens_before: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN

    def holds(self, now: datetime) -> bool:
        """Whether it keeps another from beginning: one that should have begun long ago does not."""
        return self.state is State.RUNNING or (self.state is State.REQUESTED and now - self.created_at < UNBEGUN_LIMIT)
