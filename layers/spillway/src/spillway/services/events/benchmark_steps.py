"""The steps of the benchmark workflow that ``advance_benchmark`` takes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from spillway.domain.benchmarks.counts import Tally, tally_from_json
from spillway.services.events.reading import Caught, TaskEvent, by, read


class Probed(BaseModel):
    """What a benchmark needs of a driver's answer to a probe."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_type: str | None
    ready: int


class _Step(TaskEvent):
    deployment: str
    benchmark: str
    execution: str


class BeginBenchmark(_Step):
    """Claim the deployment and plan the first level."""

    step: Literal["begin"]
    capacity: Probed


class EvaluateLevel(_Step):
    """Judge the level of this ``number`` by its workers' tallies, and plan the next."""

    step: Literal["evaluate"]
    number: int
    capacity: Probed
    tallies: tuple[Annotated[Tally, by(tally_from_json)], ...]


class FailBenchmark(_Step):
    """Close the record of this execution, or of the one that it ``replaces``."""

    step: Literal["fail"]
    replaces: str | None = None
    error: Caught


BenchmarkStep: TypeAlias = BeginBenchmark | EvaluateLevel | FailBenchmark

_KINDS: TypeAdapter[BenchmarkStep] = TypeAdapter(Annotated[BenchmarkStep, Field(discriminator="step")])


def read_benchmark_step(event: Mapping[str, Any]) -> BenchmarkStep:
    """Return the step that a task names; InvalidRequest for what is none."""
    return read(event, _KINDS)
