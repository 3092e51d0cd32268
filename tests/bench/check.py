"""One check at 10, 1,000 and 10,000 deployments: its duration on this machine, and its AWS calls by operation.

The adapters are the product's; the clients under them answer at once from memory, so the seconds are our own code's
share and the calls are what AWS would see. Three looks are shown: the first after a deploy of the control plane, which
notes a decision for every deployment; the one a minute later, where nothing has changed; and one in which every fleet
and endpoint has lost its capacity at once.
"""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from spillway.adapters.aws.event_bus import EventBus
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.adapters.aws.workflows import StepFunctions
from spillway.adapters.dynamodb.checks_table import ChecksTable
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable, item_of
from spillway.adapters.dynamodb.loads_table import LoadsTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.adapters.observe.capacity_reader import AwsCapacityReader
from spillway.adapters.observe.engine_metrics import EngineMetrics
from spillway.adapters.observe.loads import Loads
from spillway.domain.alerts.alert import Topic
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.status import Status
from spillway.domain.paths.path import Path
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.domain.pricing.price_book import price_book
from spillway.domain.routing.route_for_status import route_of
from spillway.services.check import Check
from tests.bench.memory_aws import (
    MemoryAutoScaling,
    MemoryCloudWatch,
    MemoryDynamoDB,
    MemoryEc2,
    MemoryMessages,
    MemorySageMaker,
    tell_loads,
)
from tests.builders import SPILL_MODEL, a_spec

SIZES = (10, 1_000, 10_000)
STACK, REGION = "spillway", "us-east-1"
START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
# Of ten deployments: five fleets that serve, two that sleep, two endpoints, one model on Bedrock.
_MIX = (
    *[(Path.FLEET, Status.SERVING)] * 5,
    *[(Path.FLEET, Status.ASLEEP)] * 2,
    *[(Path.JUMPSTART, Status.SERVING)] * 2,
)
MIX = (*_MIX, (Path.BEDROCK, Status.SERVING))


class _World:
    def __init__(self, size: int) -> None:
        self.now = START
        self.calls: Counter[str] = Counter()
        self.dynamodb = MemoryDynamoDB(self.calls)
        deployments = [_deployment(number) for number in range(size)]
        self.dynamodb.tables["deployments"] = {each.name: item_of(each) for each in deployments}
        self.asked = {
            each.name: int(each.spec.path is Path.FLEET) for each in deployments if each.status is Status.SERVING
        }
        endpoints = [Names(STACK, each.name).base for each in deployments if each.spec.path is Path.JUMPSTART]
        asleep = {Names(STACK, each.name).base for each in deployments if each.status is Status.ASLEEP}
        self.autoscaling: Any = MemoryAutoScaling(self.calls, asleep)
        self.sagemaker: Any = MemorySageMaker(self.calls, endpoints, START)
        serving = [each.name for each in deployments if each.status is Status.SERVING and each.spec.path is Path.FLEET]
        self.ec2: Any = MemoryEc2(self.calls, f"{STACK}-", serving, START)
        routes = RoutesTable(self.dynamodb, "routes")  # type: ignore[arg-type]
        for deployment in deployments:
            routes.put(route_of(deployment))
        self.check = self._check()

    def look(self) -> tuple[float, Counter[str], int]:
        """Look once; return the seconds, the calls by operation, and the deployments that failed."""
        for name, instances in self.asked.items():
            tell_loads(self.dynamodb, name, instances, self.now)
        self.calls.clear()
        started = time.perf_counter()
        looked = self.check.run("bench")
        seconds = time.perf_counter() - started
        self.now += timedelta(minutes=1)
        assert looked is not None
        return seconds, Counter(self.calls), looked.failed

    def lose_everything(self) -> None:
        self.autoscaling._groups = lambda **_: []
        self.sagemaker._names = []
        self.ec2._names = []

    def _check(self) -> Check:
        dynamodb: Any = self.dynamodb
        messages: Any = MemoryMessages(self.calls)
        cloudwatch: Any = MemoryCloudWatch(self.calls)
        return Check(
            deployments=DeploymentsTable(dynamodb, "deployments"),
            routes=RoutesTable(dynamodb, "routes"),
            decisions=DecisionsTable(dynamodb, "decisions"),
            memories=ChecksTable(dynamodb, "checks"),
            instance_times=UsageTable(dynamodb, "usage"),
            loads=Loads(LoadsTable(dynamodb, "loads"), EngineMetrics(cloudwatch)),
            capacities=AwsCapacityReader(STACK, self.autoscaling, self.sagemaker, self.ec2),
            workflows=StepFunctions(messages, {"scale": "arn"}),
            alerts=SnsAlerts(messages, dict.fromkeys(Topic, "arn")),
            events=EventBus(messages, "bus"),
            prices=price_book,
            region=REGION,
            now=lambda: self.now,
        )


def run() -> list[tuple[str, ...]]:
    """Return a header and one row a look: deployments, look, seconds, calls in all, calls by operation."""
    rows: list[tuple[str, ...]] = [("deployments", "look", "seconds", "calls", "by operation")]
    for size in SIZES:
        for look, (seconds, calls, failed) in _looks(size):
            assert failed == 0
            by_operation = ", ".join(f"{operation} {count}" for operation, count in calls.most_common())
            rows.append((f"{size:,}", look, f"{seconds:.2f}", f"{calls.total():,}", by_operation))
    return rows


def _looks(size: int) -> Iterator[tuple[str, tuple[float, Counter[str], int]]]:
    world = _World(size)
    yield "first", world.look()
    yield "steady", world.look()
    world.lose_everything()
    yield "all lost", world.look()


def _deployment(number: int) -> Deployment:
    name = f"model-{number:05d}"
    path, status = MIX[number % len(MIX)]
    return Deployment(
        spec=a_spec(name=name, path=path, budget={"usd_per_month": 100_000}),
        status=status,
        status_reason="As the last workflow left it.",
        created_at=START - timedelta(days=30),
        updated_at=START - timedelta(days=1),
        desired=0 if status is Status.ASLEEP else 1,
        target=target_of(path, name),
        resources={"instance_type": "g6e.xlarge"},
    )


def target_of(path: Path, name: str) -> Target:
    """Return where a deployment on a path answers."""
    match path:
        case Path.FLEET:
            return FleetTarget(name)
        case Path.JUMPSTART:
            base = Names(STACK, name).base
            return SageMakerTarget(base, base)
        case Path.BEDROCK:
            return BedrockTarget(SPILL_MODEL, "converse")
        case Path.IMPORT:
            return ImportedTarget(f"arn:aws:bedrock:us-east-1:123456789012:imported-model/{name}", 2)


if __name__ == "__main__":
    for row in run():
        print("  ".join(row))
