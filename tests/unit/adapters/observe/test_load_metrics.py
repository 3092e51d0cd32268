"""Loads from CloudWatch: moto for what the datapoints mean, botocore's Stubber for batches and pages."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from spillway.adapters.observe.load_metrics import METRICS_PER_CALL, LoadMetrics
from spillway.domain.errors import Retryable
from spillway.domain.observations.signals import Signal
from spillway.domain.observations.traffic import Load, Minute
from tests.builders import NOW

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

NAME = "support-llama"
ALL = {NAME: set(Signal)}
MINUTE = timedelta(minutes=1)
SINCE = NOW - 4 * MINUTE


@pytest.fixture
def cloudwatch(aws: None) -> "CloudWatchClient":
    return boto3.client("cloudwatch", region_name="us-east-1")


def put(client: "CloudWatchClient", metric: str, at: datetime, *values: float, name: str = NAME) -> None:
    namespace = "Spillway/Engine" if metric in ("RequestsRunning", "RequestsWaiting", "KvCacheUse") else "Spillway"
    data: Any = [
        {
            "MetricName": metric,
            "Dimensions": [{"Name": "Deployment", "Value": name}],
            "Timestamp": at,
            "Value": value,
        }
        for value in values
    ]
    client.put_metric_data(Namespace=namespace, MetricData=data)


def test_counters_are_summed_by_the_minute_newest_first(cloudwatch: "CloudWatchClient") -> None:
    put(cloudwatch, "Requests", SINCE, 2.0, 3.0)
    put(cloudwatch, "Requests", SINCE + 2 * MINUTE, 1.0)
    put(cloudwatch, "BedrockPromptTokens", SINCE + 2 * MINUTE, 100.0, 20.0)
    put(cloudwatch, "BedrockCompletionTokens", SINCE + 2 * MINUTE, 7.0)
    put(cloudwatch, "PrimaryTokens", SINCE, 40.0)
    put(cloudwatch, "PrimaryRequests", SINCE, 4.0)
    # Neither the minute before, nor the one that still runs, nor another deployment's.
    put(cloudwatch, "Requests", SINCE - MINUTE, 50.0)
    put(cloudwatch, "Requests", NOW, 50.0)
    put(cloudwatch, "Requests", SINCE, 50.0, name="another")
    load = LoadMetrics(cloudwatch).read(ALL, SINCE, NOW + timedelta(seconds=20))[NAME]
    assert load.minutes == (Minute(SINCE + 2 * MINUTE, 1, 120, 7), Minute(SINCE, 5, 0, 0, 40, 4))


def test_gauges_are_the_latest_minute_of_all_instances_together(cloudwatch: "CloudWatchClient") -> None:
    put(cloudwatch, "RequestsRunning", NOW - 2 * MINUTE, 9.0)
    # Two instances, one datapoint each.
    put(cloudwatch, "RequestsRunning", NOW - MINUTE, 3.0, 4.0)
    put(cloudwatch, "RequestsWaiting", NOW - MINUTE, 0.0, 0.0)
    put(cloudwatch, "KvCacheUse", NOW - MINUTE, 0.25, 0.75)
    load = LoadMetrics(cloudwatch).read(ALL, SINCE, NOW)[NAME]
    assert (load.running, load.waiting, load.kv_cache_use) == (7.0, 0.0, 0.75)


@pytest.mark.parametrize(("age", "running"), [(4, 5.0), (5, None)])
def test_a_gauge_that_went_silent_is_unknown_and_not_its_last_value(
    cloudwatch: "CloudWatchClient", age: int, running: float | None
) -> None:
    put(cloudwatch, "RequestsRunning", NOW - age * MINUTE, 5.0)
    assert LoadMetrics(cloudwatch).read(ALL, NOW - 15 * MINUTE, NOW)[NAME].running == running


def test_no_datapoints_are_unknown_and_no_names_are_no_call(cloudwatch: "CloudWatchClient") -> None:
    assert LoadMetrics(cloudwatch).read(ALL, SINCE, NOW) == {NAME: Load()}
    with Stubber(cloudwatch):
        assert LoadMetrics(cloudwatch).read({}, SINCE, NOW) == {}


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
    client = Recording(page)
    # Six metrics each: one more than fit into two calls.
    names = [f"model-{number}" for number in range(2 * METRICS_PER_CALL // 6 + 1)]
    loads = LoadMetrics(client).read({name: set(Signal) for name in names}, SINCE, NOW)  # type: ignore[arg-type]
    assert list(loads) == names
    for number, name in enumerate(names):
        assert loads[name].minutes[0].requests == number
        assert (loads[name].running, loads[name].kv_cache_use) == (number, number)
    assert all(len(call["MetricDataQueries"]) <= METRICS_PER_CALL for call in client.calls)
    assert sum("NextToken" not in call for call in client.calls) == 3


def test_pages_that_continue_a_metric_are_put_together(cloudwatch: "CloudWatchClient") -> None:
    def results(at: datetime) -> Any:
        return [{"Id": "m0", "Label": "Requests", "StatusCode": "Complete", "Timestamps": [at], "Values": [1.0]}]

    with Stubber(cloudwatch) as stub:
        stub.add_response("get_metric_data", {"MetricDataResults": results(NOW - MINUTE), "NextToken": "more"})
        stub.add_response("get_metric_data", {"MetricDataResults": results(NOW - 2 * MINUTE)})
        load = LoadMetrics(cloudwatch).read(ALL, SINCE, NOW)[NAME]
        stub.assert_no_pending_responses()
    assert [minute.at for minute in load.minutes] == [NOW - MINUTE, NOW - 2 * MINUTE]


def test_whole_minutes_are_asked_for() -> None:
    client = Recording(500)
    now = datetime(2026, 11, 24, 9, 30, 59, 999, tzinfo=UTC)
    LoadMetrics(client).read({"model-1": set(Signal)}, now - timedelta(seconds=90), now)  # type: ignore[arg-type]
    (call,) = client.calls
    assert (call["StartTime"], call["EndTime"]) == (
        datetime(2026, 11, 24, 9, 29, tzinfo=UTC),
        datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    )


def test_a_throttled_read_may_be_tried_again(cloudwatch: "CloudWatchClient") -> None:
    with Stubber(cloudwatch) as stub:
        stub.add_client_error("get_metric_data", "ThrottlingException", "slow down", 400)
        with pytest.raises(Retryable):
            LoadMetrics(cloudwatch).read(ALL, SINCE, NOW)


@pytest.mark.parametrize(
    ("signals", "metrics"),
    [
        (set(), []),
        ({Signal.REQUESTS}, ["Requests"]),
        ({Signal.BEDROCK_TOKENS}, ["BedrockPromptTokens", "BedrockCompletionTokens"]),
        ({Signal.ENGINES}, ["RequestsRunning", "RequestsWaiting", "KvCacheUse"]),
    ],
)
def test_only_what_is_wanted_is_read_and_paid_for(signals: set[Signal], metrics: list[str]) -> None:
    client = Recording(500)
    assert list(LoadMetrics(client).read({"model-1": signals}, SINCE, NOW)) == ["model-1"]  # type: ignore[arg-type]
    asked = [
        query["MetricStat"]["Metric"]["MetricName"] for call in client.calls for query in call["MetricDataQueries"]
    ]
    assert asked == metrics
