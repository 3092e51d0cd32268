"""The answers about benchmarks."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from spillway.domain.benchmarks.record import Best, Conditions, End, State, StepResult
from spillway.domain.benchmarks.spec import BenchmarkSpec


class BenchmarkBody(BaseModel):
    """A benchmark: what was asked for with every default filled in, how far it is, and what it found."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    deployment: str
    state: State
    reason: str
    end: Annotated[End | None, Field(description="Why it ended")]
    spec: BenchmarkSpec
    created_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    ladder: Annotated[tuple[int, ...], Field(description="Requests at once, level by level")]
    running_concurrency: Annotated[int | None, Field(description="The level that is being measured now")]
    seconds_used: float
    usd_used: Annotated[float | None, Field(description="null where a price is unknown")]
    most_usd: Annotated[float | None, Field(description="What it can cost at most; null where a price is unknown")]
    conditions: Conditions
    best: Best | None
    users_tokens: Annotated[
        int | None, Field(description="Tokens that users had of the instances meanwhile; null until it has ended")
    ]
    became_capacity: Annotated[bool, Field(description="Whether the deployment's measured capacity comes from it")]
    workflow: Annotated[str | None, Field(description="ARN of the Step Functions execution")]


class BenchmarkDetail(BenchmarkBody):
    """A benchmark with every level that was measured."""

    steps: tuple[StepResult, ...]


class BenchmarkPage(BaseModel):
    """One page, newest first; ``next_cursor`` is null on the last one."""

    model_config = ConfigDict(frozen=True)

    items: tuple[BenchmarkBody, ...]
    next_cursor: str | None
