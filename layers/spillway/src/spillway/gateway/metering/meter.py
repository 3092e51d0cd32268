"""What one request used and how it went: an hourly counter, metrics, and one log line."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from spillway.domain.paths.path import is_billed_by_token
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.log import Log
from spillway.gateway.request_record import Record, UsageBucket, UsageCounters

_HOUR_SECONDS = 3600


class Meter:
    """Counts requests. ``now`` dates them; ``monotonic`` is the clock their durations are taken by.

    ``megabytes`` is the memory that Lambda bills for as long as a request lasts, 0 on a server.
    """

    def __init__(
        self,
        counters: UsageCounters,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        log: Log,
        megabytes: int = 0,
    ) -> None:
        self._counters = counters
        self._now = now
        self._monotonic = monotonic
        self._log = log
        self._megabytes = megabytes

    def count(self, record: Record) -> None:
        """Put the request into the metrics now: what waits long must be seen before its end, or nobody would wake."""
        record.is_counted = True
        self._log(
            {
                **_embedded(record.deployment, {"Requests": 1}, self._now()),
                "message": "request waits",
                "request_id": record.request_id,
            }
        )

    async def settle(self, record: Record) -> None:
        """Write the line at once and the counters after it; the line is what is left if the table is away."""
        now = self._now()
        end = self._monotonic()
        self._log(_line(record, now, end))
        moment = int(now.timestamp())
        bucket = UsageBucket(record.deployment, moment // _HOUR_SECONDS, record.role, record.path, record.key_id)
        counts = _counts(record, self._megabytes * _ms(end - record.begun))
        try:
            await self._counters.add(bucket, counts, moment)
        except StoreUnavailable as err:
            lost = {"message": "usage not counted", "request_id": record.request_id, "detail": str(err)}
            self._log(lost)


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


def _metrics(record: Record) -> dict[str, float]:
    """Return the request's metrics without the zeros: what is absent counts as nothing in a sum."""
    # Tokens are billed whether who answers is the primary or the spill target.
    billed = record.usage if is_billed_by_token(record.path) else None
    metrics: dict[str, float] = {
        "Requests": not record.is_counted,
        "PrimaryRequests": record.role == "primary",
        "SpilledRequests": record.role == "spill",
        "FailedRequests": record.failed,
        "PrimaryTokens": record.usage.total if record.role == "primary" else 0,
        "BedrockPromptTokens": billed.prompt if billed else 0,
        "BedrockCompletionTokens": billed.completion if billed else 0,
    }
    present = {name: +value for name, value in metrics.items() if value}
    if record.first_token is not None:
        present["TimeToFirstToken"] = _ms(record.first_token - record.begun)
    return present


def _line(record: Record, now: datetime, moment: float) -> dict[str, Any]:
    """Return the request's log line, which is its metrics too (CloudWatch's embedded metric format)."""
    return {
        **_embedded(record.deployment, _metrics(record), now),
        "message": "request",
        "request_id": record.request_id,
        "key_id": record.key_id,
        "target": record.path,
        "role": record.role,
        "reason": record.code,
        "status": record.status,
        "stream": record.stream,
        "broken": record.broken,
        "prompt_tokens": record.usage.prompt,
        "cached_tokens": record.usage.cached,
        "completion_tokens": record.usage.completion,
        "reasoning_tokens": record.usage.reasoning,
        "tokens_estimated": record.usage.estimated,
        "duration_ms": _ms(moment - record.begun),
        "detail": record.detail,
    }


def _embedded(deployment: str, metrics: Mapping[str, float], now: datetime) -> dict[str, Any]:
    """Return the part of a log line that CloudWatch takes for metrics, none where there are none."""
    if not metrics:
        return {"Deployment": deployment}
    return {
        "_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": _directives(tuple(metrics))},
        "Deployment": deployment,
        **metrics,
    }


@lru_cache(maxsize=64)
def _directives(names: tuple[str, ...]) -> list[dict[str, Any]]:
    units = [{"Name": name, "Unit": "Milliseconds" if name == "TimeToFirstToken" else "Count"} for name in names]
    return [{"Namespace": "Spillway", "Dimensions": [["Deployment"]], "Metrics": units}]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
