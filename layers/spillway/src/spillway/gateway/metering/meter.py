"""What one request used and how it went: an hourly counter, the check's own by the minute, and one log line."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, TypeVar

from spillway.domain.paths.path import is_billed_by_token
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.log import Log
from spillway.gateway.request_record import (
    Counters,
    Record,
    TrafficCounters,
    TrafficMinute,
    UsageBucket,
    UsageCounters,
)

_MINUTE_SECONDS, _HOUR_SECONDS = 60, 3600
BucketT = TypeVar("BucketT", UsageBucket, TrafficMinute)


class Meter:
    """Counts requests. ``now`` dates them; ``monotonic`` is the clock their durations are taken by.

    ``megabytes`` is the memory that Lambda bills for as long as a request lasts, 0 on a server.
    """

    def __init__(
        self,
        counters: UsageCounters,
        traffic: TrafficCounters,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        log: Log,
        megabytes: int = 0,
    ) -> None:
        self._counters = counters
        self._traffic = traffic
        self._now = now
        self._monotonic = monotonic
        self._log = log
        self._megabytes = megabytes

    def count(self, record: Record) -> Coroutine[None, None, None]:
        """Tell the check of the request now: what waits long must be seen before its end, or nobody would wake."""
        record.is_counted = True
        waits = {"message": "request waits", "deployment": record.deployment, "request_id": record.request_id}
        self._log(waits)
        return self._tell(record, {"requests": 1})

    async def tell(self, record: Record) -> None:
        """Tell the check of the request, by the minute of its end."""
        if counts := _traffic(record):
            await self._tell(record, counts)

    async def settle(self, record: Record) -> None:
        """Write the line at once and the counters after it; the line is what is left if the table is away."""
        end = self._monotonic()
        self._log(_line(record, end))
        moment = self._moment()
        bucket = UsageBucket(record.deployment, moment // _HOUR_SECONDS, record.role, record.path, record.key_id)
        await self._add(self._counters, bucket, _counts(record, self._megabytes * _ms(end - record.begun)), record)

    async def _tell(self, record: Record, counts: Mapping[str, int]) -> None:
        minute = TrafficMinute(record.deployment, self._moment() // _MINUTE_SECONDS)
        await self._add(self._traffic, minute, counts, record)

    async def _add(
        self, counters: Counters[BucketT], bucket: BucketT, counts: Mapping[str, int], record: Record
    ) -> None:
        try:
            await counters.add(bucket, counts, self._moment())
        except StoreUnavailable as err:
            lost = {"message": "usage not counted", "request_id": record.request_id, "detail": str(err)}
            self._log(lost)

    def _moment(self) -> int:
        return int(self._now().timestamp())


def _counts(record: Record, lambda_mb_ms: float) -> dict[str, int]:
    counts = {
        "requests": 1,
        "failed": int(record.failed),
        "prompt_tokens": record.usage.prompt,
        "cached_tokens": record.usage.cached,
        "completion_tokens": record.usage.completion,
        "reasoning_tokens": record.usage.reasoning,
        "lambda_mb_ms": round(lambda_mb_ms),
        f"reason_{record.code}": 1,
    }
    return {name: count for name, count in counts.items() if count}


def _traffic(record: Record) -> dict[str, int]:
    """Return what the check weighs of a request, without the zeros."""
    is_primary, tokens = record.role == "primary", record.usage
    # Tokens are billed whether who answers is the primary or the spill target.
    is_billed = is_billed_by_token(record.path)
    counts = {
        "requests": int(not record.is_counted),
        "bedrock_prompt_tokens": tokens.prompt if is_billed else 0,
        "bedrock_completion_tokens": tokens.completion if is_billed else 0,
        "primary_tokens": tokens.total if is_primary else 0,
        "primary_requests": int(is_primary),
        **dict.fromkeys(record.troubles, 1),
    }
    return {name: count for name, count in counts.items() if count}


def _line(record: Record, end: float) -> dict[str, Any]:
    """Return the request's log line."""
    first_token = None if record.first_token is None else _ms(record.first_token - record.begun)
    return {
        "message": "request",
        "deployment": record.deployment,
        "request_id": record.request_id,
        "key_id": record.key_id,
        "target": record.path,
        "role": record.role,
        "reason": record.code,
        "status": record.status,
        "failed": record.failed,
        "stream": record.stream,
        "broken": record.broken,
        "prompt_tokens": record.usage.prompt,
        "cached_tokens": record.usage.cached,
        "completion_tokens": record.usage.completion,
        "reasoning_tokens": record.usage.reasoning,
        "tokens_estimated": record.usage.estimated,
        "first_token_ms": first_token,
        "duration_ms": _ms(end - record.begun),
        "detail": record.detail,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
