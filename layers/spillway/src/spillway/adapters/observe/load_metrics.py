"""Loads from CloudWatch: the gateway's counters and the engines' gauges, 500 metrics a call."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.domain.observations.signals import Signal
from spillway.domain.observations.traffic import Load, Minute

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# CloudWatch's own limit of one GetMetricData call.
METRICS_PER_CALL = 500
PERIOD_SECONDS = 60
# A gauge that is older says nothing about now: its engine has stopped telling.
GAUGE_HOLDS = timedelta(minutes=4)


@dataclass(frozen=True)
class _Metric:
    """``field`` is where the value goes: a counter of ``Minute`` or a gauge of ``Load``."""

    field: str
    signal: Signal
    namespace: str
    name: str
    statistic: str


_COUNTERS = (
    _Metric("requests", Signal.REQUESTS, "Spillway", "Requests", "Sum"),
    _Metric("bedrock_prompt_tokens", Signal.BEDROCK_TOKENS, "Spillway", "BedrockPromptTokens", "Sum"),
    _Metric("bedrock_completion_tokens", Signal.BEDROCK_TOKENS, "Spillway", "BedrockCompletionTokens", "Sum"),
    _Metric("primary_tokens", Signal.PRIMARY_TOKENS, "Spillway", "PrimaryTokens", "Sum"),
    _Metric("primary_requests", Signal.PRIMARY_REQUESTS, "Spillway", "PrimaryRequests", "Sum"),
)
# Every instance's agent puts one datapoint a minute, so the minute's sum is all instances together.
_GAUGES = (
    _Metric("running", Signal.ENGINES, "Spillway/Engine", "RequestsRunning", "Sum"),
    _Metric("waiting", Signal.ENGINES, "Spillway/Engine", "RequestsWaiting", "Sum"),
    _Metric("kv_cache_use", Signal.ENGINES, "Spillway/Engine", "KvCacheUse", "Maximum"),
)
_METRICS = _COUNTERS + _GAUGES

# A deployment's datapoints by metric field.
_Series = Mapping[str, dict[datetime, float]]


class LoadMetrics:
    """Implements the ``LoadReader`` port."""

    def __init__(self, client: "CloudWatchClient") -> None:
        self._client = client

    def read(self, wanted: Mapping[str, Set[Signal]], since: datetime, now: datetime) -> Mapping[str, Load]:
        """Read the minutes from ``since`` to the last whole one."""
        series: dict[str, dict[str, dict[datetime, float]]] = {name: defaultdict(dict) for name in wanted}
        pairs = [(name, metric) for name, signals in wanted.items() for metric in _METRICS if metric.signal in signals]
        for start in range(0, len(pairs), METRICS_PER_CALL):
            queries = {f"m{at}": pair for at, pair in enumerate(pairs[start : start + METRICS_PER_CALL])}
            for result in self._results(queries, since, now):
                name, metric = queries[result["Id"]]
                series[name][metric.field].update(zip(result["Timestamps"], result["Values"], strict=True))
        return {name: _load(found, now - GAUGE_HOLDS) for name, found in series.items()}

    def _results(self, queries: Mapping[str, tuple[str, _Metric]], since: datetime, now: datetime) -> Iterator[Any]:
        metric_queries: Any = [_query(at, metric, name) for at, (name, metric) in queries.items()]
        more: dict[str, Any] = {}
        while True:
            with translated():
                answer = self._client.get_metric_data(
                    MetricDataQueries=metric_queries,
                    StartTime=since.replace(second=0, microsecond=0),
                    EndTime=now.replace(second=0, microsecond=0),
                    ScanBy="TimestampDescending",
                    **more,
                )
            yield from answer["MetricDataResults"]
            if not answer.get("NextToken"):
                return
            more = {"NextToken": answer["NextToken"]}


def _query(query_id: str, metric: _Metric, deployment: str) -> dict[str, Any]:
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": "Deployment", "Value": deployment}],
            },
            "Period": PERIOD_SECONDS,
            "Stat": metric.statistic,
        },
        "ReturnData": True,
    }


def _load(series: _Series, gauges_since: datetime) -> Load:
    times = sorted({at for metric in _COUNTERS for at in series[metric.field]}, reverse=True)
    minutes = tuple(
        Minute(at, **{metric.field: int(series[metric.field].get(at, 0)) for metric in _COUNTERS}) for at in times
    )
    gauges = {metric.field: _latest(series[metric.field], gauges_since) for metric in _GAUGES}
    return Load(minutes=minutes, **gauges)


def _latest(points: Mapping[datetime, float], since: datetime) -> float | None:
    latest = max(points, default=None)
    return points[latest] if latest is not None and latest >= since else None
