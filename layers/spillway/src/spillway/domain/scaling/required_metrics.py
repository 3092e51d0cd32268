"""Which metrics the check needs of a deployment: CloudWatch bills every one of them every time it is read."""

from collections.abc import Set
from enum import StrEnum

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.spec import Path
from spillway.domain.deployments.status import Status
from spillway.domain.economics.in_check import is_measured


class Signal(StrEnum):
    """What can be read about a deployment."""

    REQUESTS = "requests"
    PRIMARY_REQUESTS = "primary_requests"
    BEDROCK_TOKENS = "bedrock_tokens"
    PRIMARY_TOKENS = "primary_tokens"
    ENGINES = "engines"


def signals_of(deployment: Deployment) -> Set[Signal]:
    """Return what a decision about the deployment can depend on now.

    Requests wake and keep awake what has instances; tokens matter to a budget, and to what weighs its traffic in
    dollars; without a spill target, how many requests found nobody matters too. An imported model is billed for the
    minutes in which it answers. Only a fleet's own instances tell about their engines, and only while there are any.
    """
    spec = deployment.spec
    signals = set()
    if spec.path is not Path.BEDROCK:
        signals.add(Signal.REQUESTS)
    if spec.budget is not None or (is_measured(deployment) and spec.spill is not None):
        signals.add(Signal.BEDROCK_TOKENS)
    if is_measured(deployment):
        signals.add(Signal.PRIMARY_TOKENS)
        if spec.spill is None:
            signals.add(Signal.PRIMARY_REQUESTS)
    if spec.path is Path.IMPORT:
        signals |= {Signal.PRIMARY_REQUESTS, Signal.PRIMARY_TOKENS}
        if spec.spill is not None:
            signals.add(Signal.BEDROCK_TOKENS)
    if spec.path is Path.FLEET and deployment.status is Status.SERVING:
        signals.add(Signal.ENGINES)
    return signals
