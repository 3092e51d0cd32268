"""Engines' gauges from CloudWatch, where instances of templates made before the ``loads`` table still put them.

CloudWatch bills every metric each time it is read, so only fleets that are silent in the table are looked up here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.domain.observations.traffic import Load

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# CloudWatch's own limit of one GetMetricData call.
METRICS_PER_CALL = 500
PERIOD_SECONDS = 60
# A gauge that is older says nothing about now: its engine has stopped telling.
_HOLDS = timedelta(minutes=4)
# Every instance's agent puts one datapoint a minute, so the minute's sum is all instances together.
_GAUGES = {
    "running": ("RequestsRunning", "Sum"),
    "waiting": ("RequestsWaiting", "Sum"),
    "kv_cache_use": ("KvCacheUse", "Maximum"),
}


class EngineMetrics:
    """Reads 500 metrics a call."""

    def __init__(self, client: "CloudWatchClient") -> None:
        self._client = client

    def add(self, loads: Mapping[str, Load], now: datetime) -> Mapping[str, Load]:
        """Return the loads with what CloudWatch knows of their engines up to the last whole minute."""
        pairs = [(name, field) for name in loads for field in _GAUGES]
        latest: dict[str, dict[str, float]] = {name: {} for name in loads}
        for start in range(0, len(pairs), METRICS_PER_CALL):
            asked = {f"m{at}": pair for at, pair in enumerate(pairs[start : start + METRICS_PER_CALL])}
            for result in self._results(asked, now):
                name, field = asked[result["Id"]]
                # Newest first, and over several pages the newest are on the first.
                if result["Values"]:
                    latest[name].setdefault(field, result["Values"][0])
        return {name: _with(load, latest[name]) for name, load in loads.items()}

    def _results(self, asked: Mapping[str, tuple[str, str]], now: datetime) -> Iterator[Any]:
        queries: Any = [_query(at, name, *_GAUGES[field]) for at, (name, field) in asked.items()]
        more: dict[str, Any] = {}
        end = now.replace(second=0, microsecond=0)
        while True:
            with translated():
                answer = self._client.get_metric_data(
                    MetricDataQueries=queries,
                    StartTime=end - _HOLDS,
                    EndTime=end,
                    ScanBy="TimestampDescending",
                    **more,
                )
            yield from answer["MetricDataResults"]
            if not answer.get("NextToken"):
                return
            more = {"NextToken": answer["NextToken"]}


def _with(load: Load, gauges: Mapping[str, float]) -> Load:
    running, waiting, cache_use = (gauges.get(field) for field in _GAUGES)
    return replace(load, running=running, waiting=waiting, kv_cache_use=cache_use)


def _query(query_id: str, deployment: str, metric: str, statistic: str) -> dict[str, Any]:
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": "Spillway/Engine",
                "MetricName": metric,
                "Dimensions": [{"Name": "Deployment", "Value": deployment}],
            },
            "Period": PERIOD_SECONDS,
            "Stat": statistic,
        },
        "ReturnData": True,
    }
