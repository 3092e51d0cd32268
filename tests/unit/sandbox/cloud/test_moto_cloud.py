"""boto3 talks to moto inside this process, and calls can be told to fail as AWS fails them."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.unit.sandbox.cloud.conftest import Clients

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
THROTTLED = {
    "autoscaling": ("describe_auto_scaling_groups", "Throttling"),
    "cloudwatch": ("list_metrics", "ThrottlingException"),
    "dynamodb": ("list_tables", "ThrottlingException"),
    "ec2": ("describe_instances", "RequestLimitExceeded"),
    "elbv2": ("describe_load_balancers", "Throttling"),
    "events": ("list_rules", "ThrottlingException"),
    "sagemaker": ("list_endpoints", "ThrottlingException"),
    "scheduler": ("list_schedules", "ThrottlingException"),
    "stepfunctions": ("list_state_machines", "ThrottlingException"),
}


@pytest.mark.parametrize("service", THROTTLED)
def test_a_throttled_call_fails_as_often_as_told_and_then_works(
    service: str, moto: MotoCloud, clients: Clients
) -> None:
    method, code = THROTTLED[service]
    client = clients(service)
    moto.faults.throttle(service, client.meta.method_to_api_mapping[method], times=1)

    with pytest.raises(ClientError) as caught:
        getattr(client, method)()

    assert caught.value.response["Error"]["Code"] == code
    assert getattr(client, method)()


def test_what_moto_lacks_is_answered_by_a_handler(moto: MotoCloud, clients: Clients) -> None:
    moto.front.handle("sagemaker", "DescribeHub", lambda params: {"HubName": params["HubName"], "CreationTime": AT})
    answer = clients("sagemaker").describe_hub(HubName="SageMakerPublicHub")
    assert (answer["HubName"], answer["CreationTime"]) == ("SageMakerPublicHub", AT)


def test_a_handler_refuses_with_awss_error(moto: MotoCloud, clients: Clients) -> None:
    def refuse(_: object) -> dict[str, object]:
        raise AwsError("ResourceNotFound", "no such hub")

    moto.front.handle("sagemaker", "DescribeHub", refuse)
    with pytest.raises(ClientError, match="no such hub") as caught:
        clients("sagemaker").describe_hub(HubName="none")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"


def test_metrics_are_read_in_batches_and_pages(clients: Clients) -> None:
    cloudwatch = clients("cloudwatch")
    for name in ("a", "b"):
        for minute in range(3):
            cloudwatch.put_metric_data(Namespace="Spillway/Engine", MetricData=[_datum(name, minute, 2.0 + minute)])
    queries = [_query(f"m{index}", "a" if index % 2 else "b") for index in range(500)]

    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=AT,
        EndTime=AT + timedelta(minutes=3),
        ScanBy="TimestampDescending",
        MaxDatapoints=500,
    )
    values: dict[str, list[float]] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            values.setdefault(result["Id"], []).extend(result["Values"])

    assert len(values) == 500
    assert values["m1"] == [4.0, 3.0, 2.0]


def test_conditional_writes_have_one_winner(clients: Clients) -> None:
    table = clients("dynamodb")
    key = [{"AttributeName": "name", "KeyType": "HASH"}]
    attributes = [{"AttributeName": "name", "AttributeType": "S"}]
    table.create_table(
        TableName="routes", KeySchema=key, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
    )
    wins = []

    def claim(number: int) -> None:
        item = {"name": {"S": "chat"}, "by": {"N": str(number)}}
        try:
            table.put_item(TableName="routes", Item=item, ConditionExpression="attribute_not_exists(#name)",
                           ExpressionAttributeNames={"#name": "name"})  # fmt: skip
        except table.exceptions.ConditionalCheckFailedException:
            return
        wins.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(wins) == 1


def _datum(deployment: str, minute: int, value: float) -> dict[str, object]:
    return {
        "MetricName": "RequestsRunning",
        "Dimensions": [{"Name": "Deployment", "Value": deployment}],
        "Timestamp": AT + timedelta(minutes=minute),
        "Value": value,
    }


def _query(query_id: str, deployment: str) -> dict[str, object]:
    metric = {
        "Namespace": "Spillway/Engine",
        "MetricName": "RequestsRunning",
        "Dimensions": [{"Name": "Deployment", "Value": deployment}],
    }
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
