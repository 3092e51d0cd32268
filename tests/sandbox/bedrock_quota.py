"""Token quotas of the emulated Bedrock: what a request may use is taken off at its beginning, the rest comes back.

From Bedrock's user guide ("How tokens are counted"): a request takes its input and its ``max_tokens``, or without one
the model's longest answer; at its end it has used its input and its output times the model's burn-down rate. How AWS
lets a minute or a day pass was not seen: here they are the clock's.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tests.sandbox.aws_errors import AwsError

# The guide's own example; what an account really has depends on account, model and region.
TOKENS_PER_MINUTE = 2_000_000

_MINUTE, _DAY = 60, 86_400
# AWS's words, as issues in public repositories quote them.
_WORDS = {
    _MINUTE: "Too many tokens, please wait before trying again.",
    _DAY: "Too many tokens per day, please wait before trying again.",
}


@dataclass
class _Model:
    """What one model's requests in flight have taken, and what others used in the running minute and day."""

    in_flight: int = 0
    used: dict[int, int] = field(default_factory=lambda: {_MINUTE: 0, _DAY: 0})
    running: dict[int, int] = field(default_factory=lambda: {_MINUTE: 0, _DAY: 0})

    def pass_time(self, now: datetime) -> None:
        """Forget what was used in a minute or a day that is over."""
        for period in self.used:
            number = int(now.timestamp()) // period
            if number != self.running[period]:
                self.used[period], self.running[period] = 0, number


class TokenQuotas:
    """``per_minute`` and ``per_day`` are tokens by model id, for models with a quota of their own."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.per_minute: dict[str, int] = {}
        self.per_day: dict[str, int] = {}
        self._now = now
        self._models: defaultdict[str, _Model] = defaultdict(_Model)

    def take(self, model_id: str, tokens: int) -> None:
        """Take what a request may use. Raises :class:`AwsError` when a quota does not have it."""
        model = self._models[model_id]
        model.pass_time(self._now())
        quotas = {_DAY: self.per_day.get(model_id), _MINUTE: self.per_minute.get(model_id, TOKENS_PER_MINUTE)}
        for period, quota in quotas.items():
            if quota is not None and model.used[period] + model.in_flight + tokens > quota:
                raise AwsError(429, "ThrottlingException", _WORDS[period])
        model.in_flight += tokens

    def settle(self, model_id: str, taken: int, used: int) -> None:
        """Give what a request took back, but for what it used."""
        model = self._models[model_id]
        model.pass_time(self._now())
        model.in_flight -= taken
        for period in model.used:
            model.used[period] += used
