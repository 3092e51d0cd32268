"""Traffic by the minute, as replays and plans take it."""

from array import array
from dataclasses import dataclass

from spillway.domain.economics.scenario import Elsewhere


@dataclass(frozen=True)
class Trace:
    """Traffic by the minute; ``first_minute`` counts since the epoch, so that hours of the day mean something."""

    requests: "array[float]"
    prompt_tokens: "array[float]"
    completion_tokens: "array[float]"
    first_minute: int = 0

    def __len__(self) -> int:
        return len(self.requests)

    def tokens(self) -> "array[float]":
        """Return the minutes' prompt and completion tokens together."""
        return array("d", map(sum, zip(self.prompt_tokens, self.completion_tokens, strict=True)))

    def spill_usd(self, scenario: Elsewhere) -> "array[float]":
        """Return what the minutes' tokens cost without any instance."""
        return array("d", map(scenario.spill_usd, self.prompt_tokens, self.completion_tokens, self.requests))
