"""How many tokens an instance serves: published benchmarks, each with its conditions and source.

``data/throughput.json`` is made by ``tests/bench/digest_throughput.py``, which says what is kept of the table and why.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.model_catalog import find
from spillway.domain.pricing.price_book import SECONDS_PER_HOUR, Source

# What a measurement is worth: under load as users make it, an upper bound without arrivals, one batch at a time.
_KINDS = ("measured online", "measured offline max", "measured static batch")


@dataclass(frozen=True)
class Throughput:
    """Tokens a second of one whole instance, at prompts and completions of these lengths.

    ``kind`` is the benchmark's, or ``given`` for a user's own number. ``replicas`` is how many of the measured engines
    fit on the instance; ``same_instance`` is False where the accelerator was measured in an instance of another size.
    ``said`` is what a user's own benchmark says of itself.
    """

    instance_type: str
    prompt_tokens: float
    completion_tokens: float
    tokens_per_second: float
    kind: str
    engine: str
    source: Source
    replicas: int = 1
    same_instance: bool = True
    said: str = ""

    def tokens_per_hour(self) -> float:
        """Prompt and completion tokens that a full instance serves in an hour."""
        return self.tokens_per_second * SECONDS_PER_HOUR

    def scaled(self, factor: float) -> "Throughput":
        """Return the same instance if it were this much faster."""
        return replace(self, tokens_per_second=self.tokens_per_second * factor)

    def conditions(self) -> str:
        """Say in one sentence what the number rests on."""
        if self.said:
            return self.said
        if self.kind == "given":
            return f"{self.tokens_per_second:.0f} tokens/s on {self.instance_type}, {self.source.source}"
        copies = f", {self.replicas} such engines on one instance" if self.replicas > 1 else ""
        moved = "" if self.same_instance else ", the same accelerator in an instance of another size"
        return (
            f"{self.tokens_per_second:.0f} tokens/s on {self.instance_type}, {self.kind} with {self.engine} at "
            f"{self.prompt_tokens:.0f} prompt and {self.completion_tokens:.0f} completion tokens{copies}{moved}"
        )


@dataclass(frozen=True)
class Benchmarks:
    """The digest. ``models`` maps Hugging Face ids to classes of models that are the same work for an engine.

    ``own`` is what is known of one deployment's instances, by type; it comes before what was published.
    """

    models: Mapping[str, str]
    accelerators: Mapping[str, tuple[str, int]]
    rows: tuple[Mapping[str, Any], ...]
    sources: tuple[Source, ...]
    own: Mapping[str, Throughput] = field(default_factory=dict)

    def instance_types(self, model_id: str) -> tuple[str, ...]:
        """Return the types that were measured themselves with this model, in name order."""
        group = self._group(model_id)
        return tuple(sorted({row["instance"] for row in self.rows if row["class"] == group} | self.own.keys()))

    def of(
        self, model_id: str, instance_type: str, prompt_tokens: float, completion_tokens: float
    ) -> Throughput | None:
        """Return the measurement that fits best; None where nobody measured this model on this accelerator.

        Best is the strongest kind of measurement, then the nearest lengths, then the fastest engine.
        """
        instance_type = ec2_instance_type(instance_type)
        if instance_type in self.own:
            return self.own[instance_type]
        group, (accelerator, count) = self._group(model_id), self.accelerators.get(instance_type, ("", 0))
        fitting = [
            row
            for row in self.rows
            if row["class"] == group
            and self.accelerators[row["instance"]][0] == accelerator
            and row["used"] <= count
            and count % row["used"] == 0
        ]

        def rank(row: Mapping[str, Any]) -> tuple[int, float, float]:
            far = _distance(row, prompt_tokens, completion_tokens)
            return _KINDS.index(row["kind"]), far, -_rate(row) * (count // row["used"])

        best = min(fitting, key=rank, default=None)
        return self._throughput(best, instance_type, count) if best else None

    def _group(self, model_id: str) -> str | None:
        known = find(model_id)
        return self.models.get(known.id if known else model_id)

    def _throughput(self, row: Mapping[str, Any], instance_type: str, count: int) -> Throughput:
        replicas = count // row["used"]
        return Throughput(
            instance_type,
            row["prompt"],
            row["completion"],
            _rate(row) * replicas,
            row["kind"],
            row["engine"],
            self.sources[row["source"]],
            replicas,
            row["instance"] == instance_type,
        )


def given(
    instance_type: str, tokens_per_second: float, as_of: str, where: str = "given with the request"
) -> Throughput:
    """Return a user's own number as a throughput."""
    return Throughput(ec2_instance_type(instance_type), 0, 0, tokens_per_second, "given", "", Source(where, as_of))


@cache
def benchmarks() -> Benchmarks:
    """Return the digest that is shipped with the package."""
    data: dict[str, Any] = json.loads(files("spillway.data").joinpath("throughput.json").read_text())
    return Benchmarks(
        models=data["models"],
        accelerators={name: (kind, count) for name, (kind, count) in data["accelerators"].items()},
        rows=tuple(data["rows"]),
        sources=tuple(Source(source, data["as_of"]) for source in data["sources"]),
    )


def _rate(row: Mapping[str, Any]) -> float:
    return float(row["prompt_tokens_per_second"] + row["completion_tokens_per_second"])


def _distance(row: Mapping[str, Any], prompt_tokens: float, completion_tokens: float) -> float:
    """Return how far a row's lengths are from the wanted ones, in factors."""
    prompt = math.log(row["prompt"] / max(prompt_tokens, 1.0))
    return round(math.hypot(prompt, math.log(row["completion"] / max(completion_tokens, 1.0))), 6)
