"""One verb of a driver, as a workflow's task asks for it and understands the answer."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import NotReady, Superseded
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import target_to_json
from spillway.ports import Deployments, Driver


@dataclass(frozen=True)
class DriverTask:
    """``run`` takes ``{"verb", "deployment", "execution", …}``; errors of the domain leave it as they are.

    ``deadline`` is when waiting ends (ISO 8601): a probe that has not reached what it waits for, or a release that
    has something left, then raises NotReady. Without one they never do.
    """

    driver: Driver
    deployments: Deployments
    now: Callable[[], datetime]

    def run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Do one verb; Superseded when another execution works on the deployment now."""
        verbs: dict[str, Callable[[Deployment, Mapping[str, Any]], dict[str, Any]]] = {
            "preflight": self._preflight,
            "provision": self._provision,
            "probe": self._probe,
            "scale": self._scale,
            "release": self._release,
        }
        deployment = self.deployments.get(event["deployment"])
        owner = event.get("execution")
        if owner is not None and deployment.workflow != owner:
            raise Superseded(f"{deployment.name} is worked on by {deployment.workflow or 'nobody'}, not by {owner}")
        return verbs[event["verb"]](deployment, event)

    def _preflight(self, deployment: Deployment, event: Mapping[str, Any]) -> dict[str, Any]:
        self.driver.preflight(deployment)
        return {"ok": True}

    def _provision(self, deployment: Deployment, event: Mapping[str, Any]) -> dict[str, Any]:
        return {"resources": dict(self.driver.provision(deployment, int(event["desired"])))}

    def _probe(self, deployment: Deployment, event: Mapping[str, Any]) -> dict[str, Any]:
        capacity = self.driver.probe(deployment)
        reached = _is_reached(capacity, event)
        if not reached and self._is_late(event):
            raise NotReady(
                f"{deployment.name} has {capacity.ready} ready and {capacity.starting} starting of {capacity.desired} "
                f"at the deadline{f': {capacity.problem}' if capacity.problem else ''}"
            )
        has_target = capacity.ready > 0 or capacity.desired == 0
        target = target_to_json(self.driver.target(deployment)) if has_target else None
        shown = {name: value for name, value in asdict(capacity).items() if name != "instances"}
        return {**shown, "reached": reached, "target": target}

    def _scale(self, deployment: Deployment, event: Mapping[str, Any]) -> dict[str, Any]:
        desired = int(event["desired"])
        self.driver.scale(deployment, desired)
        return {"desired": desired}

    def _release(self, deployment: Deployment, event: Mapping[str, Any]) -> dict[str, Any]:
        remaining = list(self.driver.release(deployment))
        if remaining and self._is_late(event):
            raise NotReady(f"still there at the deadline: {', '.join(remaining)}")
        return {"remaining": remaining, "released": not remaining}

    def _is_late(self, event: Mapping[str, Any]) -> bool:
        deadline = event.get("deadline")
        return deadline is not None and self.now() >= datetime.fromisoformat(deadline)


def _is_reached(capacity: Capacity, event: Mapping[str, Any]) -> bool:
    """Whether enough is ready (``at_least``) and little enough is billed (``at_most``)."""
    at_least, at_most = int(event.get("at_least", 0)), event.get("at_most")
    return capacity.ready >= at_least and (at_most is None or capacity.billed <= int(at_most))
