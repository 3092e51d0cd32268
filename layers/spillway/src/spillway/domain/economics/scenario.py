"""The prices and sizes that a choice between own instances and tokens is made on."""

import math
from dataclasses import dataclass, fields

MINUTES_PER_HOUR = 60
TOKENS_PER_MILLION = 1_000_000
# A start takes at least the minute it is asked for in, and nothing that starts takes longer than a day.
_LONGEST_START_SECONDS = 86_400
_MOST_INSTANCES = 1_000


@dataclass(frozen=True)
class Scenario:
    """One deployment's economy; every default is an assumption that the replay prints.

    ``usd_per_instance_hour``: EC2 g6e.xlarge on demand, us-east-1. ``tokens_per_minute_per_instance``: prompt and
    completion together, as a benchmark would measure it. ``waiting_usd_per_request``: for a deployment without a spill
    target, what a request that nobody serves costs the user; it takes the place of both token prices.

    Raises:
        ValueError: if a number is not finite, negative, or zero where nothing could be divided by it.
    """

    usd_per_instance_hour: float = 1.861
    tokens_per_minute_per_instance: float = 300_000.0
    cold_start_seconds: float = 300.0
    prompt_usd_per_million: float = 0.22
    completion_usd_per_million: float = 0.22
    min_instances: int = 0
    max_instances: int = 10
    check_interval_minutes: int = 1
    waiting_usd_per_request: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{field.name} is {value}: it must be a finite number, zero or more")
        for name in ("usd_per_instance_hour", "tokens_per_minute_per_instance", "check_interval_minutes"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be above zero")
        if self.cold_start_seconds > _LONGEST_START_SECONDS:
            raise ValueError(f"cold_start_seconds must be at most {_LONGEST_START_SECONDS}")
        if not self.min_instances <= self.max_instances <= _MOST_INSTANCES or self.max_instances == 0:
            raise ValueError(f"min_instances <= max_instances must hold, with a maximum from 1 to {_MOST_INSTANCES}")

    @property
    def usd_per_instance_minute(self) -> float:
        """What one instance costs a minute, starting or ready."""
        return self.usd_per_instance_hour / MINUTES_PER_HOUR

    @property
    def start_minutes(self) -> int:
        """Whole minutes from the wish for an instance to its first answer."""
        return max(1, math.ceil(self.cold_start_seconds / 60))

    @property
    def start_usd(self) -> float:
        """What an instance costs until it answers."""
        return self.start_minutes * self.usd_per_instance_minute

    @property
    def elsewhere(self) -> str:
        """What is paid for while no own instance answers, as reasons say it."""
        return "tokens" if self.waiting_usd_per_request is None else "waiting"

    def spill_usd(self, prompt_tokens: float, completion_tokens: float, requests: float = 0.0) -> float:
        """Return what these requests and their tokens cost when no own instance answers them."""
        if self.waiting_usd_per_request is not None:
            return requests * self.waiting_usd_per_request
        prompt_usd = prompt_tokens * self.prompt_usd_per_million
        return (prompt_usd + completion_tokens * self.completion_usd_per_million) / TOKENS_PER_MILLION
