"""One verb of a driver, as a workflow's task asks for it and understands the answer."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.findings import Findings, findings_to_json, param_of_spill, problem_of
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.errors import CapacityUnavailable, InvalidRequest, NotReady, Rejected, Superseded
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import target_to_json
from spillway.ports import Deployments, Driver
from spillway.services.events.driver import (
    DriverEvent,
    Preflight,
    PreflightSpill,
    Probe,
    Provision,
    Rehearse,
    Release,
    Scale,
)


@dataclass(frozen=True)
class DriverTask:
    """``run`` does one verb; errors of the domain leave it as they are.

    At its deadline, a probe that has not reached what it waits for, or a release that has something left, raises
    NotReady.
    """

    driver: Driver
    deployments: Deployments
    now: Callable[[], datetime]

    def run(self, event: DriverEvent | Rehearse) -> dict[str, Any]:
        """Do one verb; Superseded when another execution works on the deployment now."""
        if isinstance(event, Rehearse):
            return findings_to_json(self._rehearsed(event.spec))
        deployment, owner = self.deployments.get(event.deployment), event.execution
        if owner is not None and deployment.workflow != owner:
            raise Superseded(f"{deployment.name} is worked on by {deployment.workflow or 'nobody'}, not by {owner}")
        match event:
            case Preflight():
                self.driver.preflight(deployment)
                return {"ok": True}
            case PreflightSpill():
                self._preflight_spill(deployment)
                return {"ok": True}
            case Provision():
                return {"resources": dict(self.driver.provision(deployment, event.desired))}
            case Probe():
                return self._probe(deployment, event)
            case Scale():
                self.driver.scale(deployment, event.desired)
                return {"desired": event.desired}
            case Release():
                return self._release(deployment, event)
            case _:
                assert_never(event)

    def _preflight_spill(self, deployment: Deployment) -> None:
        if (spill := deployment.spec.spill_on_bedrock) is None:
            return
        try:
            self.driver.preflight(replace(deployment, spec=spill, resources={}))
        except Rejected as err:
            message, param = f"the spill target: {err.message}", param_of_spill(err.param)
            raise InvalidRequest(message, param=param, allowed=err.allowed) from err

    def _rehearsed(self, spec: DeploymentSpec) -> Findings:
        """Return what the checks find of a spec; its record is this one's alone, and nothing is made."""
        now = self.now()
        deployment = Deployment(spec, Status.REQUESTED, "", created_at=now, updated_at=now)
        resources = tuple(self.driver.makes(deployment))
        try:
            self.driver.preflight(deployment)
        except (Rejected, CapacityUnavailable) as err:
            return Findings((problem_of(err),), resources)
        return Findings((), resources)

    def _probe(self, deployment: Deployment, event: Probe) -> dict[str, Any]:
        capacity = self.driver.probe(deployment)
        reached = _is_reached(capacity, event)
        if not reached and self._is_late(event.deadline):
            raise NotReady(
                f"{deployment.name} has {capacity.ready} ready and {capacity.starting} starting of {capacity.desired} "
                f"at the deadline{f': {capacity.problem}' if capacity.problem else ''}"
            )
        has_target = capacity.ready > 0 or capacity.desired == 0
        target = target_to_json(self.driver.target(deployment)) if has_target else None
        shown = {name: value for name, value in asdict(capacity).items() if name != "instances"}
        return {**shown, "reached": reached, "target": target}

    def _release(self, deployment: Deployment, event: Release) -> dict[str, Any]:
        remaining = list(self.driver.release(deployment))
        if remaining and self._is_late(event.deadline):
            raise NotReady(f"still there at the deadline: {', '.join(remaining)}")
        return {"remaining": remaining, "released": not remaining}

    def _is_late(self, deadline: datetime | None) -> bool:
        return deadline is not None and self.now() >= deadline


def _is_reached(capacity: Capacity, wanted: Probe) -> bool:
    """Whether enough is ready (``at_least``) and little enough is billed (``at_most``)."""
    return capacity.ready >= wanted.at_least and (wanted.at_most is None or capacity.billed <= wanted.at_most)
