"""The fleet path of a stack that was deployed without fleets: it has neither load balancer nor permissions."""

from collections.abc import Mapping, Sequence

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import Conflict, InvalidRequest
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.path import Path
from spillway.domain.paths.registry import profile_of
from spillway.domain.paths.targets import FleetTarget


class DisabledFleetDriver:
    """Refuses to make anything; releases what was never made."""

    def preflight(self, deployment: Deployment) -> None:
        """Say how to enable fleets."""
        raise InvalidRequest(
            "fleets are not enabled in this stack: deploy it with the parameter EnableFleets=true, or use another path",
            param="path",
            allowed=[path.value for path in Path if not profile_of(path).runs_engine],
        )

    def makes(self, deployment: Deployment) -> Sequence[str]:
        """Name nothing."""
        return []

    def provision(self, deployment: Deployment, desired: int) -> Mapping[str, str]:
        """Refuse like ``preflight``."""
        self.preflight(deployment)
        return {}

    def probe(self, deployment: Deployment) -> Capacity:
        """See nothing."""
        return Capacity()

    def scale(self, deployment: Deployment, desired: int) -> None:
        """Refuse like ``preflight``."""
        self.preflight(deployment)

    def release(self, deployment: Deployment) -> Sequence[str]:
        """Return nothing for what was never made; Conflict for a fleet that outlived the stack's own."""
        if deployment.resources:
            raise Conflict(f"{deployment.name} was made while fleets were enabled: enable them again to release it")
        return []

    def target(self, deployment: Deployment) -> FleetTarget:
        """Return the fleet by its name."""
        return FleetTarget(deployment.name, deployment.spec.task)
