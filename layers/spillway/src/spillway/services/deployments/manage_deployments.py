"""What users do to deployments: ask for one, change it, wake it, put it to sleep, retire it.

The record's status is the workflows' to write. Here a record is created, its spec changed, and a workflow started;
an execution is named after the record's version, so that the same request twice is one execution.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from spillway.domain.admission import admitted, after, ensure_can, ensure_can_retire
from spillway.domain.decision import Action, Code, Reason, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.schedule import floor_at, out_of_bounds
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.deployments.tasks import ensure_models_agree
from spillway.domain.errors import Conflict, NotFound, Retryable, Superseded
from spillway.domain.routing.route_for_status import route_of
from spillway.ports import Deployments, ModelCatalog, Routes, Workflows

logger = logging.getLogger(__name__)

_ATTEMPTS = 3


@dataclass(frozen=True)
class ManageDeployments:
    """Every method returns the record as it stands, with the execution it started as ``workflow``."""

    deployments: Deployments
    routes: Routes
    workflows: Workflows
    catalog: ModelCatalog
    now: Callable[[], datetime]

    def create(self, spec: DeploymentSpec) -> Deployment:
        """Record a new deployment, route its requests to the spill target, and start its deploy workflow.

        Raises InvalidRequest, Conflict for a name in use, Retryable when the workflow cannot be started; each of them
        leaves nothing behind.
        """
        now, wanted = self.now(), admitted(spec)
        called = self.catalog.find(wanted.bedrock_models)
        ensure_models_agree(wanted, called)
        deployment = Deployment(
            spec=wanted,
            status=Status.REQUESTED,
            status_reason="Asked for; the deploy workflow is starting.",
            created_at=now,
            updated_at=now,
            version=self._first_version(spec.name),
            called=called,
        )
        self.deployments.create(deployment)
        execution = None
        try:
            self._put_route(deployment)
            execution = self._start("deploy", "deploy", deployment)
        finally:
            if execution is None:
                self._take_back(deployment)
        logger.info("deployment requested", extra={"deployment": spec.name, "path": spec.path, "execution": execution})
        return replace(deployment, workflow=execution)

    def change(self, name: str, patch: Mapping[str, Any]) -> Deployment:
        """Apply a JSON merge patch to the spec; capacity outside the new bounds is brought inside.

        Raises InvalidRequest or pydantic's ValidationError for a patch that leads to no valid spec.
        """
        for _ in range(_ATTEMPTS):
            deployment = self.deployments.get(name)
            spec = after(deployment, patch)
            if spec == deployment.spec:
                return deployment
            called = deployment.called
            if spec.spill != deployment.spec.spill:
                called = self.catalog.find(spec.bedrock_models)
                ensure_models_agree(spec, called)
            try:
                # The time of the last move stays: how long it has been idle is measured from there.
                stored = self.deployments.update(replace(deployment, spec=spec, called=called))
            except Superseded:
                continue
            self._put_route(stored)
            logger.info("deployment changed", extra={"deployment": name, "fields": sorted(patch)})
            return self._fitted(stored)
        raise Conflict(f"{name} is being changed by others at the same time: try again")

    def retire(self, name: str) -> Deployment:
        """Start the retire workflow; Conflict while it runs, NotFound once it is done."""
        deployment = self.deployments.get(name)
        ensure_can_retire(deployment, self.now())
        execution = self._start("retire", "retire", deployment)
        logger.info("retirement requested", extra={"deployment": name, "execution": execution})
        return replace(deployment, workflow=execution)

    def wake(self, name: str) -> Deployment:
        """Start the instances of a deployment that is asleep; Conflict in any other state."""
        deployment, now = self.deployments.get(name), self.now()
        ensure_can(Action.WAKE, deployment, now)
        desired = max(floor_at(deployment.spec, now), 1)
        reason = Reason(Code.ASKED, "A wake was asked for through the API.")
        return self._scale(Action.WAKE, deployment, desired, reason)

    def sleep(self, name: str) -> Deployment:
        """Stop all instances of a deployment that serves; Conflict in any other state, or when a minimum forbids it."""
        deployment, now = self.deployments.get(name), self.now()
        ensure_can(Action.SLEEP, deployment, now)
        if not deployment.spec.profile.has_instances:
            raise Conflict(f"{name} runs on Bedrock: it has no instances that could sleep")
        floor = floor_at(deployment.spec, now)
        if floor:
            raise Conflict(
                f"{name} must keep {floor} instance(s) up now, because of capacity.min, a warm window or the lack of a "
                "spill target and of thresholds.waiting_usd_per_request: the check would wake it at once"
            )
        return self._scale(Action.SLEEP, deployment, 0, Reason(Code.ASKED, "Sleep was asked for through the API."))

    def _first_version(self, name: str) -> int:
        """Return a version that no life of this name has had, because executions are named after versions."""
        try:
            return self.deployments.get(name).version + 1
        except NotFound:
            return 1

    def _take_back(self, deployment: Deployment) -> None:
        reason = "Taken back, because its deploy workflow could not be started."
        try:
            self.deployments.update(deployment.moved(Status.RETIRED, reason, self.now()))
        except Superseded:
            # The start was reported as failed, but a workflow has taken the deployment over.
            return
        self.routes.delete(deployment.name)
        logger.warning("deployment taken back", extra={"deployment": deployment.name})

    def _put_route(self, deployment: Deployment) -> None:
        for _ in range(_ATTEMPTS):
            present = self.routes.get(deployment.name)
            route = route_of(deployment, version=present.version if present else 0)
            if present is not None and deployment.status is Status.SERVING:
                # What the last check saw of the fleet still holds; only what the user set is new.
                route = replace(
                    route,
                    state=present.state,
                    code=present.code,
                    reason=present.reason,
                    spill_share=present.spill_share,
                    lost_until=present.lost_until,
                )
            try:
                self.routes.put(route)
            except Superseded:
                continue
            return
        raise Retryable(f"the route of {deployment.name} keeps changing")

    def _fitted(self, deployment: Deployment) -> Deployment:
        wanted = out_of_bounds(deployment, self.now())
        if wanted is None:
            return deployment
        sentence = f"{deployment.desired} instance(s) are outside the new capacity bounds; {wanted} will be."
        reason = Reason(Code.OUT_OF_BOUNDS, sentence, deployment.desired, wanted, "instances")
        action = Action.WAKE if deployment.status is Status.ASLEEP else Action.SCALE
        try:
            return self._scale(action, deployment, wanted, reason)
        except Retryable as err:
            # The change itself is stored, and the next check brings the capacity inside its bounds.
            logger.warning("scale not started", extra={"deployment": deployment.name, "error": str(err)})
            return deployment

    def _scale(self, action: Action, deployment: Deployment, desired: int, reason: Reason) -> Deployment:
        execution = self._start("scale", action, deployment, desired=desired, reason=reason_to_json(reason))
        logger.info(
            "capacity change requested",
            extra={"deployment": deployment.name, "action": action, "desired": desired, "execution": execution},
        )
        return replace(deployment, workflow=execution)

    def _start(self, workflow: str, verb: str, deployment: Deployment, **more: Any) -> str:
        payload = {"deployment": deployment.name, "path": deployment.spec.path, **more}
        return self.workflows.start(workflow, f"{deployment.name}-{verb}-{deployment.version}", payload)
