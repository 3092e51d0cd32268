"""What a plan rests on, each fact marked as measured, from the price snapshot, given, or assumed."""

from dataclasses import dataclass
from typing import Literal

from spillway.domain.planner.inputs import Family, Inputs
from spillway.domain.planner.traffic_profile import TrafficProfile, examples
from spillway.domain.pricing.price_book import HOURS_PER_MONTH, LOAD_BALANCER, Source, TokenPrice

Kind = Literal["measured", "snapshot", "given", "assumed"]


@dataclass(frozen=True)
class Fact:
    """One input; ``source`` and ``as_of`` are None for what is assumed."""

    kind: Kind
    what: str
    source: str | None = None
    as_of: str | None = None


def facts_of(inputs: Inputs, shape: TrafficProfile) -> list[Fact]:
    """Return every input of a plan, what is assumed last."""
    found = [*_traffic(inputs), *_machines(inputs), *_tokens(inputs), *_assumptions(inputs, shape)]
    return list(dict.fromkeys(found))


def _traffic(inputs: Inputs) -> list[Fact]:
    example = inputs.request.traffic.example
    if example is None:
        return [Fact("given", "the traffic")]
    known = examples()[example]
    kind: Kind = "assumed" if known["invented"] else "measured"
    return [Fact(kind, f"the traffic: {known['what']}", known["source"])]


def _machines(inputs: Inputs) -> list[Fact]:
    found = []
    for machine in inputs.machines:
        rate = machine.throughput
        kind: Kind = "given" if rate.kind == "given" else "measured"
        found.append(_sourced(kind, rate.conditions(), rate.source))
        found.append(
            _sourced("snapshot", f"{machine.name}: ${machine.price.usd_per_hour:g} an hour", machine.price.source)
        )
    return found


def _tokens(inputs: Inputs) -> list[Fact]:
    tiers = {"on demand": inputs.bedrock, "flex": inputs.flex, "batch": inputs.batch}
    found = [
        _sourced(
            "snapshot",
            f"{inputs.bedrock_id} {tier}: ${price.prompt_usd:g} and ${price.completion_usd:g} a million tokens"
            f"{_cached(price, inputs)}",
            price.source,
        )
        for tier, price in tiers.items()
        if price is not None
    ]
    if price := inputs.prices.platform.get(LOAD_BALANCER):
        found.append(_sourced("snapshot", f"fleets: ${price.usd:g} an hour of their load balancer", price.source))
    imports, units = inputs.prices.imports, inputs.prices.import_units.get(inputs.model_id)
    if imports is not None:
        what = (
            f"import: ${imports.unit_minute.usd:g} a unit and minute, ${imports.unit_month.usd:g} a unit stored a month"
        )
        found.append(_sourced("snapshot", what, imports.unit_minute.source))
    if units is not None and not inputs.request.import_units:
        found.append(_sourced("measured", f"import: {units.count} units a copy of {inputs.model_id}", units.source))
    return found


def _transport(inputs: Inputs) -> list[str]:
    return (
        [] if LOAD_BALANCER in inputs.prices.platform else ["fleets: the load balancer's price is unknown and left out"]
    )


def _cached(price: TokenPrice, inputs: Inputs) -> str:
    share = inputs.request.cached_share
    return (
        f" ({share:.0%} of prompts cached at ${price.cached_usd:g})" if share and price.cached_usd is not None else ""
    )


def _assumptions(inputs: Inputs, shape: TrafficProfile) -> list[Fact]:
    request = inputs.request
    sentences = [
        f"a month is {HOURS_PER_MONTH} hours of this shape; {len(shape.hours)} hours repeat",
        "throughput in tokens a second stays as measured when prompts and completions have other lengths than there",
        f"an hour is planned with {request.target_utilisation:.0%} of the measured throughput: its minutes differ",
        f"an instance bills {request.cold_start_seconds:.0f} s before it serves, and following instances know each "
        "hour beforehand",
        *_transport(inputs),
        f"a request keeps the gateway for {request.response_seconds:g} s",
        "import: requests come independently of each other, and a five-minute window with one of them is billed",
    ]
    if any(machine.family is Family.INF2_FLEET for machine in inputs.machines):
        sentences.append("inf2-fleet: priced for comparison; Spillway's own fleets run GPUs, not Neuron")
    if request.cached_share and inputs.bedrock and inputs.bedrock.cached_usd is None:
        sentences.append(f"no price of cached prompts of {inputs.bedrock_id} is known: they pay like all others")
    if request.flex_share + request.batch_share > 0:
        sentences.append("mix and break-even: what spills is on demand, whatever the shares of flex and batch")
    if request.import_tokens_per_second is None:
        sentences.append("import: one copy serves everything; give import_tokens_per_second to know")
    return [Fact("assumed", sentence) for sentence in sentences]


def _sourced(kind: Kind, what: str, source: Source) -> Fact:
    return Fact(kind, what, source.source, source.as_of)
