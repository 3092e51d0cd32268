"""The rule in the check: a deployment's own prices, measured start and counts, minute by minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from spillway.domain.decision import Code, Reason, reason_from_json, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.schedule import floor_at
from spillway.domain.economics.ladders import in_check as on_paper
from spillway.domain.economics.ladders.in_check import LadderEconomy
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


@dataclass(frozen=True)
class FleetEconomy:
    """What the weighing of a fleet's traffic keeps from one minute to the next.

    ``state`` is the rule's, None where another version kept it in another form, ``reason`` that of its last change.
    ``tokens_per_request`` is the mean of answered requests. ``ladder`` is None where no larger instances are named.
    """

    state: State | None = None
    reason: Reason | None = None
    tokens_per_request: float | None = None
    ladder: LadderEconomy | None = None

    @property
    def advice(self) -> Advice | None:
        """What the traffic so far advises; None while nothing was counted."""
        if self.state is None or self.state.minute is None:
            return None
        nothing_paid = Reason(Code.STEADY, "No traffic so far would have paid.", 0, 0, "USD")
        return Advice(self.state.wanted, self.reason or nothing_paid)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "state": self.state.to_json() if self.state else {},
            "reason": reason_to_json(self.reason) if self.reason else None,
            "tokens_per_request": self.tokens_per_request,
            "ladder": self.ladder.to_json() if self.ladder else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FleetEconomy":
        """Read back what :meth:`to_json` wrote, also before sizes and ladders were kept."""
        state, reason, ladder = data["state"], data["reason"], data.get("ladder")
        return cls(
            State.from_json(state) if state.get("form") == FORM else None,
            reason_from_json(reason) if reason else None,
            data.get("tokens_per_request"),
            LadderEconomy.from_json(ladder) if ladder else None,
        )


def is_measured(deployment: Deployment) -> bool:
    """Whether enough is known of a deployment to count in dollars, prices aside."""
    spec = deployment.spec
    has_size = deployment.tokens_per_minute_per_instance is not None
    has_price = spec.spill is not None or spec.thresholds.waiting_usd_per_request is not None
    return has_size and has_price and deployment.cold_start_seconds is not None


def advance(
    known: FleetEconomy | None,
    deployment: Deployment,
    load: Load,
    usd_per_hour: float | None,
    price: TokenPrice | None,
    now: datetime,
    larger_usd_per_hour: float | None = None,
) -> FleetEconomy | None:
    """Return what is known with the minutes that are final by ``now``; None where something needed is unknown.

    ``price`` is that of the spill target's tokens. Without a target, what the user says that waiting costs counts.
    ``larger_usd_per_hour`` is the price of ``capacity.larger``, which is weighed on paper.
    """
    scenario = _scenario(deployment, usd_per_hour, price)
    if scenario is None:
        return None
    known = known or FleetEconomy()
    state = known.state.copy() if known.state else State.of(deployment.desired)
    minutes = {int(minute.at.timestamp()) // 60: minute for minute in load.minutes}
    reason, size, seen = known.reason, known.tokens_per_request, []
    for at in minutes_due(state.minute, now):
        floor = floor_at(deployment.spec, datetime.fromtimestamp(at * 60, UTC) + _MINUTE)
        minute = minutes.get(at, Minute(datetime.fromtimestamp(at * 60, UTC)))
        size = size_after(size, minute)
        seen.append(_traffic(minute, scenario, size))
        state, _, found = step(state, seen[-1], scenario, at, floor)
        reason = found or reason
    ladder = on_paper.ladder_of(deployment, scenario, larger_usd_per_hour)
    weighed = on_paper.advance(known.ladder, seen, ladder, deployment.desired, now) if ladder else None
    return FleetEconomy(state, reason, size, weighed)


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
