"""Lasting states of the places that answer: a spill target that fails, and what Bedrock will go on refusing.

The gateway counts the requests that met such a refusal, by the minute; the check sees them a minute later.
"""

from collections.abc import Iterable, Set

from spillway.domain.alerts.conditions import Condition
from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.observations.traffic import Load, Minute

_SAYS = {
    AlertKind.SPILL_FAILED: "{count} request(s) of the last minutes got no answer from the spill target{model}.",
    AlertKind.QUOTA_USED_UP: "{count} request(s) of the last minutes met a day's quota of tokens that is used up.",
    AlertKind.ACCESS_DENIED: "{count} request(s) of the last minutes were denied by a policy's explicit deny.",
}


def target_conditions(deployment: Deployment, load: Load, told: Set[str]) -> Iterable[Condition]:
    """Return the states that hold by the minutes that were read; one ``told`` of before holds until Bedrock answers."""
    bedrock_answers = any(minute.bedrock_completion_tokens for minute in load.minutes)
    for kind, sentence in _SAYS.items():
        if kind is AlertKind.SPILL_FAILED and deployment.spec.spill is None:
            continue
        count = sum(_met(minute, kind) for minute in load.minutes)
        if count or (kind in told and not bedrock_answers):
            model = f" {deployment.spill_model}" if deployment.spill_model else ""
            reason = Reason(Code(kind), sentence.format(count=count, model=model), count, None, "requests")
            yield Condition(kind, kind, reason)


def _met(minute: Minute, kind: AlertKind) -> int:
    count: int = getattr(minute, kind.value)
    return count
