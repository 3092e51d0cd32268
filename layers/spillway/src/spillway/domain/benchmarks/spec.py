"""What a benchmark is asked to do: the body of a POST, with every default filled in."""

import math
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from spillway.domain.frozen import LEAST, Frozen

# What 48 load workers drive: the counts of all of them must fit into a state machine's data of 256 KiB.
MOST_STREAMS = 3072
_MOST_LEVELS = 20

_Streams = Annotated[int, Field(ge=1, le=MOST_STREAMS)]


class MixPart(Frozen):
    """Requests of one length; ``share`` is relative to the other parts'."""

    prompt_tokens: Annotated[int, Field(ge=1, le=200_000)] = 1024
    completion_tokens: Annotated[int, Field(ge=1, le=32_768)] = 256
    share: Annotated[float, Field(ge=LEAST, le=1e6)] = 1.0


class Concurrency(Frozen):
    """Requests at once, step by step: from ``start`` times ``factor`` up to ``max``, or the ``levels`` if given."""

    start: _Streams = 4
    factor: Annotated[float, Field(ge=1.1, le=10)] = 2.0
    max: _Streams = 256
    levels: Annotated[tuple[_Streams, ...], Field(max_length=_MOST_LEVELS)] = ()

    @model_validator(mode="after")
    def _rises(self) -> "Concurrency":
        if any(later <= earlier for earlier, later in zip(self.levels, self.levels[1:], strict=False)):
            raise _wrong("must rise from one level to the next", "levels")
        if not self.levels and self.start > self.max:
            raise _wrong("{start} is above max, which is {max}", "start", start=self.start, max=self.max)
        if len(self.ladder()) > _MOST_LEVELS:
            raise _wrong(
                "leads to {count} levels; {most} are allowed", "factor", count=len(self.ladder()), most=_MOST_LEVELS
            )
        return self

    def ladder(self) -> tuple[int, ...]:
        """Return the levels, rising."""
        if self.levels:
            return self.levels
        levels = [self.start]
        while levels[-1] < self.max:
            levels.append(min(self.max, max(levels[-1] + 1, math.floor(levels[-1] * self.factor))))
        return tuple(levels)


class LatencyBound(Frozen):
    """95th percentiles that a level must keep to count.

    ``ttft_p95_ms`` is the time to the first token; left out, it is the deployment's own threshold for spilling,
    ``thresholds.cold_start_after_seconds``. ``inter_token_p95_ms`` is the time between two pieces of a stream.
    """

    ttft_p95_ms: Annotated[float, Field(ge=LEAST, le=900_000)] | None = None
    inter_token_p95_ms: Annotated[float, Field(ge=LEAST, le=60_000)] | None = None


class BenchmarkSpec(Frozen):
    """A benchmark as asked for; every field has a default.

    It ends when throughput grows by less than ``min_gain`` from one level to the next, when a bound broke and up to
    ``refinements`` levels between the last good and the first bad one were tried, or when another step would pass
    ``max_usd`` or ``max_seconds``. Dollars are those of the instances while it runs and of the load workers;
    with ``allow_unknown_price`` they may be unknown, and then only time is bounded.
    """

    mix: Annotated[tuple[MixPart, ...], Field(min_length=1, max_length=8)] = (MixPart(),)
    concurrency: Concurrency = Concurrency()
    seconds_per_step: Annotated[float, Field(ge=3, le=600)] = 60.0
    latency: LatencyBound = LatencyBound()
    max_failure_share: Annotated[float, Field(ge=0, le=0.5)] = 0.01
    min_gain: Annotated[float, Field(ge=0, le=1)] = 0.05
    refinements: Annotated[int, Field(ge=0, le=5)] = 2
    max_usd: Annotated[float, Field(ge=LEAST, le=10_000)] = 5.0
    max_seconds: Annotated[float, Field(ge=30, le=7_200)] = 1_800.0
    allow_unknown_price: bool = False


def _wrong(message: str, field: str, **context: Any) -> PydanticCustomError:
    # The context's "field" tells the API which field to name.
    return PydanticCustomError("benchmark", message, {**context, "field": field})
