"""What the services need from the outside world, in domain types.

The types are the type checker's alone: a function whose service needs one port need not load what all others speak of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from datetime import date, datetime

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
    from spillway.domain.observations.capacity import Capacity
    from spillway.domain.observations.signals import Signal
    from spillway.domain.observations.traffic import Load
    from spillway.domain.observations.usage import Hours, InstanceTime, Usage
    from spillway.domain.paths.bedrock_models import AskedModel, CalledModel
    from spillway.domain.paths.targets import Target
    from spillway.domain.pricing.price_layers import Override, PriceTable, Reading, StoredPrices
    from spillway.domain.review.leftovers import Resource
    from spillway.domain.review.record import Review
    from spillway.domain.routing.route import Route
    from spillway.domain.scaling.check_state import Memory


class Deployments(Protocol):
    """The ``deployments`` table."""

    def get(self, name: str) -> Deployment:
        """Raise NotFound for a name that does not exist."""
        ...

    def create(self, deployment: Deployment) -> None:
        """Raise Conflict when the name is in use (a retired deployment frees its name)."""
        ...

    def update(self, deployment: Deployment) -> Deployment:
        """Store the next version; raise Superseded when somebody else wrote since it was read."""
        ...

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Deployment], str | None]:
        """Return one page in a stable order and the cursor of the next; InvalidRequest for a cursor that is none.

        Records that cannot be read are left out.
        """
        ...

    def all(self) -> Inventory:
        """Read every deployment, page by page; a record that cannot be read keeps nobody else from being seen."""
        ...


class Routes(Protocol):
    """The ``routes`` table, as the control plane writes it."""

    def get(self, name: str) -> Route | None: ...

    def put(self, route: Route) -> None:
        """Store the next version; a concurrent write raises Superseded."""
        ...

    def delete(self, name: str) -> None: ...

    def get_many(self, names: Sequence[str]) -> Mapping[str, Route]: ...


class Decisions(Protocol):
    """The ``decisions`` table, newest first, kept for a limited time."""

    def add(self, deployment: str, decision: Decision, now: datetime) -> None: ...

    def page(
        self, deployment: str, limit: int, cursor: str | None
    ) -> tuple[Sequence[tuple[datetime, Decision]], str | None]: ...


class BenchmarkRecords(Protocol):
    """The ``benchmarks`` table, newest first, kept for a limited time."""

    def create(self, benchmark: Benchmark) -> None:
        """Raise Conflict when the deployment has one of that id."""
        ...

    def get(self, deployment: str, benchmark: str) -> Benchmark:
        """Raise NotFound for one that does not exist."""
        ...

    def save(self, benchmark: Benchmark) -> None:
        """Replace what is stored; raise Superseded when that has ended meanwhile."""
        ...

    def delete(self, deployment: str, benchmark: str) -> None: ...

    def ask_to_stop(self, deployment: str, benchmark: str, now: datetime) -> None:
        """Press the stop button; raise Conflict for one that has ended."""
        ...

    def is_to_stop(self, deployment: str, benchmark: str) -> bool:
        """Whether the stop button was pressed."""
        ...

    def page(self, deployment: str, limit: int, cursor: str | None) -> tuple[Sequence[Benchmark], str | None]: ...


class Keys(Protocol):
    """The ``keys`` table."""

    def get(self, key_id: str) -> Key | None: ...

    def find(self, secret_id: str) -> Key | None:
        """Return the key that the id of any of its secrets leads to."""
        ...

    def put(self, key: Key) -> None: ...

    def replace(self, key: Key) -> None:
        """Store the version after the stored one; raise Superseded when that is another."""
        ...

    def delete(self, key_id: str) -> None:
        """Raise NotFound for an id that does not exist."""
        ...

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Key], str | None]: ...


class UsageLog(Protocol):
    """The ``usage`` table, as the control plane reads and adds to it."""

    def month(self, deployment: str, month: str) -> Usage:
        """Sum one calendar month (UTC), named like ``2026-11``."""
        ...

    def hours(self, deployment: str, since: datetime, until: datetime) -> Hours:
        """Return the hours from ``since`` on and before ``until``, both whole hours (UTC)."""
        ...

    def put_instance_times(self, batch: Sequence[InstanceTime]) -> None:
        """Store what instances were billed for; of two statements about one hour, the longer time is kept."""
        ...


class Bills(Protocol):
    """AWS's own bill, which costs something to read."""

    def days(self, first: date, end: date, deployment: str | None) -> Mapping[date, Billed]:
        """Return what was billed for each day before ``end``; Retryable when AWS does not say, for whatever reason."""
        ...


class Prices(Protocol):
    """The ``prices`` table: what was read of AWS's prices, and the user's own."""

    def load(self) -> StoredPrices: ...

    def put_reading(self, reading: Reading) -> None:
        """Replace what was read of one table."""
        ...

    def put_overrides(self, overrides: Sequence[Override], now: datetime) -> None:
        """Replace all of the user's own prices."""
        ...


class Credits(Protocol):
    """The ``prices`` table, where the user's credits lie beside the user's prices."""

    def credits(self) -> CreditLedger | None:
        """Return them as stated; None where none ever were."""
        ...

    def put_credits(self, ledger: CreditLedger) -> None:
        """Replace all of them."""
        ...


class Reviews(Protocol):
    """The ``reviews`` table: what the last review of each deployment, and of the stack, found."""

    def load(self, names: Sequence[str]) -> Mapping[str, Review]: ...

    def save(self, name: str, review: Review) -> None: ...


class PriceSource(Protocol):
    """AWS's prices."""

    def read(self, table: PriceTable, names: Sequence[str], now: datetime) -> Reading:
        """Return the prices of those names that there are."""
        ...


class Once(Protocol):
    """Answers a repeated request with its first answer."""

    def run(
        self, key: str, payload: Mapping[str, object], action: Callable[[], dict[str, Any]], remaining_ms: int
    ) -> dict[str, Any]:
        """Return what the first call under ``key`` returned; an action that raises may be tried again.

        ``remaining_ms`` is how long this process may still run: after it, a call that never ended counts as dead.
        Raises Conflict when the payload is not the first call's, or while that call still runs.
        """
        ...


class Driver(Protocol):
    """The five verbs of one path, what it makes, and its target. Every verb may be repeated and does no harm then."""

    def preflight(self, deployment: Deployment) -> None:
        """Check model, permissions and quota before anything is made; raise Rejected or CapacityUnavailable."""
        ...

    def makes(self, deployment: Deployment) -> Sequence[str]:
        """Name what ``provision`` makes and ``release`` deletes, in the words of the latter. Asks nobody."""
        ...

    def provision(self, deployment: Deployment, desired: int) -> Mapping[str, str]:
        """Ask for ``desired`` instances; return the identifiers that only AWS could choose. Does not wait."""
        ...

    def probe(self, deployment: Deployment) -> Capacity:
        """Look at what runs; raise CapacityUnavailable when AWS said that it cannot start what was asked for."""
        ...

    def scale(self, deployment: Deployment, desired: int) -> None:
        """Ask for another number of instances. Does not wait."""
        ...

    def release(self, deployment: Deployment) -> Sequence[str]:
        """Delete what can be deleted now and return what is still there, an empty list at the end."""
        ...

    def target(self, deployment: Deployment) -> Target:
        """Return the place to send requests to once the deployment is ready."""
        ...


class ModelCatalog(Protocol):
    """Bedrock's catalog, asked how models are called and which regions may answer."""

    def find(self, models: Sequence[AskedModel]) -> Mapping[str, CalledModel | None]:
        """Return what each id leads to, by the id as asked for; None where Bedrock does not say.

        Raises InvalidRequest for an id that Bedrock knows nothing of here, with the nearest ids that it knows.
        """
        ...


class Rehearsals(Protocol):
    """The drivers, asked by the control API about specs that have no record yet."""

    def of(self, spec: DeploymentSpec) -> Findings:
        """Return what a path's checks find of a spec, making nothing; TimedOut, or Retryable when AWS does not say."""
        ...


class Alerts(Protocol):
    """SNS."""

    def send(self, alert: Alert) -> None: ...


class TopicSubscribers(Protocol):
    """SNS, asked who hears the alerts."""

    def count(self) -> Mapping[Topic, Subscribers]:
        """Return every topic's subscriptions, counted."""
        ...


class Events(Protocol):
    """Our event bus, so that users can hang their own automation on what happens."""

    def publish(self, kind: str, deployment: str, detail: Mapping[str, object]) -> None: ...


class Workflows(Protocol):
    """Step Functions. Starting the same execution twice is one execution."""

    def start(self, workflow: str, execution: str, payload: Mapping[str, object]) -> str:
        """Return the execution's ARN."""
        ...

    def stop(self, execution_arn: str, cause: str) -> None:
        """Abort an execution; one that has ended already is left as it is."""
        ...


class Memories(Protocol):
    """What the check remembers, and the lease that lets one check run at a time."""

    def acquire(self, owner: str, now: datetime, until: datetime) -> bool:
        """Take the lease; False while somebody else's has not run out."""
        ...

    def load(self, names: Sequence[str]) -> Mapping[str, Memory]: ...

    def save(self, memories: Mapping[str, Memory]) -> None: ...

    def release(self, owner: str) -> None: ...


class InstanceTimes(Protocol):
    """The ``usage`` table, as the check writes it."""

    def put_instance_times(self, batch: Sequence[InstanceTime]) -> None: ...

    def add_check(self, hour: datetime, lambda_mb_ms: int) -> None:
        """Count one run of the check itself, under the name ``CHECKS``."""
        ...


class LoadReader(Protocol):
    """What gateway and instances leave for the check, in batches."""

    def read(self, wanted: Mapping[str, Set[Signal]], since: datetime, now: datetime) -> Mapping[str, Load]:
        """Return every name's minutes from ``since`` to the running one, and its engines' latest state, as wanted."""
        ...


class CapacityReader(Protocol):
    """What runs, for many deployments at once; a name without an entry has nothing running."""

    def read(self, deployments: Sequence[Deployment], now: datetime) -> Mapping[str, Capacity]: ...


class Tagged(Protocol):
    """EC2, Auto Scaling and SageMaker, asked for what carries the stack's tags."""

    def find(self, known_endpoints: Set[str]) -> Sequence[Resource]:
        """Return what bills by the hour; endpoints of known names may be left out."""
        ...


class InstanceGroups(Protocol):
    """Auto Scaling, asked whose an instance is."""

    def group_of(self, instance_id: str) -> str | None:
        """Return the Auto Scaling group's name, None for an instance in no group."""
        ...
