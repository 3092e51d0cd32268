"""A deployment's move from one status to the next: the record, the event and the route, in this order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status, sources_of
from spillway.domain.errors import Superseded
from spillway.domain.routing.route_for_status import route_of
from spillway.ports import Deployments, Events, Routes

# Its route goes when a deployment is retired, and must not come back.
_ROUTED = frozenset(Status) - {Status.RETIRING, Status.RETIRED}


@dataclass(frozen=True)
class StatusTransitions:
    """The record is written first, because it is conditional; the route last, because it tells that all was done."""

    deployments: Deployments
    routes: Routes
    events: Events
    now: Callable[[], datetime]

    def move(self, deployment: Deployment, status: Status, reason: str) -> None:
        """Write the next status, then tell of it; raise Superseded for a move that isn't possible any more."""
        if deployment.status is not status and deployment.status not in sources_of(status):
            raise Superseded(f"{deployment.name} is {deployment.status} and cannot become {status}")
        moved = self.deployments.update(deployment.moved(status, reason, self.now()))
        self._show(moved, previous=deployment.status)

    def complete(self, deployment: Deployment) -> None:
        """Do what a first try of this step may have left undone; the route, written last, tells."""
        if deployment.status not in _ROUTED:
            return
        stored = self.routes.get(deployment.name)
        done = stored and replace(stored, deployment_version=deployment.version)
        if done != route_of(deployment, version=stored.version if stored else 0):
            self._show(deployment, previous=None)

    def _show(self, deployment: Deployment, previous: Status | None) -> None:
        detail = {"status": deployment.status, "previous": previous, "reason": deployment.status_reason}
        self.events.publish("DeploymentStatusChanged", deployment.name, {**detail, "desired": deployment.desired})
        if deployment.status in _ROUTED:
            stored = self.routes.get(deployment.name)
            self.routes.put(route_of(deployment, version=stored.version if stored else 0))
