"""What runs now, as a driver or the check sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True)
class Instance:
    """One instance as EC2 shows it; of one that no longer ``runs``, ``ended_at`` is None where EC2 doesn't say when."""

    id: str
    instance_type: str
    launched_at: datetime
    runs: bool = True
    ended_at: datetime | None = None
    answers: bool = False


@dataclass(frozen=True)
class EndpointInstances:
    """The instances of a SageMaker endpoint, which have no names.

    ``count`` is None where nobody looked because nothing changes. ``changed_at`` is when SageMaker last changed the
    endpoint, ``answering`` the copies of the model that can answer.
    """

    count: int | None
    instance_type: str
    created_at: datetime
    changed_at: datetime
    answering: int = 0


Instances: TypeAlias = tuple[Instance, ...] | EndpointInstances


@dataclass(frozen=True)
class Capacity:
    """Instances (on SageMaker: model copies) of one deployment.

    ``desired`` were asked for, ``ready`` can answer, ``starting`` are billed but cannot answer yet.
    ``instance_type`` is what runs (the first wanted one while nothing does), None where nothing is billed by the hour.
    ``problem`` is AWS's own sentence when starting failed for good. ``instances`` are those that are billed by the
    hour or were until lately, None where AWS was not asked or did not tell.
    """

    desired: int = 0
    ready: int = 0
    starting: int = 0
    instance_type: str | None = None
    problem: str | None = None
    instances: Instances | None = None

    @property
    def billed(self) -> int:
        """Instances that cost money now."""
        return self.ready + self.starting
