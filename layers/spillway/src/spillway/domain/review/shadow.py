"""Shadow pricing: the fleet that a Bedrock deployment does not have, run over the traffic that it had."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.decision import Action, Code, Decision, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.baselines import Spillway
from spillway.domain.economics.replay import run
from spillway.domain.economics.scenario import MINUTES_PER_HOUR, Scenario
from spillway.domain.economics.trace import Trace
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.model_catalog import find
from spillway.domain.paths.path import Path
from spillway.domain.planner.request import COLD_START_SECONDS, TARGET_UTILISATION
from spillway.domain.pricing.measured_throughput import own_throughput
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.pricing.throughput import Benchmarks, Throughput
from spillway.domain.review.record import Shadow


@dataclass(frozen=True)
class HourOnBedrock:
    """What one hour's requests used, and what Bedrock charged for it in USD, None where the price is unknown."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class _Machine:
    throughput: Throughput
    usd_per_hour: float


def shadow_of(
    deployment: Deployment,
    hours: Sequence[HourOnBedrock],
    prices: PriceBook,
    benchmarks: Benchmarks,
    region: str,
    until: datetime,
) -> Shadow:
    """Return the cheapest fleet for these hours, which end at ``until`` and follow each other.

    An hour's traffic is spread evenly over its minutes, which flatters a fleet; an instance counts with a share of its
    measured throughput for that, as in a plan. On demand, EC2, without a load balancer.
    """
    tokens, charged = sum(hour.tokens for hour in hours), [hour.usd for hour in hours if hour.usd is not None]
    bedrock_usd = sum(charged) if len(charged) == len(hours) else None

    def unknown(why: str) -> Shadow:
        return Shadow(until, len(hours), tokens, bedrock_usd, why)

    if bedrock_usd is None:
        return unknown(f"no price of {deployment.spec.model.id}'s tokens on Bedrock is known: PUT /prices/overrides")
    machines = _machines(deployment, hours, prices, benchmarks, region)
    if not machines:
        return unknown(
            f"no instance type is known whose price and throughput with {deployment.spec.model.id} are: state "
            "capacity.instance_types and capacity.tokens_per_minute_per_instance"
        )
    found = [_with(machine, deployment, hours, until) for machine in machines]
    return min(found, key=lambda shadow: shadow.fleet_usd or 0.0)


def decision_of(shadow: Shadow, deployment: Deployment) -> Decision | None:
    """Return the standing answer as a decision to do nothing, with its numbers; None where there is no answer."""
    if shadow.pays is None or shadow.fleet_usd is None or shadow.bedrock_usd is None:
        return None
    code = Code.FLEET_PAYS if shadow.pays else Code.BEDROCK_PAYS
    reason = Reason(code, sentence_of(shadow), round(shadow.fleet_usd, 4), round(shadow.bedrock_usd, 4), "USD")
    saved = (shadow.bedrock_usd - shadow.fleet_usd) / shadow.hours if shadow.pays else 0.0
    return Decision(Action.HOLD, deployment.desired, reason, round(-saved, 6))


def sentence_of(shadow: Shadow) -> str:
    """Say both prices, and what the fleet's rests on."""
    bedrock = f"Bedrock charged ${shadow.bedrock_usd:,.2f} for {shadow.tokens:,} tokens in {shadow.hours} hours"
    if shadow.instance_hours == 0:
        return f"{bedrock}; no {shadow.instance_type} would have paid in any of them. {shadow.why}"
    return (
        f"{bedrock}; up to {shadow.instances} x {shadow.instance_type} for {shadow.instance_hours:,.1f} instance hours "
        f"with {shadow.spilled_share:.0%} spilled would have cost ${shadow.fleet_usd:,.2f}. {shadow.why}"
    )


def _machines(
    deployment: Deployment,
    hours: Sequence[HourOnBedrock],
    prices: PriceBook,
    benchmarks: Benchmarks,
    region: str,
) -> list[_Machine]:
    model, requests = find(deployment.spec.model.id), max(1, sum(hour.requests for hour in hours))
    prompt = sum(hour.prompt_tokens for hour in hours) / requests
    completion = sum(hour.completion_tokens for hour in hours) / requests
    found = []
    for name in deployment.spec.capacity.instance_types or (model.instance_types if model else ()):
        bare = ec2_instance_type(name)
        price = prices.instance(Path.FLEET, bare, region)
        throughput = own_throughput(deployment, bare) or benchmarks.of(
            deployment.spec.model.id, bare, prompt, completion
        )
        if price and throughput:
            found.append(_Machine(throughput, price.usd_per_hour))
    return found


def _with(machine: _Machine, deployment: Deployment, hours: Sequence[HourOnBedrock], until: datetime) -> Shadow:
    """Run the check's own rule over the hours."""
    start = deployment.cold_start_seconds or COLD_START_SECONDS
    scenario = Scenario(
        usd_per_instance_hour=machine.usd_per_hour,
        tokens_per_minute_per_instance=machine.throughput.tokens_per_hour() * TARGET_UTILISATION / MINUTES_PER_HOUR,
        cold_start_seconds=start,
    )
    by_minute = {name: _spread(hours, name) for name in ("requests", "prompt_tokens", "completion_tokens", "usd")}
    first = int(until.timestamp()) // 60 - len(hours) * MINUTES_PER_HOUR
    trace = Trace(by_minute["requests"], by_minute["prompt_tokens"], by_minute["completion_tokens"], first)
    tokens = trace.tokens()
    fleet, sizes = run(Spillway(scenario), trace, tokens, by_minute["usd"], scenario)
    total = sum(tokens)
    return Shadow(
        at=until,
        hours=len(hours),
        tokens=round(total),
        bedrock_usd=sum(by_minute["usd"]),
        why=f"Counted with {TARGET_UTILISATION:.0%} of {machine.throughput.conditions()}, at ${machine.usd_per_hour:g} "
        f"an hour on demand and starts of {start:.0f} s, without a load balancer.",
        fleet_usd=fleet.usd,
        instance_type=machine.throughput.instance_type,
        instances=max(sizes, default=0),
        instance_hours=fleet.instance_minutes / MINUTES_PER_HOUR,
        spilled_share=fleet.spilled_tokens / total if total else 0.0,
    )


def _spread(hours: Sequence[HourOnBedrock], name: str) -> "array[float]":
    minutes = array("d")
    for hour in hours:
        minutes.extend([(getattr(hour, name) or 0.0) / MINUTES_PER_HOUR] * MINUTES_PER_HOUR)
    return minutes
