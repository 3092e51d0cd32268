"""Which metrics the check needs of a deployment: CloudWatch bills every one of them every time it is read."""

from collections.abc import Set

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.economics.in_check import is_measured
from spillway.domain.observations.signals import Signal
from spillway.domain.paths.path import Billing


def signals_of(deployment: Deployment) -> Set[Signal]:
    """Return what a decision about the deployment can depend on now.

    Beside what its path needs of every deployment, tokens matter to a budget, and to what weighs its traffic in
    dollars; without a spill target, how many requests found nobody matters too.
    """
    spec = deployment.spec
    path = spec.profile
    signals = set(path.metrics)
    is_weighed = is_measured(deployment) or spec.path.billing is Billing.WINDOW
    if spec.budget is not None or (is_weighed and spec.spill is not None):
        signals.add(Signal.BEDROCK_TOKENS)
    if is_measured(deployment):
        signals.add(Signal.PRIMARY_TOKENS)
        if spec.spill is None:
            signals.add(Signal.PRIMARY_REQUESTS)
    if deployment.status is Status.SERVING:
        signals |= path.serving_metrics
    return signals
