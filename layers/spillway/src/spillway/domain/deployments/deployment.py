"""A deployment as Spillway keeps it: what was asked for, and where it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from spillway.domain.deployments.measured_capacity import Measured
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.paths.bedrock_models import APPLICATION_PROFILE, CalledModel
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.targets import Target

# An execution that was aborted from outside can't give the deployment back; after this long another may take it.
CLAIM_LIMIT = timedelta(hours=3)


@dataclass(frozen=True)
class Deployment:
    """One record of the ``deployments`` table.

    ``version`` counts writes; every write is conditional on it. ``desired`` is the number of instances
    (copies, on SageMaker) that the last workflow asked for. ``resources`` are the identifiers that only AWS
    could choose (ARNs); everything else is named after the deployment (see ``names``).
    ``cold_start_seconds`` is the last measured time from "start" to "answers", None before the first one.
    ``target`` is where the primary answers, None before it was ever ready. Before ``hold_until`` nothing wakes or
    scales it by itself: a start that just failed would only fail again. ``workflow`` names the execution at work on it,
    and ``restore`` the instances to go back to if that execution fails. ``measured`` is what its last benchmark found.
    ``called`` is what Bedrock's catalog said of its models, by the id as asked for, when the deployment was asked for
    or its spill target last changed; None where it did not say.
    """

    spec: DeploymentSpec
    status: Status
    status_reason: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    desired: int = 0
    resources: Mapping[str, str] = field(default_factory=dict)
    cold_start_seconds: float | None = None
    workflow: str | None = None
    target: Target | None = None
    hold_until: datetime | None = None
    restore: int | None = None
    measured: Measured | None = None
    called: Mapping[str, CalledModel | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The alias that clients put into ``model``."""
        return self.spec.name

    @property
    def serves_in(self) -> Mapping[str, tuple[str, ...] | None]:
        """The regions that may answer, by the Bedrock id that is called; None where they are unknown."""
        return regions_by_id(self.called)

    @property
    def spill_model(self) -> str | None:
        """The Bedrock model whose tokens are billed when the spill target answers."""
        if self.spec.spill is None:
            return None
        asked = self.spec.spill.model_id
        if (called := self.called.get(asked)) is None:
            return asked
        # An application profile's price is its model's; any other has one of its own.
        return called.model_id if APPLICATION_PROFILE in asked else called.called_id

    @property
    def endpoint_max(self) -> int:
        """The most instances that its SageMaker endpoint can have, which is fixed when that is made."""
        return int(self.resources.get("max_instances", self.spec.capacity.max))

    @property
    def tokens_per_minute_per_instance(self) -> float | None:
        """One instance's capacity: the one that the user stated, else the measured one; None where neither is known.

        A measure holds for the type it was made on: it is left out when the user asks for other types by now.
        """
        capacity, measured = self.spec.capacity, self.measured
        if capacity.tokens_per_minute_per_instance is not None:
            return capacity.tokens_per_minute_per_instance
        wanted = {ec2_instance_type(name) for name in capacity.instance_types}
        if measured is None or (wanted and ec2_instance_type(measured.instance_type or "") not in wanted):
            return None
        return measured.tokens_per_minute

    @property
    def is_benchmarked(self) -> bool:
        """Whether the execution at work on it is a benchmark: its state machine's name says so."""
        return self.workflow is not None and self.workflow.rsplit(":", 2)[-2].rsplit("-", 1)[-1] == "benchmark"

    def moved(self, status: Status, reason: str, now: datetime) -> "Deployment":
        """Return the deployment in its next state; the version grows when it is stored."""
        return replace(self, status=status, status_reason=reason, updated_at=now)

    def is_claimed(self, now: datetime) -> bool:
        """Whether a workflow is at work on it."""
        return self.workflow is not None and now - self.updated_at < CLAIM_LIMIT


def regions_by_id(called: Mapping[str, CalledModel | None]) -> dict[str, tuple[str, ...] | None]:
    """Return the regions that may answer by the id that is called, or as it was asked for where that is unknown."""
    return {
        asked if model is None else model.called_id: None if model is None else model.regions
        for asked, model in called.items()
    }


@dataclass(frozen=True)
class Inventory:
    """Every stored deployment, with the names of those whose record this version cannot read."""

    deployments: Sequence[Deployment]
    unreadable: Sequence[str] = ()
