"""The rule in the check: a deployment's own prices, measured start and metrics, minute by minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from spillway.domain.decision import Code, Reason, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.schedule import floor_at
from spillway.domain.economics.ladders import in_check as on_paper
from spillway.domain.economics.rule import FORM, State, Traffic, step
from spillway.domain.economics.scenario import Scenario
from spillway.domain.economics.unserved import size_after, unserved_tokens
from spillway.domain.observations.traffic import LONGEST_GAP, SETTLED_AFTER, Load, Minute
from spillway.domain.pricing.price_book import TokenPrice

_MINUTE = timedelta(minutes=1)
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
    has_price = spec.spill is not None or spec.thresholds.waiting_usd_per_request is not None
    return has_size and has_price and deployment.cold_start_seconds is not None


def advance(
    memory: Mapping[str, Any] | None,
    deployment: Deployment,
    load: Load,
    usd_per_hour: float | None,
    price: TokenPrice | None,
    now: datetime,
    larger_usd_per_hour: float | None = None,
) -> Mapping[str, Any] | None:
    """Return the memory (JSON) with the minutes that are final by ``now``; None where something needed is unknown.

    ``price`` is that of the spill target's tokens. Without a target, what the user says that waiting costs counts.
    ``larger_usd_per_hour`` is the price of ``capacity.larger``, which is weighed on paper.
    """
    scenario = _scenario(deployment, usd_per_hour, price)
    if scenario is None:
        return None
    known_state = memory["state"] if memory else {}
    state = State.from_json(known_state) if known_state.get("form") == FORM else State.of(deployment.desired)
    minutes = {int(minute.at.timestamp()) // 60: minute for minute in load.minutes}
    reason = memory["reason"] if memory else None
    size = memory.get("tokens_per_request") if memory else None
    seen = []
    for at in minutes_due(state.minute, now):
        floor = floor_at(deployment.spec, datetime.fromtimestamp(at * 60, UTC) + _MINUTE)
        minute = minutes.get(at, Minute(datetime.fromtimestamp(at * 60, UTC)))
        size = size_after(size, minute)
        seen.append(_traffic(minute, scenario, size))
        state, _, found = step(state, seen[-1], scenario, at, floor)
        reason = reason_to_json(found) if found else reason
    ladder = on_paper.ladder_of(deployment, scenario, larger_usd_per_hour)
    known = memory.get("ladder") if memory else None
    weighed = on_paper.advance(known, seen, ladder, deployment.desired, now) if ladder else None
    return {"state": state.to_json(), "reason": reason, "tokens_per_request": size, "ladder": weighed}


def advice(memory: Mapping[str, Any] | None) -> Advice | None:
    """Return what the memory advises; None while nothing was counted."""
    if memory is None or memory["state"]["minute"] is None:
        return None
    if (reason := memory["reason"]) is None:
        return Advice(memory["state"]["wanted"], Reason(Code.STEADY, "No traffic so far would have paid.", 0, 0, "USD"))
    return Advice(memory["state"]["wanted"], Reason(**{**reason, "code": Code(reason["code"])}))


def minutes_due(last: int | None, now: datetime) -> range:
    """Return the minutes (since the epoch) after the ``last`` one seen that are final by ``now``."""
    final = int((now - SETTLED_AFTER).timestamp()) // 60 - 1
    return range(final if last is None else max(last + 1, final - LONGEST_GAP // _MINUTE + 1), final + 1)


def tokens_by_kind(minute: Minute, unserved: float = 0.0) -> tuple[float, float]:
    """Return a minute's prompt and completion tokens, whoever answered; ``unserved`` ones count as the primary's."""
    own = minute.primary_tokens + unserved
    prompt = minute.bedrock_prompt_tokens + own * _PROMPT_SHARE
    return prompt, minute.bedrock_completion_tokens + own * (1 - _PROMPT_SHARE)


def _scenario(deployment: Deployment, usd_per_hour: float | None, price: TokenPrice | None) -> Scenario | None:
    capacity = deployment.spec.capacity
    tokens, start = deployment.tokens_per_minute_per_instance, deployment.cold_start_seconds
    waiting = deployment.spec.thresholds.waiting_usd_per_request
    if not is_measured(deployment) or tokens is None or start is None or not usd_per_hour:
        return None
    if price is None and waiting is None:
        return None
    return Scenario(
        usd_per_instance_hour=usd_per_hour,
        tokens_per_minute_per_instance=tokens,
        cold_start_seconds=start,
        prompt_usd_per_million=price.prompt_usd if price else 0.0,
        completion_usd_per_million=price.completion_usd if price else 0.0,
        max_instances=capacity.max,
        waiting_usd_per_request=waiting,
    )


def _traffic(minute: Minute, scenario: Scenario, tokens_per_request: float | None) -> Traffic:
    unserved = 0.0
    if scenario.waiting_usd_per_request is not None:
        unserved = unserved_tokens(minute, tokens_per_request, scenario.tokens_per_minute_per_instance)
    prompt, completion = tokens_by_kind(minute, unserved)
    return Traffic(prompt + completion, scenario.spill_usd(prompt, completion, minute.requests))
