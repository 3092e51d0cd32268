"""What workflows' tasks, and dry runs, ask of a driver: the events of ``drive_fleet`` and its like."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, Field, TypeAdapter

from spillway.domain.deployments.spec import DeploymentSpec
from spillway.services.events.reading import TaskEvent, read


class Preflight(TaskEvent):
    """Check what can be checked before anything is made."""

    verb: Literal["preflight"]
    deployment: str
    execution: str


class PreflightSpill(TaskEvent):
    """As Preflight, of the spill target; Bedrock's driver is asked, whatever the deployment's path."""

    verb: Literal["preflight_spill"]
    deployment: str
    execution: str


class Provision(TaskEvent):
    """Make what is missing for ``desired`` instances."""

    verb: Literal["provision"]
    deployment: str
    execution: str
    desired: int


class Probe(TaskEvent):
    """Look at what runs: whether ``at_least`` are ready and ``at_most`` billed.

    At the ``deadline`` waiting ends; without one it never does. Without an ``execution``, nobody need own the
    deployment.
    """

    verb: Literal["probe"]
    deployment: str
    execution: str | None = None
    at_least: int = 0
    at_most: int | None = None
    deadline: AwareDatetime | None = None


class Scale(TaskEvent):
    """Ask for another number of instances."""

    verb: Literal["scale"]
    deployment: str
    execution: str
    desired: int


class Release(TaskEvent):
    """Delete what can be deleted now; at the ``deadline`` waiting for the rest ends."""

    verb: Literal["release"]
    deployment: str
    execution: str
    deadline: AwareDatetime


class Rehearse(TaskEvent):
    """Check a spec that has no record, as ``preflight`` does, and name what it would make; the control API asks."""

    verb: Literal["rehearse"]
    spec: DeploymentSpec

    @property
    def deployment(self) -> str:
        """The name that the deployment would have."""
        return self.spec.name


DriverEvent: TypeAlias = Preflight | PreflightSpill | Provision | Probe | Scale | Release

_KINDS: TypeAdapter[DriverEvent | Rehearse] = TypeAdapter(
    Annotated[DriverEvent | Rehearse, Field(discriminator="verb")]
)


def read_driver_event(event: Mapping[str, Any]) -> DriverEvent | Rehearse:
    """Return the verb that a task, or the control API, asks for; InvalidRequest for what is none."""
    return read(event, _KINDS)
