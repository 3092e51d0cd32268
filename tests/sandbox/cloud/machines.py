"""A simulated EC2 instance of a fleet: its phases, and its health as a load balancer sees it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tests.sandbox.cloud.ports import EngineHandle

DEPLOYMENT_TAG = "spillway:deployment"


class Phase(StrEnum):
    """Where an instance is in its life."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    TERMINATING = "Terminating"
    GONE = "Terminated"


@dataclass
class Machine:
    """One instance of a group. Times are sandbox epoch seconds, None for what has not happened.

    ``last_words`` are its engine's, where that ended at start.
    """

    instance: Any
    state: Any
    group: str
    deployment: str
    model_name: str
    user_data: str | None
    spot: bool
    launched_at: float
    phase: Phase = Phase.PENDING
    registered_at: float | None = None
    answered_at: float | None = None
    lost_at: float | None = None
    drain_until: float | None = None
    replaced: bool = False
    proxied: bool = False
    loads_table: str | None = None
    ended_at: float | None = None
    engine: EngineHandle | None = field(default=None, repr=False)
    last_words: str = ""

    @property
    def id(self) -> str:
        """The instance's id."""
        return str(self.instance.id)

    @property
    def type(self) -> str:
        """The instance's type."""
        return str(self.instance.instance_type)

    @property
    def zone(self) -> str:
        """The availability zone."""
        return str(self.instance.placement.zone)

    def end(self, at: float, reason: str = "") -> None:
        """Terminate it, once. EC2 says when, unless it has another reason to give."""
        if self.ended_at is None:
            self.ended_at = at
            self.instance.terminate()
            moment = datetime.fromtimestamp(at, UTC)
            self.instance._reason = reason or f"User initiated ({moment:%Y-%m-%d %H:%M:%S} GMT)"

    def health(self, target_group: Any, now: float) -> tuple[str, str | None, str | None]:
        """Return a target's state, reason code and description (ELBv2's own words)."""
        interval = float(target_group.health_check_interval_seconds)
        until_healthy = interval * int(target_group.healthy_threshold_count)
        until_unhealthy = interval * int(target_group.unhealthy_threshold_count)
        if self.phase is Phase.TERMINATING:
            return "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        registered = self.registered_at or now
        if self.answered_at is not None and self.lost_at is None:
            # The first check decides for a target that is still initial; later it takes the threshold.
            failed_before = self.answered_at - registered >= until_unhealthy
            if now >= max(self.answered_at, registered) + (until_healthy if failed_before else interval):
                return "healthy", None, None
        if self.lost_at is not None and self.answered_at is not None and now < self.lost_at + until_unhealthy:
            return "healthy", None, None
        if now < registered + until_unhealthy:
            return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
