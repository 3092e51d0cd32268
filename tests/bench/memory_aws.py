"""AWS clients that answer the check from memory and count their calls, behind the product's own adapters."""

# ruff: noqa: N803 — boto3 names its arguments like this.

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

_SCAN_BYTES = 1_000_000
Item = dict[str, Any]


class _Counting:
    def __init__(self, calls: Counter[str]) -> None:
        self._calls = calls

    def _count(self, operation: str) -> None:
        self._calls[operation] += 1


class _ConditionFailed(Exception):
    """Never raised: nobody else writes to this memory."""


class _Exceptions:
    ConditionalCheckFailedException = _ConditionFailed
    TransactionCanceledException = _ConditionFailed
    ExecutionAlreadyExists = _ConditionFailed


class MemoryDynamoDB(_Counting):
    """Tables by name, items by key; a scan answers at most a megabyte, a batch what it was asked."""

    exceptions = _Exceptions

    def __init__(self, calls: Counter[str]) -> None:
        super().__init__(calls)
        self.tables: dict[str, dict[str, Item]] = {}

    def scan(self, *, TableName: str, ExclusiveStartKey: str | None = None, **_: Any) -> Item:
        self._count("Scan")
        table = self.tables.get(TableName, {})
        names = list(table)
        start = names.index(ExclusiveStartKey) + 1 if ExclusiveStartKey else 0
        found: list[Item] = []
        size = 0
        for name in islice(names, start, None):
            found.append(table[name])
            size += len(json.dumps(table[name]))
            if size >= _SCAN_BYTES:
                return {"Items": found, "LastEvaluatedKey": name}
        return {"Items": found}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Item:
        self._count("BatchGetItem")
        ((table, request),) = RequestItems.items()
        keys = (_key(key) for key in request["Keys"])
        stored = self.tables.get(table, {})
        return {"Responses": {table: [stored[key] for key in keys if key in stored]}}

    def put_item(self, *, TableName: str, Item: Item, **_: Any) -> Item:
        self._count("PutItem")
        self.tables.setdefault(TableName, {})[_key(Item)] = Item
        return {}

    def update_item(self, *, TableName: str, Key: Item, ExpressionAttributeValues: Item, **_: Any) -> Item:
        self._count("UpdateItem")
        changed = {name.removeprefix(":"): value for name, value in ExpressionAttributeValues.items()}
        self.tables.setdefault(TableName, {}).setdefault(_key(Key), dict(Key)).update(changed)
        return {}

    def delete_item(self, *, TableName: str, Key: Item, **_: Any) -> Item:
        self._count("DeleteItem")
        self.tables.get(TableName, {}).pop(_key(Key), None)
        return {}

    def transact_write_items(self, *, TransactItems: list[Any]) -> Item:
        self._count("TransactWriteItems")
        assert len(TransactItems) <= 100
        return {}


def _key(item: Item) -> str:
    key: str = next(item[name]["S"] for name in ("name", "id", "deployment") if name in item)
    return key


class MemoryCloudWatch(_Counting):
    """Something in each of the last four minutes, for every deployment that isn't ``quiet``."""

    def __init__(self, calls: Counter[str], quiet: set[str]) -> None:
        super().__init__(calls)
        self._quiet = quiet

    def get_metric_data(self, *, MetricDataQueries: list[Any], EndTime: datetime, **_: Any) -> Item:
        self._count("GetMetricData")
        assert len(MetricDataQueries) <= 500
        times = [EndTime - timedelta(minutes=minutes) for minutes in range(1, 5)]
        return {"MetricDataResults": [self._result(query, times) for query in MetricDataQueries]}

    def _result(self, query: Item, times: list[datetime]) -> Item:
        name = query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
        seen = [] if name in self._quiet else times
        return {"Id": query["Id"], "Timestamps": seen, "Values": [3.0] * len(seen)}


class _Pages(_Counting):
    """A paginator over answers that are made up as they are asked for."""

    def __init__(self, calls: Counter[str], operation: str, pages: Any) -> None:
        super().__init__(calls)
        self._operation, self._pages = operation, pages

    def paginate(self, **arguments: Any) -> Iterator[Item]:
        for page in self._pages(**arguments):
            self._count(self._operation)
            yield page


class MemoryAutoScaling(_Counting):
    """One healthy instance in every group that is asked about."""

    def get_paginator(self, _operation: str) -> _Pages:
        return _Pages(self._calls, "DescribeAutoScalingGroups", self._groups)

    def _groups(self, *, AutoScalingGroupNames: list[str], **_: Any) -> Iterable[Item]:
        instance = {"LifecycleState": "InService", "HealthStatus": "Healthy", "InstanceType": "g6e.xlarge"}
        groups = [
            {"AutoScalingGroupName": name, "DesiredCapacity": 1, "Instances": [{**instance, "InstanceId": f"i-{name}"}]}
            for name in AutoScalingGroupNames
        ]
        return [{"AutoScalingGroups": groups}]


class MemoryEc2(_Counting):
    """The one instance of each of these fleets, which has run for a day, 1,000 a page."""

    def __init__(self, calls: Counter[str], prefix: str, deployments: list[str], now: datetime) -> None:
        super().__init__(calls)
        self._prefix, self._names, self._launched = prefix, deployments, now - timedelta(days=1)

    def get_paginator(self, _operation: str) -> _Pages:
        return _Pages(self._calls, "DescribeInstances", self._instances)

    def _instances(self, **_: Any) -> Iterator[Item]:
        for start in range(0, max(len(self._names), 1), 1000):
            found = [self._instance(name) for name in self._names[start : start + 1000]]
            yield {"Reservations": [{"Instances": found}]}

    def _instance(self, name: str) -> Item:
        return {
            "InstanceId": f"i-{self._prefix}{name}",
            "InstanceType": "g6e.xlarge",
            "LaunchTime": self._launched,
            "State": {"Name": "running"},
            "Tags": [{"Key": "spillway:deployment", "Value": name}],
        }


class MemorySageMaker(_Counting):
    """Endpoints of one instance with inference components, in service for a day, 100 a page."""

    def __init__(self, calls: Counter[str], names: list[str], now: datetime) -> None:
        super().__init__(calls)
        self._names, self._since = names, now - timedelta(days=1)

    def get_paginator(self, operation: str) -> _Pages:
        if operation == "list_endpoints":
            return _Pages(self._calls, "ListEndpoints", self._endpoints)
        return _Pages(self._calls, "ListInferenceComponents", self._components)

    def describe_endpoint(self, *, EndpointName: str) -> Item:
        self._count("DescribeEndpoint")
        return {**self._endpoint(EndpointName), "ProductionVariants": [{"CurrentInstanceCount": 1}]}

    def _components(self, **_: Any) -> Iterator[Item]:
        for names in self._batches():
            found = [
                {"InferenceComponentName": name, "InferenceComponentStatus": "InService", **self._times()}
                for name in names
            ]
            yield {"InferenceComponents": found}

    def _endpoints(self, **_: Any) -> Iterator[Item]:
        for names in self._batches():
            yield {"Endpoints": [self._endpoint(name) for name in names]}

    def _endpoint(self, name: str) -> Item:
        return {"EndpointName": name, "EndpointStatus": "InService", **self._times()}

    def _times(self) -> Item:
        return {"CreationTime": self._since, "LastModifiedTime": self._since}

    def _batches(self) -> Iterator[list[str]]:
        for start in range(0, max(len(self._names), 1), 100):
            yield self._names[start : start + 100]


class MemoryMessages(_Counting):
    """SNS, EventBridge and Step Functions: they take everything."""

    exceptions = _Exceptions

    def publish(self, **_: Any) -> Item:
        self._count("Publish")
        return {}

    def put_events(self, **_: Any) -> Item:
        self._count("PutEvents")
        return {"FailedEntryCount": 0}

    def start_execution(self, **_: Any) -> Item:
        self._count("StartExecution")
        return {"executionArn": "arn"}
