"""What the stack costs a month while nobody uses it, and what each deployment adds: counted, at list prices.

What stands (alarms, secrets, schedules, memory sizes) is read off the template. What a run calls is counted: the check,
the review, the sweep and the refresh, as their functions build them, run through an hour over clients that answer from
memory, and each call's units are added up as DynamoDB and CloudWatch bill them. No free tier is taken off.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from spillway.adapters.dynamodb.deployments_table import item_of
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.bootstrap.check import check_service
from spillway.bootstrap.review import review_costs_service, sweep_services
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.status import Status
from spillway.domain.paths.path import Path
from spillway.domain.pricing.price_book import price_book
from spillway.domain.pricing.price_layers import PriceTable, Reading
from spillway.domain.pricing.updates import names_in, numbers
from spillway.domain.routing.route_for_status import route_of
from spillway.settings import Settings
from tests.bench.check import REGION, STACK, START, target_of
from tests.bench.memory_aws import (
    MemoryAutoScaling,
    MemoryCloudWatch,
    MemoryDynamoDB,
    MemoryEc2,
    MemoryMessages,
    MemorySageMaker,
    tell_loads,
)
from tests.builders import a_spec
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import transformed

HOURS = 730
RUNS = {"rate(1 minute)": 60 * HOURS, "rate(1 hour)": HOURS, "cron(15 * * * ? *)": HOURS, "rate(1 day)": HOURS // 24}
# Assumed, since only an account can tell: seconds that Lambda bills a run for by its schedule, and bytes of its log.
SECONDS = {"rate(1 minute)": 0.25, "rate(1 hour)": 1.0, "cron(15 * * * ? *)": 1.0, "rate(1 day)": 60.0}
LOG_GB_A_RUN = 1e-6
# USD that the product's price book has no use for: third-party transcriptions of the price pages, us-east-1, 2026-11.
EXTRA_USD = {"secret_month": 0.40, "metric_read": 1e-5}
_TABLES = ("deployments", "routes", "decisions", "usage", "checks", "loads", "prices", "reviews")
_ENVIRONMENT = {
    **{f"{name.upper()}_TABLE": name for name in _TABLES},
    "SPILLWAY_STACK": STACK,
    "AWS_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "SCALE_WORKFLOW_ARN": "arn",
    "EVENT_BUS": "bus",
    "SCALE_TOPIC_ARN": "arn",
    "COST_TOPIC_ARN": "arn",
    "OPERATIONS_TOPIC_ARN": "arn",
}


@dataclass(frozen=True)
class Item:
    """One line of a bill: so many units a month of something with a price."""

    name: str
    units: float
    unit: str
    usd_per_unit: float

    @property
    def usd(self) -> float:
        """What it costs a month."""
        return self.units * self.usd_per_unit


@dataclass
class Counted:
    """Units that calls are billed by."""

    reads: float = 0.0
    writes: float = 0.0
    metrics: float = 0.0
    messages: float = 0.0

    def __sub__(self, other: "Counted") -> "Counted":
        pairs = ((getattr(self, name), getattr(other, name)) for name in vars(self))
        return Counted(*(mine - others for mine, others in pairs))


@dataclass
class World:
    """An account in memory with these deployments; those in ``asked`` have requests every minute."""

    deployments: tuple[Deployment, ...] = ()
    asked: bool = False
    now: datetime = START
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        names = {each.name: Names(STACK, each.name).base for each in self.deployments}
        sleeping = {names[each.name] for each in self.deployments if each.status is Status.ASLEEP}
        endpoints = [names[each.name] for each in self.deployments if each.spec.path is Path.JUMPSTART]
        self.fleets = [
            each.name for each in self.deployments if each.spec.path is Path.FLEET and names[each.name] not in sleeping
        ]
        self.dynamodb = MemoryDynamoDB(self.calls)
        self.cloudwatch = MemoryCloudWatch(self.calls)
        self.clients: Mapping[str, Any] = {
            "dynamodb": self.dynamodb,
            "cloudwatch": self.cloudwatch,
            "autoscaling": MemoryAutoScaling(self.calls, sleeping),
            "ec2": MemoryEc2(self.calls, f"{STACK}-", self.fleets, START),
            "sagemaker": MemorySageMaker(self.calls, endpoints, START, sleeping),
        }
        self.dynamodb.tables["deployments"] = {each.name: item_of(each) for each in self.deployments}
        routes = RoutesTable(self.dynamodb, "routes")  # type: ignore[arg-type]
        for each in self.deployments:
            routes.put(route_of(each))
        self._refresh()

    def hour(self) -> Counted:
        """Run an hour of looks, one review and one sweep, and return what they were billed by."""
        with ExitStack() as stack:
            for module in ("check", "common", "review"):
                stack.enter_context(patch(f"spillway.bootstrap.{module}.client", self._client))
            stack.enter_context(patch("spillway.clock.utc_now", lambda: self.now))
            settings = Settings(_ENVIRONMENT)
            check = check_service(settings)
            hourly = (review_costs_service(settings), *sweep_services(settings))
            self._look(check, 5)
            before = self._counted()
            self._look(check, 60)
            for service in hourly:
                service.run()
            return self._counted() - before

    def _look(self, check: Any, times: int) -> None:
        for _ in range(times):
            self.now += timedelta(minutes=1)
            for each in self.deployments:
                if each.name in self.fleets or self.asked:
                    tell_loads(self.dynamodb, each.name, int(each.name in self.fleets), self.now, asked=self.asked)
            check.run("bench")

    def _counted(self) -> Counted:
        messages = sum(self.calls[name] for name in ("Publish", "PutEvents", "StartExecution"))
        return Counted(self.dynamodb.read_units, self.dynamodb.write_units, self.cloudwatch.metrics, messages)

    def _client(self, service: str, _region: str | None = None, **_: Any) -> Any:
        return self.clients.get(service) or MemoryMessages(self.calls)

    def _refresh(self) -> None:
        """Store what a day's refresh would: the packaged book's own prices."""
        table, book = PricesTable(self.dynamodb, "prices"), price_book()  # type: ignore[arg-type]
        for each in PriceTable:
            if each not in (PriceTable.IMPORTS, PriceTable.PLATFORM):
                usd = {name: numbers(price) for name, price in names_in(book, each).items()}
                table.put_reading(Reading(each, usd, "AWS Price List", START))


def idle_month() -> list[Item]:
    """Return the bill of a month without deployments and without requests."""
    template = StaticStack(transformed())
    world = World()
    refreshed, counted = world.dynamodb.write_units, world.hour()
    runs = list(_scheduled(template))
    writes = counted.writes * HOURS + refreshed * RUNS["rate(1 day)"]
    total = sum(RUNS[schedule] for schedule, _ in runs)
    gb_seconds = sum(RUNS[schedule] * SECONDS[schedule] * megabytes / 1024 for schedule, megabytes in runs)
    metrics = sum(
        len(template.properties(name).get("Metrics", [None])) for name in template.of_type("AWS::CloudWatch::Alarm")
    )
    return [
        _item("secret of the first admin key", len(template.of_type("AWS::SecretsManager::Secret")), "secret_month"),
        _item("alarms, by the metric", metrics, "cloudwatch_alarm_month"),
        _item("schedules", total, "scheduler_invocation"),
        _item("their functions' starts", total, "lambda_request"),
        _item("their functions' time", gb_seconds, "lambda_gb_second_arm64"),
        _item("DynamoDB writes", writes, "dynamodb_write"),
        _item("DynamoDB reads", counted.reads * HOURS, "dynamodb_read"),
        _item("metrics read", counted.metrics * HOURS, "metric_read"),
        _item("logs", total * LOG_GB_A_RUN, "cloudwatch_logs_gb"),
    ]


def deployment_months() -> dict[str, list[Item]]:
    """Return what one deployment adds to that, by what it is and does; its requests and instances are not in it."""
    idle = World().hour()
    return {name: _added(World((deployment,), asked), idle) for name, deployment, asked in _deployments()}


def _added(world: World, idle: Counted) -> list[Item]:
    added = world.hour() - idle
    told = 60.0 * len(world.fleets)
    return [
        _item("DynamoDB reads", added.reads * HOURS, "dynamodb_read"),
        _item("DynamoDB writes", added.writes * HOURS, "dynamodb_write"),
        _item("its instances' words", told * HOURS, "dynamodb_write"),
        _item("metrics read", added.metrics * HOURS, "metric_read"),
        _item("custom metrics", 0, "cloudwatch_metric_month"),
        _item("events and alerts", added.messages * HOURS, "eventbridge_custom_event"),
    ]


def _deployments() -> Iterator[tuple[str, Deployment, bool]]:
    budget = {"usd_per_month": 100_000}
    sized = {"min": 0, "max": 1, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 1_000_000}
    yield "bedrock", _deployment(Path.BEDROCK, Status.SERVING), False
    yield "bedrock, budget, busy", _deployment(Path.BEDROCK, Status.SERVING, budget=budget), True
    yield "import, busy", _deployment(Path.IMPORT, Status.SERVING, budget=budget), True
    yield "jumpstart, asleep", _deployment(Path.JUMPSTART, Status.ASLEEP), False
    yield "jumpstart, busy", _deployment(Path.JUMPSTART, Status.SERVING, budget=budget), True
    yield "fleet, asleep", _deployment(Path.FLEET, Status.ASLEEP), False
    awake = {"thresholds": {"idle_after_seconds": 604_800}}
    yield "fleet, awake, idle", _deployment(Path.FLEET, Status.SERVING, **awake), False
    yield "fleet, weighed, busy", _deployment(Path.FLEET, Status.SERVING, budget=budget, capacity=sized), True


def _deployment(path: Path, status: Status, **spec: Any) -> Deployment:
    name = f"a-{path}"
    if path is Path.IMPORT:
        spec["model"] = {"id": "meta-llama/Llama-3.1-8B-Instruct", "weights": "s3://weights/llama/"}
    return Deployment(
        spec=a_spec(name=name, path=path, **spec),
        status=status,
        status_reason="As the last workflow left it.",
        created_at=START - timedelta(days=30),
        updated_at=START - timedelta(days=1),
        desired=0 if status is Status.ASLEEP else 1,
        target=target_of(path, name),
        resources={"instance_type": "g6e.xlarge"},
        cold_start_seconds=300.0,
    )


def _scheduled(template: StaticStack) -> Iterator[tuple[str, int]]:
    """Return each schedule's expression, and the megabytes of the function that it starts."""
    memory = {
        template.resolve({"Fn::GetAtt": [name, "Arn"]}): template.properties(name)["MemorySize"]
        for name in template.of_type("AWS::Lambda::Function")
    }
    for name in template.of_type("AWS::Scheduler::Schedule"):
        schedule = template.properties(name)
        if schedule.get("State") == "DISABLED":
            continue
        yield schedule["ScheduleExpression"], memory[schedule["Target"]["Arn"]]


def _item(name: str, units: float, unit: str) -> Item:
    platform = price_book().platform
    return Item(name, units, unit, platform[unit].usd if unit in platform else EXTRA_USD[unit])


def usd(items: Sequence[Item]) -> float:
    """Return a bill's sum."""
    return sum(item.usd for item in items)


def seconds_for_a_dollar(items: Sequence[Item]) -> float:
    """Return how long each look of the check might be billed for, until an idle month costs a dollar."""
    every_minute = "rate(1 minute)"
    second = RUNS[every_minute] * 0.5 * price_book().platform["lambda_gb_second_arm64"].usd
    return SECONDS[every_minute] + (1 - usd(items)) / second


def run() -> list[tuple[str, ...]]:
    """Return a header, a row an item of the idle month, and a row a deployment with what of it is reading."""
    items = idle_month()
    rows: list[tuple[str, ...]] = [("a month of", "item", "units", "USD a unit", "USD")]
    rows += [_row("nothing", item) for item in items]
    rows.append(("nothing", "altogether", "", "", f"{usd(items):.3f}"))
    rows.append(("nothing", "a dollar, were each look billed for", f"{seconds_for_a_dollar(items):.2f} s", "", "1.000"))
    for name, added in deployment_months().items():
        rows += [_row(name, item) for item in added if item.units]
        rows.append((name, "altogether", "", "", f"{usd(added):.3f}"))
    return rows


def _row(month: str, item: Item) -> tuple[str, ...]:
    price = re.sub(r"0+$", "", f"{item.usd_per_unit:.10f}")
    return month, item.name, f"{item.units:,.3f}" if item.units < 1 else f"{item.units:,.0f}", price, f"{item.usd:.3f}"
