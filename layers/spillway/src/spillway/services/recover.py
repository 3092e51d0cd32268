"""What follows when an execution ended without telling: aborted, timed out, or failed before it could record that."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spillway.domain.alerts.kinds import News, alert_of
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import NotFound
from spillway.ports import Alerts, Deployments, Workflows

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

    def run(self, detail: Mapping[str, Any]) -> None:
        """Handle the end of an execution, as Step Functions tells of it; an end that was recorded needs nothing."""
        given = json.loads(detail["input"])
        try:
            deployment = self.deployments.get(given.get("deployment", ""))
        except NotFound:
            return
        # Of benchmarks only their own records know: closing one that is closed does no harm.
        benchmark = given.get("benchmark")
        if benchmark is None and not _is_unrecorded(detail, given, deployment):
            return
        clean_ups = given.get("clean_ups", 0) + 1
        if clean_ups > _CLEAN_UPS:
            if benchmark is None:
                # A benchmark leaves nothing that bills: its alarm is enough.
                self._give_up(detail, deployment)
            return
        workflow = str(detail["stateMachineArn"]).rsplit("-", 1)[-1]
        payload = {
            "deployment": deployment.name,
            "path": deployment.spec.path,
            "replaces": detail["executionArn"],
            "version": deployment.version,
            "clean_ups": clean_ups,
            "failure": {"Error": detail.get("error") or detail["status"], "Cause": _cause(detail, workflow)},
        }
        if benchmark is not None:
            payload["benchmark"] = benchmark
        execution = f"{deployment.name}-recover-{clean_ups}-{benchmark or deployment.version}"
        started = self.workflows.start(workflow, execution, payload)
        logger.warning("workflow lost", extra={"lost": detail["executionArn"], "clean_up": started})

    def _give_up(self, detail: Mapping[str, Any], deployment: Deployment) -> None:
        sentence = f"The clean-up {detail['name']} was {detail['status']}, like {_CLEAN_UPS - 1} before it."
        reason = Reason(Code.INTERRUPTED, sentence)
        self.alerts.send(alert_of(News.RETIRE_FAILED, deployment, reason, self.now(), detail["name"]))


def _is_unrecorded(detail: Mapping[str, Any], given: Mapping[str, Any], deployment: Deployment) -> bool:
    if deployment.workflow is None:
        # It ended before its claim: executions are named after the version that they would have changed.
        return str(detail["name"]).endswith(f"-{deployment.version}")
    # A clean-up may end before it has taken over what it was to clean up.
    return deployment.workflow in (detail["executionArn"], given.get("replaces"))


def _cause(detail: Mapping[str, Any], workflow: str) -> str:
    return detail.get("cause") or f"The {workflow} workflow was ended from outside."
