"""The prices and sizes that a choice between own instances and tokens is made on."""

import math
from dataclasses import dataclass, fields
from typing import Any

MINUTES_PER_HOUR = 60
TOKENS_PER_MILLION = 1_000_000
# More of anything than this is a slip of the pen, or milliseconds.
LARGEST = 1e12
# Nothing that starts takes longer than a day.
_LONGEST_START_SECONDS = 86_400
_MOST_INSTANCES = 1_000


class Elsewhere:
    """What traffic costs while no own instance answers it; the base of every scenario."""

    prompt_usd_per_million: float
    completion_usd_per_million: float
    waiting_usd_per_request: float | None

    @property
    def elsewhere(self) -> str:
        """What is paid for then, as reasons say it."""
        return "tokens" if self.waiting_usd_per_request is None else "waiting"

    def spill_usd(self, prompt_tokens: float, completion_tokens: float, requests: float = 0.0) -> float:
        """Return what these requests and their tokens cost when no own instance answers them."""
        if self.waiting_usd_per_request is not None:
            return requests * self.waiting_usd_per_request
        prompt_usd = prompt_tokens * self.prompt_usd_per_million
        return (prompt_usd + completion_tokens * self.completion_usd_per_million) / TOKENS_PER_MILLION


def check_numbers(scenario: Any, *above_zero: str) -> None:
    """Raise ValueError for a number that is negative, above LARGEST, or zero where it must be above that."""
    for field in fields(scenario):
        value = getattr(scenario, field.name)
        if isinstance(value, int | float) and not 0 <= value <= LARGEST:
            raise ValueError(f"{field.name} is {value}: it must be a number from 0 to {LARGEST:g}")
    for name in above_zero:
        if getattr(scenario, name) == 0:
            raise ValueError(f"{name} must be above zero")


def whole_minutes(cold_start_seconds: float) -> int:
    """Return the minutes from the wish for an instance to its first answer, at least the one it is asked for in.

    Raises:
        ValueError: if that is more than a day.
    """
    if cold_start_seconds > _LONGEST_START_SECONDS:
        raise ValueError(f"cold_start_seconds must be at most {_LONGEST_START_SECONDS}")
    return max(1, math.ceil(cold_start_seconds / 60))


@dataclass(frozen=True)
class Scenario(Elsewhere):
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
        check_numbers(self, "usd_per_instance_hour", "tokens_per_minute_per_instance", "check_interval_minutes")
        whole_minutes(self.cold_start_seconds)
        if not self.min_instances <= self.max_instances <= _MOST_INSTANCES or self.max_instances == 0:
            raise ValueError(f"min_instances <= max_instances must hold, with a maximum from 1 to {_MOST_INSTANCES}")

    @property
    def usd_per_instance_minute(self) -> float:
        """What one instance costs a minute, starting or ready."""
        return self.usd_per_instance_hour / MINUTES_PER_HOUR

    @property
    def start_minutes(self) -> int:
        """Whole minutes from the wish for an instance to its first answer."""
        return whole_minutes(self.cold_start_seconds)

    @property
    def start_usd(self) -> float:
        """What an instance costs until it answers."""
        return self.start_minutes * self.usd_per_instance_minute
