"""In-memory forms of every port, held to the adapters by the contract suites in ``tests/contract``."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, TypeVar

from spillway.domain.access.keys import Key
from spillway.domain.alerts.alert import Alert, Topic
from spillway.domain.alerts.subscribers import Subscribers
from spillway.domain.benchmarks.record import Benchmark
from spillway.domain.costs.aws_bill import Billed
from spillway.domain.costs.credits import CreditLedger
from spillway.domain.decision import Decision
from spillway.domain.deployments.deployment import Deployment, Inventory
from spillway.domain.deployments.findings import Findings
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Conflict, InvalidRequest, NotFound, Superseded
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.hours import month_of
from spillway.domain.observations.signals import Signal
from spillway.domain.observations.traffic import Load
from spillway.domain.observations.usage import (
    CHECKS,
    HourOfInstances,
    HourOfTraffic,
    Hours,
    InstanceTime,
    InstanceUse,
    Traffic,
    Usage,
)
from spillway.domain.paths.bedrock_models import AskedModel, CalledModel
from spillway.domain.paths.targets import FleetTarget, Target
from spillway.domain.pricing.price_layers import Override, Reading, StoredPrices
from spillway.domain.review.record import Review
from spillway.domain.routing.route import Route
from spillway.domain.scaling.check_state import Memory

T = TypeVar("T")


def _page(items: Sequence[T], limit: int, cursor: str | None) -> tuple[Sequence[T], str | None]:
    if cursor is not None and not cursor.isdigit():
        raise InvalidRequest("cursor is not one that this API gave out", param="cursor")
    start = int(cursor or 0)
    end = start + limit
    return items[start:end], str(end) if end < len(items) else None


class FakeDeployments:
    """``unreadable`` names the records that only another version could read."""

    def __init__(self, *deployments: Deployment) -> None:
        self.items = {deployment.name: deployment for deployment in deployments}
        self.unreadable: set[str] = set()

    def get(self, name: str) -> Deployment:
        if name not in self.items:
            raise NotFound(f"no deployment is named '{name}'", param="name")
        return self.items[name]

    def create(self, deployment: Deployment) -> None:
        present = self.items.get(deployment.name)
        if present is not None and present.status is not Status.RETIRED and present != deployment:
            raise Conflict(f"the name '{deployment.name}' is in use", param="name", code="name_in_use")
        self.items[deployment.name] = deployment

    def update(self, deployment: Deployment) -> Deployment:
        present = self.items.get(deployment.name)
        written = replace(deployment, version=deployment.version + 1)
        if present != written and (present is None or present.version != deployment.version):
            raise Superseded(f"deployment '{deployment.name}' was changed by somebody else")
        self.items[deployment.name] = written
        return written

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Deployment], str | None]:
        return _page(self.all().deployments, limit, cursor)

    def all(self) -> Inventory:
        readable = [self.items[name] for name in sorted(self.items) if name not in self.unreadable]
        return Inventory(readable, sorted(self.unreadable))


class FakeRoutes:
    def __init__(self, *routes: Route) -> None:
        self.items = {route.name: route for route in routes}

    def get(self, name: str) -> Route | None:
        return self.items.get(name)

    def put(self, route: Route) -> None:
        present = self.items.get(route.name)
        written = replace(route, version=route.version + 1)
        if present != written and (present.version if present else 0) != route.version:
            raise Superseded(f"the route of '{route.name}' was changed by somebody else")
        self.items[route.name] = written

    def delete(self, name: str) -> None:
        self.items.pop(name, None)

    def get_many(self, names: Sequence[str]) -> Mapping[str, Route]:
        return {name: self.items[name] for name in names if name in self.items}


class FakeDecisions:
    def __init__(self) -> None:
        self.items: dict[str, list[tuple[datetime, Decision]]] = {}

    def add(self, deployment: str, decision: Decision, now: datetime) -> None:
        taken = self.items.setdefault(deployment, [])
        if (now, decision) not in taken:
            taken.append((now, decision))

    def page(
        self, deployment: str, limit: int, cursor: str | None
    ) -> tuple[Sequence[tuple[datetime, Decision]], str | None]:
        newest_first = sorted(self.items.get(deployment, []), key=lambda entry: entry[0], reverse=True)
        return _page(newest_first, limit, cursor)


class FakeBenchmarks:
    """``to_stop`` holds the ids that the stop button was pressed for."""

    def __init__(self, *benchmarks: Benchmark) -> None:
        self.items = {(one.deployment, one.id): one for one in benchmarks}
        self.to_stop: set[tuple[str, str]] = set()

    def create(self, benchmark: Benchmark) -> None:
        if self.items.setdefault((benchmark.deployment, benchmark.id), benchmark) != benchmark:
            raise Conflict(f"{benchmark.deployment} has a benchmark {benchmark.id} already")

    def get(self, deployment: str, benchmark: str) -> Benchmark:
        if (deployment, benchmark) not in self.items:
            raise NotFound(f"{deployment} has no benchmark '{benchmark}'", param="id")
        return self.items[deployment, benchmark]

    def save(self, benchmark: Benchmark) -> None:
        present = self.items.get((benchmark.deployment, benchmark.id))
        if present != benchmark and (present is None or not present.is_open):
            raise Superseded(f"benchmark {benchmark.id} of {benchmark.deployment} has ended")
        self.items[benchmark.deployment, benchmark.id] = benchmark

    def delete(self, deployment: str, benchmark: str) -> None:
        self.items.pop((deployment, benchmark), None)

    def ask_to_stop(self, deployment: str, benchmark: str, now: datetime) -> None:
        present = self.items.get((deployment, benchmark))
        if present is None or not present.is_open:
            raise Conflict(f"benchmark {benchmark} of {deployment} has ended already")
        self.to_stop.add((deployment, benchmark))

    def is_to_stop(self, deployment: str, benchmark: str) -> bool:
        self.get(deployment, benchmark)
        return (deployment, benchmark) in self.to_stop

    def page(self, deployment: str, limit: int, cursor: str | None) -> tuple[Sequence[Benchmark], str | None]:
        newest_first = sorted((key for key in self.items if key[0] == deployment), reverse=True)
        return _page([self.items[key] for key in newest_first], limit, cursor)


class FakeKeys:
    def __init__(self, *keys: Key) -> None:
        self.items = {key.id: key for key in keys}

    def get(self, key_id: str) -> Key | None:
        return self.items.get(key_id)

    def find(self, secret_id: str) -> Key | None:
        found = (key for key in self.items.values() if secret_id in key.secret_ids | {key.id})
        return next(found, None)

    def put(self, key: Key) -> None:
        self.items[key.id] = key

    def replace(self, key: Key) -> None:
        if key.id not in self.items or self.items[key.id].version != key.version - 1:
            raise Superseded("the key has changed")
        self.items[key.id] = key

    def delete(self, key_id: str) -> None:
        if key_id not in self.items:
            raise NotFound(f"no key has the id '{key_id}'", param="id")
        del self.items[key_id]

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Key], str | None]:
        return _page([self.items[key] for key in sorted(self.items)], limit, cursor)


class FakeUsageLog:
    """Instance time as it was put, and traffic as a test puts it by (deployment, month)."""

    def __init__(self) -> None:
        self.traffic: dict[tuple[str, str], dict[tuple[str, str], Traffic]] = {}
        self.times: dict[tuple[str, datetime, str, str, str], InstanceTime] = {}
        self.by_hour: dict[str, list[HourOfTraffic]] = {}

    def hours(self, deployment: str, since: datetime, until: datetime) -> Hours:
        instances: dict[tuple[datetime, str, str], InstanceUse] = {}
        for entry in self.times.values():
            if entry.deployment == deployment and since <= entry.hour < until:
                key = (entry.hour, entry.path, entry.instance_type)
                instances[key] = _added(instances.get(key, InstanceUse()), entry)
        return Hours(
            tuple(one for one in self.by_hour.get(deployment, []) if since <= one.hour < until),
            tuple(HourOfInstances(*key, use) for key, use in sorted(instances.items())),
        )

    def month(self, deployment: str, month: str) -> Usage:
        instances: dict[tuple[str, str], InstanceUse] = {}
        for entry in self.times.values():
            if entry.deployment == deployment and month_of(entry.hour) == month:
                key = (entry.path, entry.instance_type)
                instances[key] = _added(instances.get(key, InstanceUse()), entry)
        return Usage(self.traffic.get((deployment, month), {}), instances)

    def add_check(self, hour: datetime, lambda_mb_ms: int) -> None:
        others = [one for one in self.by_hour.get(CHECKS, []) if one.hour != hour]
        was = next((one.traffic for one in self.by_hour.get(CHECKS, []) if one.hour == hour), Traffic())
        now = Traffic(requests=was.requests + 1, lambda_mb_ms=was.lambda_mb_ms + lambda_mb_ms)
        self.by_hour[CHECKS] = [*others, HourOfTraffic(hour, "check", "lambda", "", now)]

    def put_instance_times(self, batch: Sequence[InstanceTime]) -> None:
        for entry in batch:
            key = (entry.deployment, entry.hour, entry.path, entry.instance_type, entry.instance)
            if key not in self.times or self.times[key].seconds <= entry.seconds:
                self.times[key] = entry


def _added(use: InstanceUse, entry: InstanceTime) -> InstanceUse:
    return InstanceUse(
        use.seconds + entry.seconds,
        use.micro_usd + entry.micro_usd,
        use.unpriced_seconds + entry.unpriced_seconds,
        use.warm_up_seconds + entry.warm_up_seconds,
        use.warm_up_micro_usd + entry.warm_up_micro_usd,
    )


class FakeBills:
    """Bills by day; ``asked`` keeps what was asked, ``failure`` is raised by every call."""

    def __init__(self, billed: Mapping[date, Billed] | None = None) -> None:
        self.billed = dict(billed or {})
        self.asked: list[tuple[date, date, str | None]] = []
        self.failure: Exception | None = None

    def days(self, first: date, end: date, deployment: str | None) -> Mapping[date, Billed]:
        self.asked.append((first, end, deployment))
        if self.failure is not None:
            raise self.failure
        return {day: one for day, one in self.billed.items() if first <= day < end}


class FakePrices:
    """Readings by table, and overrides."""

    def __init__(self) -> None:
        self.stored = StoredPrices()

    def load(self) -> StoredPrices:
        return self.stored

    def put_reading(self, reading: Reading) -> None:
        others = [one for one in self.stored.readings if one.table is not reading.table]
        self.stored = replace(self.stored, readings=[*others, reading])

    def put_overrides(self, overrides: Sequence[Override], now: datetime) -> None:
        self.stored = replace(self.stored, overrides=list(overrides), overridden_at=now)


class FakeCredits:
    def __init__(self) -> None:
        self.ledger: CreditLedger | None = None

    def credits(self) -> CreditLedger | None:
        return self.ledger

    def put_credits(self, ledger: CreditLedger) -> None:
        self.ledger = ledger


class FakeReviews:
    def __init__(self) -> None:
        self.items: dict[str, Review] = {}

    def load(self, names: Sequence[str]) -> Mapping[str, Review]:
        return {name: self.items[name] for name in names if name in self.items}

    def save(self, name: str, review: Review) -> None:
        self.items[name] = review


class FakeOnce:
    """``running`` holds the keys of calls that have not ended."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, dict[str, Any]]] = {}
        self.running: set[str] = set()

    def run(
        self, key: str, payload: Mapping[str, object], action: Callable[[], dict[str, Any]], remaining_ms: int
    ) -> dict[str, Any]:
        body = json.dumps(payload, sort_keys=True, default=str)
        if key in self.running:
            raise Conflict("the first request with this key still runs", code="idempotency_key_in_progress")
        if key in self.answers:
            first_body, first_answer = self.answers[key]
            if first_body != body:
                raise Conflict("this key was used with another request", code="idempotency_key_reused")
            return first_answer
        answer: dict[str, Any] = json.loads(json.dumps(action()))
        self.answers[key] = (body, answer)
        return answer


@dataclass
class FakeDriver:
    """Does what it is told to: ``failures`` maps a verb to the error that it raises.

    ``probes`` are given out one after another, the last one again and again; ``leftovers`` likewise by ``release``.
    """

    failures: dict[str, Exception] = field(default_factory=dict)
    probes: list[Capacity] = field(default_factory=lambda: [Capacity()])
    leftovers: list[list[str]] = field(default_factory=lambda: [[]])
    resources: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str, int | None]] = field(default_factory=list)

    def preflight(self, deployment: Deployment) -> None:
        self._called("preflight", deployment)

    def makes(self, deployment: Deployment) -> Sequence[str]:
        return [f"Auto Scaling group {deployment.name}"]

    def provision(self, deployment: Deployment, desired: int) -> Mapping[str, str]:
        self._called("provision", deployment, desired)
        return self.resources

    def probe(self, deployment: Deployment) -> Capacity:
        self._called("probe", deployment)
        return self.probes.pop(0) if len(self.probes) > 1 else self.probes[0]

    def scale(self, deployment: Deployment, desired: int) -> None:
        self._called("scale", deployment, desired)

    def release(self, deployment: Deployment) -> Sequence[str]:
        self._called("release", deployment)
        return self.leftovers.pop(0) if len(self.leftovers) > 1 else self.leftovers[0]

    def target(self, deployment: Deployment) -> Target:
        return FleetTarget(deployment.name)

    def _called(self, verb: str, deployment: Deployment, desired: int | None = None) -> None:
        self.calls.append((verb, deployment.name, desired))
        if verb in self.failures:
            raise self.failures[verb]


class FakeCatalog:
    """Knows the models in ``called``, and nothing of any other; those in ``unknown`` are none."""

    def __init__(self) -> None:
        self.called: dict[str, CalledModel] = {}
        self.unknown: dict[str, list[str]] = {}

    def find(self, models: Sequence[AskedModel]) -> Mapping[str, CalledModel | None]:
        for asked in models:
            if asked.id in self.unknown:
                raise InvalidRequest("no such model", param=asked.param, allowed=self.unknown[asked.id])
        return {asked.id: self.called.get(asked.id) for asked in models}


class FakeRehearsals:
    """Finds what ``findings`` has for a spec's path, else nothing wrong; ``failure`` is raised instead."""

    def __init__(self) -> None:
        self.findings: dict[str, Findings] = {}
        self.failure: Exception | None = None
        self.asked: list[DeploymentSpec] = []

    def of(self, spec: DeploymentSpec) -> Findings:
        self.asked.append(spec)
        if self.failure is not None:
            raise self.failure
        return self.findings.get(spec.path, Findings((), (f"group {spec.name}",)))


class FakeAlerts:
    def __init__(self) -> None:
        self.sent: list[Alert] = []

    def send(self, alert: Alert) -> None:
        self.sent.append(alert)


class FakeSubscribers:
    """``counts`` are (confirmed, pending) by topic; a topic that is not named has nobody."""

    def __init__(self, **counts: tuple[int, int]) -> None:
        self.counts = counts

    def count(self) -> Mapping[Topic, Subscribers]:
        return {topic: Subscribers(*self.counts.get(topic, (0, 0))) for topic in Topic}


class FakeEvents:
    def __init__(self) -> None:
        self.published: list[tuple[str, str, dict[str, object]]] = []

    def publish(self, kind: str, deployment: str, detail: Mapping[str, object]) -> None:
        self.published.append((kind, deployment, dict(detail)))


class FakeWorkflows:
    """``executions`` maps (workflow, execution name) to its input; ``failure`` is raised by every start."""

    def __init__(self) -> None:
        self.stopped: list[tuple[str, str]] = []
        self.executions: dict[tuple[str, str], dict[str, Any]] = {}
        self.failure: Exception | None = None

    def start(self, workflow: str, execution: str, payload: Mapping[str, object]) -> str:
        if self.failure is not None:
            raise self.failure
        self.executions.setdefault((workflow, execution), json.loads(json.dumps(payload)))
        return f"arn:aws:states:us-east-1:123456789012:execution:{workflow}:{execution}"

    def stop(self, execution_arn: str, cause: str) -> None:
        self.stopped.append((execution_arn, cause))

    def started(self, workflow: str) -> list[dict[str, Any]]:
        """The inputs of every execution of one workflow, in the order of their start."""
        return [payload for (name, _), payload in self.executions.items() if name == workflow]


class FakeMemories:
    """``lease`` is its owner and its end, None while it is free."""

    def __init__(self) -> None:
        self.items: dict[str, Memory] = {}
        self.lease: tuple[str, datetime] | None = None

    def acquire(self, owner: str, now: datetime, until: datetime) -> bool:
        if self.lease is not None and self.lease[0] != owner and now < self.lease[1]:
            return False
        self.lease = (owner, until)
        return True

    def load(self, names: Sequence[str]) -> Mapping[str, Memory]:
        return {name: self.items[name] for name in names if name in self.items}

    def save(self, memories: Mapping[str, Memory]) -> None:
        self.items.update(memories)

    def release(self, owner: str) -> None:
        if self.lease is not None and self.lease[0] == owner:
            self.lease = None


class FakeLoadReader:
    def __init__(self, loads: Mapping[str, Load] | None = None) -> None:
        self.loads = dict(loads or {})

    def read(self, wanted: Mapping[str, Set[Signal]], since: datetime, now: datetime) -> Mapping[str, Load]:
        return {name: self.loads.get(name, Load()) for name in wanted}


class FakeCapacityReader:
    def __init__(self, capacities: Mapping[str, Capacity] | None = None) -> None:
        self.capacities = dict(capacities or {})

    def read(self, deployments: Sequence[Deployment], now: datetime) -> Mapping[str, Capacity]:
        return {item.name: self.capacities[item.name] for item in deployments if item.name in self.capacities}


class FakeInstanceGroups:
    """``groups`` maps an instance to the name of its Auto Scaling group."""

    def __init__(self, groups: Mapping[str, str] | None = None) -> None:
        self.groups = dict(groups or {})

    def group_of(self, instance_id: str) -> str | None:
        return self.groups.get(instance_id)
