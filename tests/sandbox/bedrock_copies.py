"""The copies of imported models: started by a request, gone when nobody asks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.sandbox.aws_errors import AwsError

IDLE = timedelta(minutes=5)


@dataclass
class _Copy:
    ready_at: datetime
    used_at: datetime

    def is_gone(self, now: datetime) -> bool:
        return now >= max(self.ready_at, self.used_at) + IDLE


class ModelCopies:
    """One copy a model, which takes ``start_seconds`` of the time that ``now`` tells to load."""

    def __init__(self, now: Callable[[], datetime], start_seconds: float) -> None:
        self._now = now
        self._start = timedelta(seconds=start_seconds)
        self._copies: dict[str, _Copy] = {}

    def ask(self, arn: str) -> None:
        """Note a request, which starts a copy where there is none. Raises :class:`AwsError` while it loads."""
        now = self._now()
        copy = self._copies.get(arn)
        if copy is None or copy.is_gone(now):
            copy = self._copies[arn] = _Copy(now + self._start, now)
        copy.used_at = now
        if now < copy.ready_at:
            message = "Model is not ready for inference. Please wait and try your request again later."
            raise AwsError(429, "ModelNotReadyException", message)
