"""What the check needs to read of a deployment."""

from collections.abc import Set

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.signals import Signal


def signals_of(deployment: Deployment) -> Set[Signal]:
    """Return what a decision about the deployment, or an alert, can depend on now."""
    path = deployment.spec.profile
    signals = set(path.signals)
    if deployment.status is Status.SERVING:
        signals |= path.serving_signals
    return signals
