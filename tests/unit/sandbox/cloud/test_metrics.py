"""Metrics are read by statistic, period and page."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.cloud.metrics import Metrics, reduce
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.unit.sandbox.cloud.conftest import Clients

AT = datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC)


def test_reads_keep_namespaces_and_dimensions_apart_and_come_in_pages(moto: MotoCloud, clients: Clients) -> None:
    metrics = Metrics()
    metrics.install(moto.patches)
    cloudwatch = clients("cloudwatch")
    chat = [{"Name": "Deployment", "Value": "chat"}]
    for namespace, value in (("Spillway", 1.0), ("Other", 100.0)):
        datum = {
            "MetricName": "Requests",
            "Dimensions": chat,
            "Timestamp": AT,
            "Values": [value, 2.0],
            "Counts": [2, 1],
        }
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])
    metric = {"Namespace": "Spillway", "MetricName": "Requests", "Dimensions": chat}
    stats = ("Sum", "SampleCount", "Maximum", "Average")
    queries = [{"Id": stat.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}} for stat in stats]

    pages = list(
        cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=AT, EndTime=AT + timedelta(minutes=1), MaxDatapoints=2
        )
    )

    found = {result["Id"]: result["Values"] for page in pages for result in page["MetricDataResults"]}
    assert len(pages) == 2
    assert found == {"sum": [4.0], "samplecount": [3.0], "maximum": [2.0], "average": [4 / 3]}
    assert cloudwatch.list_metrics(Namespace="Spillway")["Metrics"][0]["Dimensions"] == chat


def test_percentiles_and_statistics_that_are_none() -> None:
    assert reduce("p50", [1.0, 2.0, 3.0]) == 2.0
    assert reduce("Minimum", [2.0, 1.0]) == 1.0
    with pytest.raises(ValueError, match="no such statistic"):
        reduce("Middle", [1.0])
