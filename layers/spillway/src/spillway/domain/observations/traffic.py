"""What was counted of one deployment's traffic."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A request is counted when it ends, and by a clock that may be behind this one.
RECENT = timedelta(minutes=3)
# A count may show up late; this long after a minute's end what was counted in it is taken as final.
SETTLED_AFTER = timedelta(minutes=2)
# Counts are read at most this far back. After a longer gap between two checks nobody knows what was asked meanwhile:
# idleness is counted anew, and those minutes are weighed by nobody.
LONGEST_GAP = timedelta(minutes=15)


@dataclass(frozen=True)
class Minute:
    """What the gateway counted in the minute that starts at ``at``; Bedrock bills its tokens whatever the role.

    ``primary_tokens`` are prompt and completion together, of the ``primary_requests`` that the primary answered. The
    last three are requests that met a spill target that failed, a day's quota that is used up, or a policy's denial,
    whoever answered them in the end; their names are those of the codes.
    """

    at: datetime
    requests: int = 0
    bedrock_prompt_tokens: int = 0
    bedrock_completion_tokens: int = 0
    primary_tokens: int = 0
    primary_requests: int = 0
    spill_failed: int = 0
    quota_used_up: int = 0
    access_denied: int = 0


@dataclass(frozen=True)
class Load:
    """Recent minutes with traffic (newest first) and the engines' state.

    ``running`` and ``waiting`` are the engines' requests in flight and in queue (all instances together);
    ``kv_cache_use`` is the fullest instance's share, 0 to 1. None means that none of them told: unknown, not zero.
    """

    minutes: tuple[Minute, ...] = ()
    running: float | None = None
    waiting: float | None = None
    kv_cache_use: float | None = None

    def requests_since(self, since: datetime) -> int:
        """Return the requests of the minutes that start at ``since`` or later."""
        return sum(minute.requests for minute in self.minutes if minute.at >= since)
