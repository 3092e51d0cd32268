"""The steps of the workflows that touch Spillway's own records: the status, the route, the event.

Every step may be repeated: it looks at where the deployment stands before it writes, and each write is conditional.
A deployment is worked on by one execution at a time, the one that its ``workflow`` field names.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.decision import Code
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.schedule import floor_at
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Superseded
from spillway.domain.paths.targets import target_to_json
from spillway.domain.routing.route_for_status import spill_target
from spillway.ports import Deployments, Events, Routes, Workflows
from spillway.services.events.deployment_steps import (
    BeginDeploy,
    BeginRetire,
    BeginScale,
    FailDeployment,
    FinishRetire,
    MarkWarming,
    RecordStep,
    Settle,
    TakeOver,
)
from spillway.services.status_transitions import StatusTransitions

START_LIMIT = timedelta(minutes=60)
RELEASE_LIMIT = timedelta(minutes=150)
# Requests in flight may finish before their instance goes; the load balancer's own draining comes on top.
DRAIN_SECONDS = 30
_ATTEMPTS = 3
# A workflow that fails has nothing to write about a deployment that is already over.
_CLOSED = frozenset({Status.FAILED, Status.RETIRED})
# A start that just failed for lack of capacity would most likely fail again.
HOLD_AFTER_FAILURE = timedelta(minutes=10)


@dataclass(frozen=True)
class WorkflowSteps:
    """``run`` takes one step; everything it needs from outside is here."""

    deployments: Deployments
    routes: Routes
    events: Events
    workflows: Workflows
    now: Callable[[], datetime]

    def run(self, step: RecordStep) -> dict[str, Any]:
        """Take the step that a state machine's task names; return what its later states need."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._take(step)
            except Superseded:
                # A user's change of the spec, or the check's of the route, came in between: look again. Whoever has
                # really taken the deployment over will still be there.
                continue
        return self._take(step)

    def _take(self, step: RecordStep) -> dict[str, Any]:
        deployment = self.deployments.get(step.deployment)
        match step:
            case BeginDeploy():
                return self._begin_deploy(deployment, step)
            case MarkWarming():
                return self._mark_warming(deployment, step)
            case BeginScale():
                return self._begin_scale(deployment, step)
            case Settle():
                return self._settle(deployment, step)
            case FailDeployment():
                return self._fail(deployment, step)
            case BeginRetire():
                return self._begin_retire(deployment, step)
            case FinishRetire():
                return self._finish_retire(deployment, step)
            case TakeOver():
                return self._take_over(deployment, step)
            case _:
                assert_never(step)

    def _begin_deploy(self, deployment: Deployment, step: BeginDeploy) -> dict[str, Any]:
        now = self.now()
        desired = max(floor_at(deployment.spec, now), 1)
        if deployment.status is Status.PROVISIONING and deployment.workflow == step.execution:
            self._moves.complete(deployment)
        else:
            claimed = replace(deployment, desired=desired, workflow=step.execution)
            self._moves.move(claimed, Status.PROVISIONING, "Checking and provisioning.")
        spill = spill_target(deployment)
        found: dict[str, Any] = {} if spill is None else {"spill": target_to_json(spill)}
        return _plan(now, desired=desired, at_least=1, release_by=(now + RELEASE_LIMIT).isoformat(), **found)

    def _mark_warming(self, deployment: Deployment, step: MarkWarming) -> dict[str, Any]:
        self._must_own(deployment, step)
        resources = {**deployment.resources, **step.resources}
        if deployment.status is not Status.WARMING:
            self._moves.move(
                replace(deployment, resources=resources), Status.WARMING, "Waiting for the first instance."
            )
            return {}
        if resources != deployment.resources:
            deployment = self.deployments.update(replace(deployment, resources=resources))
        self._moves.complete(deployment)
        return {}

    def _begin_scale(self, deployment: Deployment, step: BeginScale) -> dict[str, Any]:
        now, wanted, execution = self.now(), step.desired, step.execution
        current = deployment.desired
        if deployment.workflow == execution:
            # A repeat of this very step: the record already says what is wanted, and what was before.
            current = current if deployment.restore is None else deployment.restore
            if deployment.status is not Status.SERVING:
                self._moves.complete(deployment)
        elif (wanted == current and not _is_left_behind(step)) or not _is_at_rest(deployment, now):
            return {"direction": "none"}
        else:
            self._claim_for_scale(deployment, step)
        news = {(True, True): AlertKind.AWAKE, (True, False): AlertKind.GROWN}.get(
            (wanted > current, current == 0), AlertKind.SHRUNK if wanted else AlertKind.ASLEEP
        )
        return _plan(
            now,
            direction="up" if wanted > current else "down",
            desired=wanted,
            restore=current,
            at_least=wanted if current else 1,
            # Only a fleet that goes to sleep is taken off the route first; a smaller one drains at its balancer.
            drain_seconds=DRAIN_SECONDS if wanted == 0 else 1,
            news=news,
            change=wanted - current,
        )

    def _claim_for_scale(self, deployment: Deployment, step: BeginScale) -> None:
        wanted, sentence = step.desired, step.reason.sentence
        claimed = replace(
            deployment,
            desired=wanted,
            workflow=step.execution,
            hold_until=None,
            restore=deployment.desired,
        )
        if deployment.status is Status.ASLEEP and wanted:
            self._moves.move(claimed, Status.WAKING, sentence)
        elif deployment.status is Status.SERVING and wanted == 0:
            self._moves.move(claimed, Status.DRAINING, sentence)
        else:
            self.deployments.update(replace(claimed, updated_at=self.now()))

    def _settle(self, deployment: Deployment, step: Settle) -> dict[str, Any]:
        now = self.now()
        final = Status.ASLEEP if deployment.desired == 0 else Status.SERVING
        if deployment.workflow is None and deployment.status is final:
            self._moves.complete(deployment)
            return {}
        self._must_own(deployment, step)
        was_cold = deployment.status in (Status.PROVISIONING, Status.WARMING, Status.WAKING)
        settled = replace(
            deployment,
            target=step.target or deployment.target,
            workflow=None,
            cold_start_seconds=(now - step.started_at).total_seconds() if was_cold else deployment.cold_start_seconds,
            restore=None,
        )
        self._moves.move(settled, final, "Serving." if final is Status.SERVING else "Asleep: zero instances.")
        return {}

    def _fail(self, deployment: Deployment, step: FailDeployment) -> dict[str, Any]:
        now, status, sentence = self.now(), deployment.status, step.error.sentence
        is_repeat = deployment.status_reason == sentence and _is_held(deployment, now)
        if deployment.workflow is None and (is_repeat or status in _CLOSED):
            self._moves.complete(deployment)
            return {}
        # Without an owner, this workflow failed before it could claim the deployment. That is written all the same:
        # executions are named after the record's version, and the one of this version is used up.
        if deployment.workflow is not None:
            self._must_own(deployment, step)
        after = _after_failure(status)
        failed = replace(
            deployment,
            workflow=None,
            desired=0 if after is Status.FAILED else _before(deployment),
            hold_until=now + HOLD_AFTER_FAILURE,
            restore=None,
        )
        self._moves.move(failed, after, sentence)
        return {}

    def _begin_retire(self, deployment: Deployment, step: BeginRetire) -> dict[str, Any]:
        # Instances that may be there, or on their way: what this step writes does not change the number.
        running = deployment.desired or deployment.restore or 0
        owner = deployment.workflow
        # A second retirement of what is retired finds nothing to release, and does no harm.
        if deployment.status is not Status.RETIRED and owner != step.execution:
            if owner is not None:
                # What it is in the middle of making would otherwise come up behind the release.
                self.workflows.stop(owner, "The deployment is being retired.")
            self._moves.move(replace(deployment, workflow=step.execution), Status.RETIRING, "Being retired.")
        self.routes.delete(deployment.name)
        drain = DRAIN_SECONDS if running else 1
        return _plan(self.now(), limit=RELEASE_LIMIT, drain_seconds=drain, change=-running)

    def _finish_retire(self, deployment: Deployment, step: FinishRetire) -> dict[str, Any]:
        if deployment.status is not Status.RETIRED:
            self._must_own(deployment, step)
            retired = replace(deployment, workflow=None, desired=0, restore=None, resources={}, target=None)
            self._moves.move(retired, Status.RETIRED, "Retired; nothing of it is left.")
        return {}

    def _take_over(self, deployment: Deployment, step: TakeOver) -> dict[str, Any]:
        """Own what an execution that was ended from outside has left, so that it can be cleaned up."""
        if deployment.workflow != step.execution:
            if deployment.workflow != step.replaces and deployment.version != step.version:
                raise Superseded(f"{deployment.name} is not what {step.replaces} left any more")
            reason = f"{step.error.sentence} What it left is being cleaned up."
            taken = replace(deployment, workflow=step.execution, status_reason=reason, updated_at=self.now())
            deployment = self.deployments.update(taken)
        release_by = (self.now() + RELEASE_LIMIT).isoformat()
        return _plan(self.now(), restore=_before(deployment), release_by=release_by)

    @property
    def _moves(self) -> StatusTransitions:
        return StatusTransitions(self.deployments, self.routes, self.events, self.now)

    def _must_own(self, deployment: Deployment, step: RecordStep) -> None:
        if deployment.workflow != step.execution:
            raise Superseded(f"{deployment.name} is worked on by {deployment.workflow}")


def _is_left_behind(step: BeginScale) -> bool:
    """Whether the record is right, and AWS has more than it says."""
    return step.reason.code is Code.LEFT_BEHIND


def _is_held(deployment: Deployment, now: datetime) -> bool:
    return deployment.hold_until is not None and now < deployment.hold_until


def _is_at_rest(deployment: Deployment, now: datetime) -> bool:
    return deployment.status in (Status.SERVING, Status.ASLEEP) and not deployment.is_claimed(now)


def _plan(now: datetime, *, limit: timedelta = START_LIMIT, **facts: Any) -> dict[str, Any]:
    return {"started_at": now.isoformat(), "deadline": (now + limit).isoformat(), **facts}


def _before(deployment: Deployment) -> int:
    """Return the instances that there were before the workflow at work."""
    return deployment.desired if deployment.restore is None else deployment.restore


def _after_failure(status: Status) -> Status:
    if status in (Status.WAKING, Status.ASLEEP):
        return Status.ASLEEP
    if status in (Status.SERVING, Status.DRAINING):
        return Status.SERVING
    if status is Status.RETIRING:
        return Status.RETIRING
    return Status.FAILED
