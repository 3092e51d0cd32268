"""What is noted of one request while it is served, and where it is counted in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from spillway.domain.routing.route import Choice
from spillway.gateway.streaming.usage import Usage

# The status that the log shows for a client that did not wait for its answer.
CLIENT_GONE = 499


@dataclass
class Record:
    """One request to a known deployment, filled in as it goes. Moments are seconds of a monotonic clock.

    ``role`` and ``path`` stay ``none`` when nobody answered; the status counts as ours until something else is known.
    ``is_counted``: the check has been told of it before its end. ``asked`` is who was asked last, and why.
    ``troubles`` are the codes of what it met that somebody has to be told of, whoever answered it.
    """

    request_id: str
    deployment: str
    key_id: str
    begun: float
    role: str = "none"
    path: str = "none"
    code: str = "none"
    status: int = 500
    usage: Usage = field(default_factory=Usage)
    first_token: float | None = None
    stream: bool = False
    broken: bool = False
    detail: str | None = None
    is_counted: bool = False
    troubles: frozenset[str] = frozenset()
    asked: tuple[Choice, str] | None = None

    def asks(self, choice: Choice, code: str) -> None:
        """Note who is asked now, and why."""
        self.asked = choice, code

    def answered_by(self, choice: Choice, code: str) -> None:
        """Note who answers, and why it is this one."""
        self.role, self.path, self.code = choice.role, choice.target.path, code

    def noted(self, detail: str | None) -> None:
        """Add to what the log says beside the numbers."""
        self.detail = "; ".join(filter(None, [self.detail, detail])) or None

    @property
    def failed(self) -> bool:
        """Whether we owed an answer and did not give it, or not to its end."""
        return self.broken or self.status >= 500


class UsageBucket(NamedTuple):
    """Where requests are counted together; ``hour`` is one since the epoch (UTC)."""

    deployment: str
    hour: int
    role: str
    path: str
    key_id: str


class TrafficMinute(NamedTuple):
    """Where the check finds what a deployment was asked; ``minute`` is one since the epoch."""

    deployment: str
    minute: int


BucketT = TypeVar("BucketT", UsageBucket, TrafficMinute, contravariant=True)


class Counters(Protocol[BucketT]):
    """A table of counters; raises StoreUnavailable."""

    async def add(self, bucket: BucketT, counts: Mapping[str, int], moment: int) -> None:
        """Add to the counters of one bucket; ``moment`` (seconds since the epoch) is the last request's end."""
        ...


UsageCounters: TypeAlias = Counters[UsageBucket]
TrafficCounters: TypeAlias = Counters[TrafficMinute]
