"""The route that follows from a deployment's status and what was last seen of it."""

import math
from datetime import datetime

from spillway.domain.capabilities.card import UNKNOWN
from spillway.domain.capabilities.deployment_cards import cards_of
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.economics.in_check import is_measured
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load
from spillway.domain.paths.bedrock import bedrock_target
from spillway.domain.paths.bedrock_models import CalledModel
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.routing.route import Route, RouteState
from spillway.domain.scaling.saturation import saturation

# What a client is told to wait for a start that was never measured: the slower half of the published cold starts
# (data: 134 to 525 s for SageMaker and EC2 scale-outs).
UNMEASURED_COLD_START_SECONDS = 300

_BY_STATUS: dict[Status, tuple[RouteState, Code, str]] = {
    Status.REQUESTED: (RouteState.WARMING, Code.REQUESTED, "The deployment was just asked for."),
    Status.PROVISIONING: (RouteState.WARMING, Code.STARTING, "Capacity is being provisioned."),
    Status.WARMING: (RouteState.WARMING, Code.STARTING, "Capacity is starting and loading the model."),
    Status.WAKING: (RouteState.WARMING, Code.STARTING, "The fleet is waking up."),
    Status.ASLEEP: (RouteState.COLD, Code.ASLEEP, "The fleet is asleep."),
    Status.DRAINING: (RouteState.DRAINING, Code.DRAINING, "The fleet is draining before it sleeps."),
    Status.FAILED: (RouteState.FAILED, Code.DEPLOY_FAILED, "The deployment failed."),
    Status.RETIRING: (RouteState.DRAINING, Code.RETIRED, "The deployment is being retired."),
    Status.RETIRED: (RouteState.DRAINING, Code.RETIRED, "The deployment is retired."),
}


def route_of(
    deployment: Deployment,
    capacity: Capacity | None = None,
    load: Load | None = None,
    version: int = 0,
    unused: Reason | None = None,
) -> Route:
    """Return the deployment's route; ``version`` is that of the stored route it replaces.

    Without ``capacity`` a serving deployment is taken to be ready, as when a workflow has just proved it. ``unused`` is
    why a primary that could answer is to be left alone.
    """
    state, code, reason, share = _state_of(deployment, capacity, load)
    if unused is not None and state is RouteState.READY:
        state, code, reason = RouteState.COLD, unused.code, unused.sentence
    ready, starting = (capacity.ready, capacity.starting) if capacity is not None else _expected(deployment)
    spec = deployment.spec
    cards = cards_of(spec, deployment.called, deployment.resources)
    return Route(
        name=spec.name,
        state=state,
        primary=deployment.target,
        spill=spill_target(deployment),
        code=code,
        reason=reason,
        spill_share=share,
        first_byte_seconds=spec.thresholds.cold_start_after_seconds,
        retry_after_seconds=retry_after_seconds(deployment),
        # Where traffic is weighed in dollars, the check wakes when it pays; a single request does not.
        wakes=spec.profile.has_instances and not is_measured(deployment),
        context_length=spec.engine.max_model_len if spec.profile.runs_engine else None,
        created=int(deployment.created_at.timestamp()),
        version=version,
        deployment_version=deployment.version,
        ready=ready,
        starting=starting,
        logs_text=spec.request_log.text,
        default_max_tokens=spec.thresholds.default_max_tokens,
        primary_card=cards.primary,
        spill_card=cards.spill or UNKNOWN,
    )


def _expected(deployment: Deployment) -> tuple[int, int]:
    """Return the instances ready and starting that follow from the status alone, as a workflow has just set it."""
    if deployment.status is Status.SERVING:
        return deployment.desired, 0
    is_starting = deployment.status in (Status.PROVISIONING, Status.WARMING, Status.WAKING)
    return 0, deployment.desired if is_starting else 0


def may_replace(route: Route, deployment: Deployment) -> bool:
    """Whether a record is new enough for its route to take the place of ``route``.

    A record read before a workflow moved the deployment on must not undo the route that the workflow wrote.
    """
    return deployment.version >= route.deployment_version


def is_still_lost(route: Route, deployment: Deployment, capacity: Capacity, now: datetime) -> bool:
    """Whether AWS's word that the primary goes outweighs that it still seems to be there.

    Once nothing is ready it has gone, and once more is ready than was asked for its replacement has come: from then on
    what is seen counts again.
    """
    return now.timestamp() < route.lost_until and 0 < capacity.ready <= deployment.desired


def spill_target(deployment: Deployment) -> BedrockTarget | None:
    """Return the Bedrock target that takes what the primary cannot, by the id that the catalog said it is called by."""
    spill = deployment.spec.spill
    if spill is None:
        return None
    called = deployment.called.get(spill.model_id) or CalledModel(spill.model_id, spill.model_id, ())
    return bedrock_target(called.called_id, called.model_id, spill.api)


def retry_after_seconds(deployment: Deployment) -> int:
    """Return how long a client should wait for a start: as long as the last one took.

    Of an imported model only its import was measured, not how long a copy takes to load.
    """
    measured = deployment.cold_start_seconds if deployment.spec.profile.has_instances else None
    return math.ceil(measured or UNMEASURED_COLD_START_SECONDS)


def _state_of(
    deployment: Deployment, capacity: Capacity | None, load: Load | None
) -> tuple[RouteState, Code, str, float]:
    if deployment.status is not Status.SERVING:
        state, code, reason = _BY_STATUS[deployment.status]
        return state, code, reason, 0.0
    if capacity is not None and capacity.ready == 0:
        return RouteState.WARMING, Code.CAPACITY_LOST, "No instance answers; replacements are starting.", 0.0
    if load is not None and capacity is not None:
        found = saturation(deployment.spec.thresholds, load, capacity)
        if found is not None:
            # What is not more than the fleet can take still tries it first.
            return RouteState.SATURATED, found.reason.code, found.reason.sentence, found.share
    return RouteState.READY, Code.READY, "The primary is ready.", 0.0
