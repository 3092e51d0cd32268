"""What Spillway does when AWS or the gateway tells it something, instead of waiting for the next check."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from spillway.domain.alerts.kinds import AlertKind, alert_of
from spillway.domain.decision import Action, Code, Decision, Reason, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.schedule import floor_at
from spillway.domain.deployments.status import Status
from spillway.domain.errors import NotFound, Superseded
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.profile import CapacitySource
from spillway.domain.routing.route import Route
from spillway.domain.routing.route_for_status import may_replace, route_of
from spillway.ports import Alerts, Decisions, Deployments, Events, InstanceGroups, Routes, Workflows
from spillway.services.events.notices import (
    EndpointStateChanged,
    ExecutionEnded,
    Launched,
    LaunchFailed,
    Notice,
    SpotInterruption,
    WakeRequested,
)
from spillway.services.recover import Recover

logger = logging.getLogger(__name__)

# SageMaker writes its statuses in capitals in events, unlike in its API.
_ENDPOINT_GONE = ("FAILED", "OUT_OF_SERVICE")
_ENDPOINT_BACK = "IN_SERVICE"
# Two minutes' notice, and as much for Auto Scaling to see that the instance has gone.
_SPOT_LOSS = timedelta(minutes=4)
# SageMaker's list of components doesn't tell that their endpoint has failed. Its own event ends this sooner.
_ENDPOINT_LOSS = timedelta(minutes=15)
_ATTEMPTS = 3


@dataclass(frozen=True)
class HandleEvent:
    """``run`` handles one event; an event about something that is not ours, or no longer, is dropped."""

    stack: str
    deployments: Deployments
    routes: Routes
    decisions: Decisions
    groups: InstanceGroups
    workflows: Workflows
    alerts: Alerts
    events: Events
    now: Callable[[], datetime]

    def run(self, notice: Notice) -> None:
        """Handle one EventBridge event."""
        match notice:
            case WakeRequested():
                self._wake(notice)
            case EndpointStateChanged():
                self._endpoint(notice)
            case LaunchFailed():
                self._launch_failed(notice)
            case Launched():
                self._launched(notice)
            case SpotInterruption():
                self._spot_notice(notice)
            case ExecutionEnded():
                Recover(self.deployments, self.workflows, self.alerts, self.now).run(notice)
            case _:
                assert_never(notice)

    def _wake(self, notice: WakeRequested) -> None:
        try:
            deployment = self.deployments.get(notice.deployment)
        except NotFound:
            return
        now = self.now()
        held = deployment.hold_until is not None and now < deployment.hold_until
        if deployment.status is not Status.ASLEEP or deployment.is_claimed(now) or held:
            return
        reason = Reason(Code.TRAFFIC_RETURNED, "A request came for a fleet that is asleep.", 1, 0, "requests")
        payload = {
            "deployment": deployment.name,
            "path": deployment.spec.path,
            "desired": max(floor_at(deployment.spec, now), 1),
            "reason": reason_to_json(reason),
        }
        # One wake for one sleep: the version does not change while it sleeps.
        self.workflows.start("scale", f"{deployment.name}-{Action.WAKE}-{deployment.version}", payload)

    def _endpoint(self, notice: EndpointStateChanged) -> None:
        deployment, status = self._named(notice.endpoint, CapacitySource.ENDPOINT), notice.status
        if deployment is None:
            return
        if status in _ENDPOINT_GONE:
            reason = Reason(Code.CAPACITY_LOST, f"SageMaker says that the endpoint is {status}.")
            self._lose_primary(deployment, reason, _ENDPOINT_LOSS)
        elif status == _ENDPOINT_BACK:
            self._regain_primary(deployment)

    def _launch_failed(self, notice: LaunchFailed) -> None:
        deployment = self._named(notice.group, CapacitySource.GROUP)
        if deployment is None:
            return
        # No alert: the workflow that waits for the instance, or the check, alerts once for what comes of it.
        reason = Reason(Code.NO_CAPACITY, notice.message)
        self._note(deployment, reason)
        self.events.publish("InstanceLaunchFailed", deployment.name, {"reason": reason.sentence})

    def _launched(self, notice: Launched) -> None:
        deployment = self._named(notice.group, CapacitySource.GROUP)
        if deployment is None:
            return
        self._regain_primary(deployment)
        self.events.publish("InstanceLaunched", deployment.name, {"instance": notice.instance})

    def _spot_notice(self, notice: SpotInterruption) -> None:
        instance = notice.instance
        group = self.groups.group_of(instance)
        deployment = self._named(group, CapacitySource.GROUP) if group else None
        if deployment is None:
            return
        reason = Reason(Code.SPOT_NOTICE, f"AWS takes spot instance {instance} back in two minutes.")
        if deployment.desired <= 1:
            self._lose_primary(deployment, reason, _SPOT_LOSS)
        else:
            self._note(deployment, reason)
        self.alerts.send(alert_of(AlertKind.SPOT_NOTICE, deployment, reason, self.now(), instance, usd_per_hour=0.0))

    def _lose_primary(self, deployment: Deployment, reason: Reason, lasting: timedelta) -> None:
        self._note(deployment, reason)
        if deployment.status is not Status.SERVING:
            return
        until = int((self.now() + lasting).timestamp())
        seen = route_of(deployment, Capacity(desired=deployment.desired))
        lost = replace(seen, code=reason.code, reason=reason.sentence, lost_until=until)
        self._change_route(deployment, lambda route: replace(lost, version=route.version))

    def _regain_primary(self, deployment: Deployment) -> None:
        """Let the next check believe again what it sees."""
        self._change_route(deployment, lambda route: replace(route, lost_until=0))

    def _change_route(self, deployment: Deployment, change: Callable[[Route], Route]) -> None:
        for _ in range(_ATTEMPTS):
            route = self.routes.get(deployment.name)
            if route is None or not may_replace(route, deployment) or change(route) == route:
                return
            try:
                self.routes.put(change(route))
                return
            except Superseded:
                # Most likely a check that saw what was there before: this is news to it.
                logger.info("route changed meanwhile", extra={"deployment": deployment.name})

    def _note(self, deployment: Deployment, reason: Reason) -> None:
        self.decisions.add(deployment.name, Decision(Action.HOLD, deployment.desired, reason, 0.0), self.now())

    def _named(self, resource: str, kind: CapacitySource) -> Deployment | None:
        """Return whose a resource of a kind is, by its name; another stack's may be called as a deployment's here."""
        for deployment in self.deployments.all().deployments:
            is_called_so = Names(self.stack, deployment.name).base == resource
            has_such = deployment.spec.profile.capacity is kind
            if is_called_so and has_such and deployment.status is not Status.RETIRED:
                return deployment
        return None
