"""The steps of the deploy, scale and retire workflows that ``advance_deployment`` takes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, Field, TypeAdapter

from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.decision import Reason, reason_from_json
from spillway.domain.paths.targets import Target, target_from_json
from spillway.services.events.reading import Caught, TaskEvent, by, read


class _Step(TaskEvent):
    deployment: str
    execution: str


class BeginDeploy(_Step):
    """Claim a deployment that was asked for."""

    step: Literal["begin_deploy"]


class MarkWarming(_Step):
    """Keep the identifiers that only AWS could choose; from now on its instances are waited for."""

    step: Literal["mark_warming"]
    resources: Mapping[str, str]


class BeginScale(_Step):
    """Claim a deployment to bring it to ``desired`` instances."""

    step: Literal["begin_scale"]
    desired: int
    reason: Annotated[Reason, by(reason_from_json)]


class Settle(_Step):
    """Give the deployment back as serving or asleep; ``target`` is None where the last probe had none."""

    step: Literal["settle"]
    target: Annotated[Target, by(target_from_json)] | None
    started_at: AwareDatetime


class FailDeployment(_Step):
    """Give the deployment back as what it is after a failure."""

    step: Literal["fail"]
    error: Caught


class BeginRetire(_Step):
    """Claim a deployment to take it out of service, whoever is at work on it."""

    step: Literal["begin_retire"]


class FinishRetire(_Step):
    """Close the record of which nothing is left."""

    step: Literal["finish_retire"]


class TakeOver(_Step):
    """Own what the execution ``replaces`` left, or a deployment that is still of the ``version`` it was to change."""

    step: Literal["take_over"]
    replaces: str
    version: int
    error: Caught


class Announce(_Step):
    """Tell people how a workflow ended; ``change`` is by how many instances, where the workflow knows."""

    step: Literal["notify"]
    news: AlertKind
    reason: Annotated[Reason, by(reason_from_json)] | None = None
    change: int | None = None


RecordStep: TypeAlias = (
    BeginDeploy | MarkWarming | BeginScale | Settle | FailDeployment | BeginRetire | FinishRetire | TakeOver
)
DeploymentStep: TypeAlias = RecordStep | Announce

_KINDS: TypeAdapter[DeploymentStep] = TypeAdapter(Annotated[DeploymentStep, Field(discriminator="step")])


def read_deployment_step(event: Mapping[str, Any]) -> DeploymentStep:
    """Return the step that a task names; InvalidRequest for what is none."""
    return read(event, _KINDS)
