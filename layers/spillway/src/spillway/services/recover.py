"""What follows when an execution ended without telling: aborted, timed out, or failed before it could record that."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.alerts.kinds import AlertKind, alert_of
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import NotFound
from spillway.ports import Alerts, Deployments, Workflows
from spillway.services.events.notices import ExecutionEnded

logger = logging.getLogger(__name__)

# A clean-up that is ended from outside as well is begun again, but not for ever.
_CLEAN_UPS = 3


@dataclass(frozen=True)
class Recover:
    """``run`` starts the same workflow once more, which takes the deployment over and goes the way of a failure."""

    deployments: Deployments
    workflows: Workflows
    alerts: Alerts
    now: Callable[[], datetime]

    def run(self, ended: ExecutionEnded) -> None:
        """Handle the end of an execution, as Step Functions tells of it; an end that was recorded needs nothing."""
        given = ended.given
        try:
            deployment = self.deployments.get(given.deployment)
        except NotFound:
            return
        # Of benchmarks only their own records know: closing one that is closed does no harm.
        benchmark = given.benchmark
        if benchmark is None and not _is_unrecorded(ended, deployment):
            return
        clean_ups = given.clean_ups + 1
        if clean_ups > _CLEAN_UPS:
            if benchmark is None:
                # A benchmark leaves nothing that bills: its alarm is enough.
                self._give_up(ended, deployment)
            return
        workflow = ended.state_machine.rsplit("-", 1)[-1]
        payload = {
            "deployment": deployment.name,
            "path": deployment.spec.path,
            "replaces": ended.execution,
            "version": deployment.version,
            "clean_ups": clean_ups,
            "failure": _failure(ended, workflow),
        }
        if benchmark is not None:
            payload["benchmark"] = benchmark
        execution = f"{deployment.name}-recover-{clean_ups}-{benchmark or deployment.version}"
        started = self.workflows.start(workflow, execution, payload)
        logger.warning("workflow lost", extra={"lost": ended.execution, "clean_up": started})

    def _give_up(self, ended: ExecutionEnded, deployment: Deployment) -> None:
        sentence = f"The clean-up {ended.name} was {ended.status}, like {_CLEAN_UPS - 1} before it."
        reason = Reason(Code.INTERRUPTED, sentence)
        self.alerts.send(alert_of(AlertKind.RETIRE_FAILED, deployment, reason, self.now(), ended.name))


def _is_unrecorded(ended: ExecutionEnded, deployment: Deployment) -> bool:
    if deployment.workflow is None:
        # It ended before its claim: executions are named after the version that they would have changed.
        return ended.name.endswith(f"-{deployment.version}")
    # A clean-up may end before it has taken over what it was to clean up.
    return deployment.workflow in (ended.execution, ended.given.replaces)


def _failure(ended: ExecutionEnded, workflow: str) -> dict[str, str]:
    error, cause = ended.error or ended.status, ended.cause or f"The {workflow} workflow was ended from outside."
    if error == f"{workflow.capitalize()}Failed":
        # Its last state has a name of ours, and puts that of what failed before its cause.
        error, _, cause = cause.partition(": ")
    return {"Error": error, "Cause": cause}
