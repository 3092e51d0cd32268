"""A deployment's capacity as its last benchmark found it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Measured:
    """Tokens a minute of one instance, and what that holds for.

    ``prompt_tokens`` and ``completion_tokens`` are the mean request's; ``ttft_p95_ms`` is the bound that was kept.
    ``engine`` is what the engine calls itself, empty where it does not tell.
    """

    tokens_per_minute: float
    prompt_tokens_per_minute: float
    completion_tokens_per_minute: float
    at: datetime
    benchmark: str
    instance_type: str | None
    instances: int
    concurrency: int
    prompt_tokens: float
    completion_tokens: float
    ttft_p95_ms: float
    engine: str = ""

    def conditions(self) -> str:
        """Say in one sentence what the number rests on."""
        engine = f" by {self.engine}" if self.engine else ""
        return (
            f"{self.tokens_per_minute:.0f} tokens a minute of one {self.instance_type or 'instance'}, measured{engine} "
            f"on {self.at:%Y-%m-%d} at {self.prompt_tokens:.0f} prompt and {self.completion_tokens:.0f} completion "
            f"tokens, {self.concurrency} requests at once on {self.instances} instance(s), 95 % of first tokens within "
            f"{self.ttft_p95_ms:g} ms (benchmark {self.benchmark})"
        )


def measured_to_json(measured: Measured) -> dict[str, Any]:
    """Return it as a JSON object."""
    return {**asdict(measured), "at": measured.at.isoformat()}


def measured_from_json(data: dict[str, Any]) -> Measured:
    """Read back what :func:`measured_to_json` wrote."""
    return Measured(**{**data, "at": datetime.fromisoformat(data["at"])})
