"""The rule in the check: a deployment's own prices, measured start and metrics, minute by minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from spillway.domain.decision import Code, Reason, reason_to_json
from spillway.domain.deployment import Deployment
from spillway.domain.economics.rule import State, Traffic, step
from spillway.domain.economics.scenario import Scenario
from spillway.domain.load import Load, Minute
from spillway.domain.prices import TokenPrice
from spillway.domain.schedule import floor_at

_MINUTE = timedelta(minutes=1)
# CloudWatch may show a minute's datapoint late; after this long it is taken as final.
_SETTLED_AFTER = timedelta(minutes=2)
# After a longer gap nobody knows what happened meanwhile: those minutes are left out.
_LONGEST_GAP_MINUTES = 15
# Own instances report their tokens as one number. Public chat logs have four to five prompt tokens to one of the
# answer; fewer prompt tokens than that would make the traffic look dearer than it may be.
_PROMPT_SHARE = 0.8


@dataclass(frozen=True)
class Advice:
    """How many instances the traffic pays for, and why the last change was due."""

    wanted: int
    reason: Reason


def is_measured(deployment: Deployment) -> bool:
    """Whether enough is known of a deployment to count in dollars, prices aside."""
    spec = deployment.spec
    has_size = deployment.tokens_per_minute_per_instance is not None
    return has_size and spec.spill is not None and deployment.cold_start_seconds is not None


def advance(
    memory: Mapping[str, Any] | None,
    deployment: Deployment,
    load: Load,
    usd_per_hour: float | None,
    price: TokenPrice | None,
    now: datetime,
) -> Mapping[str, Any] | None:
    """Return the memory (JSON) with the minutes that are final by ``now``; None where something needed is unknown."""
    scenario = _scenario(deployment, usd_per_hour, price)
    if scenario is None or price is None:
        return None
    state = State.from_json(memory["state"]) if memory else State.of(deployment.desired)
    last = int((now - _SETTLED_AFTER).timestamp()) // 60 - 1
    first = last if state.minute is None else max(state.minute + 1, last - _LONGEST_GAP_MINUTES + 1)
    minutes = {int(minute.at.timestamp()) // 60: minute for minute in load.minutes}
    reason = memory["reason"] if memory else None
    for at in range(first, last + 1):
        floor = floor_at(deployment.spec, datetime.fromtimestamp(at * 60, UTC) + _MINUTE)
        state, _, found = step(state, _traffic(minutes.get(at), price), scenario, at, floor)
        reason = reason_to_json(found) if found else reason
    return {"state": state.to_json(), "reason": reason}


def advice(memory: Mapping[str, Any] | None) -> Advice | None:
    """Return what the memory advises; None while nothing was counted."""
    if memory is None or memory["state"]["minute"] is None:
        return None
    if (reason := memory["reason"]) is None:
        return Advice(memory["state"]["wanted"], Reason(Code.STEADY, "No traffic so far would have paid.", 0, 0, "USD"))
    return Advice(memory["state"]["wanted"], Reason(**{**reason, "code": Code(reason["code"])}))


def _scenario(deployment: Deployment, usd_per_hour: float | None, price: TokenPrice | None) -> Scenario | None:
    capacity = deployment.spec.capacity
    tokens, start = deployment.tokens_per_minute_per_instance, deployment.cold_start_seconds
    if not is_measured(deployment) or tokens is None or start is None or not usd_per_hour or price is None:
        return None
    return Scenario(
        usd_per_instance_hour=usd_per_hour,
        tokens_per_minute_per_instance=tokens,
        cold_start_seconds=start,
        prompt_usd_per_million=price.prompt_usd,
        completion_usd_per_million=price.completion_usd,
        max_instances=capacity.max,
    )


def _traffic(minute: Minute | None, price: TokenPrice) -> Traffic:
    if minute is None:
        return Traffic(0.0, 0.0)
    own = minute.primary_tokens
    prompt = minute.bedrock_prompt_tokens + own * _PROMPT_SHARE
    completion = minute.bedrock_completion_tokens + own * (1 - _PROMPT_SHARE)
    usd = (prompt * price.prompt_usd + completion * price.completion_usd) / 1e6
    return Traffic(prompt + completion, usd)
