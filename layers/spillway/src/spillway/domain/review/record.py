"""What a review keeps for the next one."""

from dataclasses import dataclass, field
from datetime import datetime

from spillway.domain.deployments.deployment import Deployment


@dataclass(frozen=True)
class Shadow:
    """Would a fleet pay for a Bedrock deployment's traffic of the ``hours`` before ``at``?

    ``fleet_usd`` is what it would have cost, woken, put to sleep and spilled from by the rule of the check, of at most
    ``instances`` of ``instance_type`` for ``instance_hours`` in all; None where that is not known, and ``why`` then
    says what would have to be. Otherwise ``why`` is what the figure rests on.
    """

    at: datetime
    hours: int
    tokens: int
    bedrock_usd: float | None
    why: str
    fleet_usd: float | None = None
    instance_type: str | None = None
    instances: int = 0
    instance_hours: float = 0.0
    spilled_share: float = 1.0

    @property
    def pays(self) -> bool | None:
        """Whether it would have been cheaper; a fleet that nobody would have woken is none. None where unknown."""
        if self.fleet_usd is None or self.bedrock_usd is None:
            return None
        return self.instance_hours > 0 and self.fleet_usd < self.bedrock_usd


@dataclass(frozen=True)
class Review:
    """``at`` is when the last review ended; ``open_alerts`` are the keys of states that have been told."""

    at: datetime
    open_alerts: frozenset[str] = field(default_factory=frozenset)
    shadow: Shadow | None = None


def life_of(review: Review | None, deployment: Deployment) -> Review | None:
    """Return no review for a deployment that only shares its name with one that was retired before."""
    return None if review is None or review.at < deployment.created_at else review
