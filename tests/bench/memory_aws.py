"""AWS clients that answer the check from memory and count their calls, behind the product's own adapters."""

# ruff: noqa: N803 — boto3 names its arguments like this.

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from spillway.adapters.dynamodb.load_keys import block_of, counter, engines_id, traffic_id

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
    """Tables by name, items by key; a scan answers at most a megabyte, a batch what it was asked.

    ``read_units`` and ``write_units`` are what AWS bills of it on demand: 4 KB of a consistent read or half of another
    one, a KB of a write, twice that in a transaction, and at least one unit a call and key.
    """

    exceptions = _Exceptions

    def __init__(self, calls: Counter[str]) -> None:
        super().__init__(calls)
        self.tables: dict[str, dict[str, Item]] = {}
        self.read_units, self.write_units = 0.0, 0.0

    def scan(
        self, *, TableName: str, ExclusiveStartKey: str | None = None, ConsistentRead: bool = False, **_: Any
    ) -> Item:
        self._count("Scan")
        found = self._scanned(TableName, ExclusiveStartKey)
        self._read(found["Items"], 1.0 if ConsistentRead else 0.5)
        return found

    def query(self, *, TableName: str, ExpressionAttributeValues: Item, **_: Any) -> Item:
        """Answer every item of a partition: what the range leaves out is not much."""
        self._count("Query")
        wanted = ExpressionAttributeValues[":deployment"]
        found = [item for item in self.tables.get(TableName, {}).values() if item.get("deployment") == wanted]
        self._read(found, 0.5)
        return {"Items": found}

    def _scanned(self, TableName: str, ExclusiveStartKey: str | None) -> Item:
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
        keys = [_key(key) for key in request["Keys"]]
        stored = self.tables.get(table, {})
        for key in keys:
            self._read([stored[key]] if key in stored else [], 1.0 if request.get("ConsistentRead") else 0.5)
        return {"Responses": {table: [stored[key] for key in keys if key in stored]}}

    def put_item(self, *, TableName: str, Item: Item, **_: Any) -> Item:
        self._count("PutItem")
        self.tables.setdefault(TableName, {})[_key(Item)] = Item
        self._written(Item)
        return {}

    def update_item(self, *, TableName: str, Key: Item, ExpressionAttributeValues: Item, **_: Any) -> Item:
        self._count("UpdateItem")
        changed = {name.removeprefix(":"): value for name, value in ExpressionAttributeValues.items()}
        item = self.tables.setdefault(TableName, {}).setdefault(_key(Key), dict(Key))
        item.update(changed)
        self._written(item)
        return {}

    def delete_item(self, *, TableName: str, Key: Item, **_: Any) -> Item:
        self._count("DeleteItem")
        self._written(self.tables.get(TableName, {}).pop(_key(Key), Key))
        return {}

    def transact_write_items(self, *, TransactItems: list[Any]) -> Item:
        self._count("TransactWriteItems")
        assert len(TransactItems) <= 100
        for each in TransactItems:
            update = each["Update"]
            values = {name.removeprefix(":"): value for name, value in update["ExpressionAttributeValues"].items()}
            self._written({**update["Key"], **values}, 2.0)
        return {}

    def _read(self, items: Iterable[Item], units: float) -> None:
        self.read_units += units * max(1, math.ceil(sum(map(size_of, items)) / 4096))

    def _written(self, item: Item, units: float = 1.0) -> None:
        self.write_units += units * max(1, math.ceil(size_of(item) / 1024))


def size_of(item: Item) -> int:
    """Return an item's bytes as DynamoDB counts them, roughly: names, texts, and a byte for two digits of a number."""
    return sum(len(name) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 2
        case "M":
            return 3 + size_of(content) + len(content)
        case "L":
            return 3 + sum(_value_size(each) + 1 for each in content)
        case _:
            return 1


def _key(item: Item) -> str:
    parts = [item[name]["S"] for name in ("name", "id", "deployment", "bucket", "at") if name in item]
    return "#".join(parts)


class MemoryCloudWatch(_Counting):
    """Knows no metric, and counts how many it was asked for: they are what is billed."""

    metrics = 0

    def get_metric_data(self, *, MetricDataQueries: list[Any], **_: Any) -> Item:
        self._count("GetMetricData")
        assert len(MetricDataQueries) <= 500
        self.metrics += len(MetricDataQueries)
        return {"MetricDataResults": [{"Id": each["Id"], "Timestamps": [], "Values": []} for each in MetricDataQueries]}


def tell_loads(dynamodb: MemoryDynamoDB, name: str, instances: int, now: datetime, *, asked: bool = True) -> None:
    """Leave what the check finds of a deployment, which was ``asked`` in each of the last four minutes or in none."""
    table = dynamodb.tables.setdefault("loads", {})
    this = int(now.timestamp()) // 60
    for minute in range(this - 3, this + 1) if asked else ():
        item = table.setdefault(traffic_id(name, block_of(minute)), {"id": {"S": traffic_id(name, block_of(minute))}})
        item |= {counter(field, minute): {"N": "3"} for field in ("requests", "primary_requests")}
        item |= {counter(field, minute): {"N": "90000"} for field in ("primary_tokens", "bedrock_prompt_tokens")}
    if instances:
        told = {"at": this * 60, "running": 3, "waiting": 0, "cache": 0.25}
        gauges = {"M": {field: {"N": str(value)} for field, value in told.items()}}
        item_id = engines_id(name, block_of(this))
        table[item_id] = {"id": {"S": item_id}, **{f"i-0{number:016x}": gauges for number in range(instances)}}


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
    """One healthy instance in every group that is asked about and not ``asleep``."""

    def __init__(self, calls: Counter[str], asleep: Set[str] = frozenset()) -> None:
        super().__init__(calls)
        self._asleep = asleep

    def get_paginator(self, _operation: str) -> _Pages:
        return _Pages(self._calls, "DescribeAutoScalingGroups", self._groups)

    def _groups(self, *, AutoScalingGroupNames: Sequence[str] = (), **_: Any) -> Iterable[Item]:
        instance = {"LifecycleState": "InService", "HealthStatus": "Healthy", "InstanceType": "g6e.xlarge"}
        groups = []
        for name in AutoScalingGroupNames:
            instances = [] if name in self._asleep else [{**instance, "InstanceId": f"i-{name}"}]
            groups.append({"AutoScalingGroupName": name, "DesiredCapacity": len(instances), "Instances": instances})
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
    """Endpoints with inference components, in service for a day, 100 a page; of one instance but those ``asleep``."""

    def __init__(self, calls: Counter[str], names: list[str], now: datetime, asleep: Set[str] = frozenset()) -> None:
        super().__init__(calls)
        self._names, self._since, self._asleep = names, now - timedelta(days=1), asleep

    def get_paginator(self, operation: str) -> _Pages:
        if operation == "list_endpoints":
            return _Pages(self._calls, "ListEndpoints", self._endpoints)
        if operation == "list_tags":
            return _Pages(self._calls, "ListTags", lambda **_: [{"Tags": []}])
        return _Pages(self._calls, "ListInferenceComponents", self._components)

    def describe_endpoint(self, *, EndpointName: str) -> Item:
        self._count("DescribeEndpoint")
        instances = int(EndpointName not in self._asleep)
        return {**self._endpoint(EndpointName), "ProductionVariants": [{"CurrentInstanceCount": instances}]}

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
    """SNS, EventBridge and Step Functions: they take everything, and every topic has one subscriber."""

    exceptions = _Exceptions

    def get_paginator(self, _operation: str) -> _Pages:
        pages = [{"Subscriptions": [{"SubscriptionArn": "arn"}]}]
        return _Pages(self._calls, "ListSubscriptionsByTopic", lambda **_: pages)

    def publish(self, **_: Any) -> Item:
        self._count("Publish")
        return {}

    def put_events(self, **_: Any) -> Item:
        self._count("PutEvents")
        return {"FailedEntryCount": 0}

    def start_execution(self, **_: Any) -> Item:
        self._count("StartExecution")
        return {"executionArn": "arn"}
