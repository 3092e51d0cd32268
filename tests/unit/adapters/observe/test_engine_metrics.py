"""Gauges from CloudWatch: moto for what the datapoints mean, recorded calls for batches and pages."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from spillway.adapters.observe.engine_metrics import METRICS_PER_CALL, EngineMetrics
from spillway.domain.errors import Retryable
from spillway.domain.observations.traffic import Load, Minute
from tests.builders import NOW

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

NAME = "support-llama"
MINUTE = timedelta(minutes=1)
SEEN = Load((Minute(NOW, 3),))


@pytest.fixture
def cloudwatch(aws: None) -> "CloudWatchClient":
    return boto3.client("cloudwatch", region_name="us-east-1")


def put(client: "CloudWatchClient", metric: str, at: datetime, *values: float) -> None:
    dimensions = [{"Name": "Deployment", "Value": NAME}]
    data: Any = [{"MetricName": metric, "Dimensions": dimensions, "Timestamp": at, "Value": value} for value in values]
    client.put_metric_data(Namespace="Spillway/Engine", MetricData=data)


def test_gauges_are_the_latest_minute_of_all_instances_together(cloudwatch: "CloudWatchClient") -> None:
    put(cloudwatch, "RequestsRunning", NOW - 2 * MINUTE, 9.0)
    # Two instances, one datapoint each.
    put(cloudwatch, "RequestsRunning", NOW - MINUTE, 3.0, 4.0)
    put(cloudwatch, "RequestsWaiting", NOW - MINUTE, 0.0, 0.0)
    put(cloudwatch, "KvCacheUse", NOW - MINUTE, 0.25, 0.75)
    loads = EngineMetrics(cloudwatch).add({NAME: SEEN}, NOW)
    assert loads == {NAME: Load(SEEN.minutes, running=7.0, waiting=0.0, kv_cache_use=0.75)}


@pytest.mark.parametrize(("age", "running"), [(4, 5.0), (5, None)])
def test_a_gauge_that_went_silent_is_unknown_and_not_its_last_value(
    cloudwatch: "CloudWatchClient", age: int, running: float | None
) -> None:
    put(cloudwatch, "RequestsRunning", NOW - age * MINUTE, 5.0)
    assert EngineMetrics(cloudwatch).add({NAME: SEEN}, NOW)[NAME].running == running


class Recording:
    """Answers every query with one datapoint that tells which deployment it was for, in pages of ``page`` results."""

    def __init__(self, page: int) -> None:
        self.page = page
        self.calls: list[dict[str, Any]] = []

    def get_metric_data(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        start = int(call.get("NextToken", "0"))
        queries = call["MetricDataQueries"]
        answer: dict[str, Any] = {
            "MetricDataResults": [_one_point(query) for query in queries[start : start + self.page]]
        }
        if start + self.page < len(queries):
            answer["NextToken"] = str(start + self.page)
        return answer


def _one_point(query: dict[str, Any]) -> dict[str, Any]:
    name = query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
    return {"Id": query["Id"], "Timestamps": [NOW - MINUTE], "Values": [float(name.removeprefix("model-"))]}


@pytest.mark.parametrize("page", [1000, 500, 7])
def test_every_deployment_gets_its_own_numbers_whatever_the_batches_and_pages(page: int) -> None:
    client: Any = Recording(page)
    # Three metrics each: one more than fit into two calls.
    names = [f"model-{number}" for number in range(2 * METRICS_PER_CALL // 3 + 1)]
    loads = EngineMetrics(client).add(dict.fromkeys(names, SEEN), NOW)
    assert list(loads) == names
    for number, name in enumerate(names):
        assert (loads[name].running, loads[name].kv_cache_use) == (number, number)
    assert all(len(call["MetricDataQueries"]) <= METRICS_PER_CALL for call in client.calls)
    assert sum("NextToken" not in call for call in client.calls) == 3


def test_the_newest_value_counts_where_pages_continue_a_metric(cloudwatch: "CloudWatchClient") -> None:
    def results(at: datetime, value: float) -> Any:
        return [{"Id": "m0", "Label": "x", "StatusCode": "PartialData", "Timestamps": [at], "Values": [value]}]

    with Stubber(cloudwatch) as stub:
        stub.add_response("get_metric_data", {"MetricDataResults": results(NOW - MINUTE, 1.0), "NextToken": "more"})
        stub.add_response("get_metric_data", {"MetricDataResults": results(NOW - 2 * MINUTE, 2.0)})
        load = EngineMetrics(cloudwatch).add({NAME: SEEN}, NOW)[NAME]
        stub.assert_no_pending_responses()
    assert load.running == 1.0


def test_whole_minutes_are_asked_for() -> None:
    client: Any = Recording(500)
    EngineMetrics(client).add({"model-1": SEEN}, datetime(2026, 11, 24, 9, 30, 59, 999, tzinfo=UTC))
    (call,) = client.calls
    assert (call["StartTime"], call["EndTime"]) == (
        datetime(2026, 11, 24, 9, 26, tzinfo=UTC),
        datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    )


def test_a_throttled_read_may_be_tried_again(cloudwatch: "CloudWatchClient") -> None:
    with Stubber(cloudwatch) as stub:
        stub.add_client_error("get_metric_data", "ThrottlingException", "slow down", 400)
        with pytest.raises(Retryable):
            EngineMetrics(cloudwatch).add({NAME: SEEN}, NOW)
