"""What a month of a traffic costs, served in one way; pure arithmetic over hours."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from spillway.domain.costs.other_paths import expected_windows
from spillway.domain.economics.import_windows.constants import MINUTES_PER_WINDOW
from spillway.domain.planner.inputs import Family, Inputs, Machine
from spillway.domain.planner.instance_hours import NOISE, Load, Needed
from spillway.domain.planner.traffic_profile import TrafficProfile
from spillway.domain.pricing.price_book import (
    HOURS_PER_MONTH,
    LOAD_BALANCER,
    SECONDS_PER_HOUR,
    TOKENS_PER_MILLION,
    TokenPrice,
)

# Fewer digits than a micro-dollar: the plan's own inputs are not that exact.
_DIGITS = 2


@dataclass(frozen=True)
class Option:
    """One way to serve the traffic.

    ``mode`` is how instances run: ``always-on`` at the peak's number, ``following`` the load hour by hour with none in
    empty hours, or ``baseline`` of ``instances`` with the rest spilled to Bedrock. ``is_lower_bound`` marks a cost
    that holds only if what its notes assume does; such an option never counts as the cheapest. ``on`` is the family of
    a mix's instances, ``throughput`` how their type's was measured.
    """

    family: Family
    usd_per_month: float
    usd_per_million_tokens: float | None
    instance_type: str | None = None
    mode: str | None = None
    instances: int | None = None
    instance_hours: float | None = None
    utilisation: float | None = None
    spilled_share: float | None = None
    instances_usd: float = 0.0
    tokens_usd: float = 0.0
    transport_usd: float = 0.0
    is_lower_bound: bool = False
    on: Family | None = None
    throughput: str | None = None


def bedrock(inputs: Inputs, shape: TrafficProfile) -> Option | None:
    """Price every token on demand, but for the shares that may take the slower tiers; None without a price."""
    request, usd = inputs.request, 0.0
    tiers = (
        (1 - request.flex_share - request.batch_share, inputs.bedrock),
        (request.flex_share, inputs.flex),
        (request.batch_share, inputs.batch),
    )
    for share, price in tiers:
        if share > 0 and price is None:
            return None
        usd += share * token_usd(price, shape) if price else 0.0
    return _option(shape, Family.BEDROCK, tokens_usd=usd, instances_usd=0.0)


def token_usd(price: TokenPrice, shape: TrafficProfile) -> float:
    """Return a month's tokens at one price."""
    requests = shape.requests_per_month
    return price.cost(requests * shape.prompt_tokens, requests * shape.completion_tokens)


def imported(inputs: Inputs, shape: TrafficProfile) -> Option | None:
    """Price five-minute windows of model copies, and their storage; None where units or prices are unknown."""
    known = inputs.prices.import_units.get(inputs.model_id)
    units = inputs.request.import_units or (known.count if known else None)
    if inputs.prices.imports is None or units is None:
        return None
    rate = inputs.request.import_tokens_per_second
    copy_windows, busy = 0.0, 0.0
    for hour in shape.hours:
        copies = max(1, math.ceil(hour.tokens / (rate * SECONDS_PER_HOUR))) if rate else 1
        copy_windows += copies * expected_windows(hour.requests)
        busy += hour.tokens / (rate * SECONDS_PER_HOUR) if rate else 0.0
    minutes = shape.per_month(copy_windows) * MINUTES_PER_WINDOW
    usd = minutes * units * inputs.prices.imports.unit_minute.usd + units * inputs.prices.imports.unit_month.usd
    hours = minutes / 60
    return _option(
        shape,
        Family.IMPORT,
        instances_usd=usd,
        tokens_usd=0.0,
        mode="five-minute windows",
        instance_hours=hours,
        utilisation=shape.per_month(busy) / hours if rate and hours else None,
        is_lower_bound=rate is None,
    )


def on_machine(inputs: Inputs, shape: TrafficProfile, machine: Machine, needed: Needed) -> Iterator[Option]:
    """Price one instance type without any spill: always on, and following the load."""
    yield _on(inputs, shape, machine, "always-on", needed.peak, needed.peak * len(shape.hours))
    warming = needed.starts * inputs.request.cold_start_seconds / SECONDS_PER_HOUR
    yield _on(inputs, shape, machine, "following", needed.peak, needed.hours + warming)


def capacity_of(inputs: Inputs, machine: Machine) -> float:
    """Return the tokens that a plan lets one instance serve in an hour."""
    return machine.throughput.tokens_per_hour() * inputs.request.target_utilisation


def mix(inputs: Inputs, shape: TrafficProfile, load: Load, bedrock_usd: float, machine: Machine) -> Option:
    """Keep the best number of instances on, and spill the rest; ``bedrock_usd`` is the month without any."""
    capacity, hours = capacity_of(inputs, machine), len(shape.hours)
    instances = _best_baseline(load, capacity, machine.price.usd_per_hour * hours)
    total, (tokens, usd) = load.tokens[-1], load.below(instances * capacity)
    full = machine.throughput.tokens_per_hour() * instances * hours
    return _option(
        shape,
        Family.MIX,
        instances_usd=instances * HOURS_PER_MONTH * machine.price.usd_per_hour,
        tokens_usd=max(0.0, bedrock_usd - shape.per_month(usd)),
        transport_usd=_transport_usd(inputs, machine) if instances else 0.0,
        mode="baseline",
        machine=machine,
        instances=instances,
        instance_hours=float(instances * HOURS_PER_MONTH),
        utilisation=tokens / full if full else None,
        spilled_share=max(0.0, 1 - tokens / total) if total else 0.0,
    )


def _best_baseline(load: Load, capacity: float, usd: float) -> int:
    """Return how many instances pay their ``usd``: each further one takes less off Bedrock than the one before."""
    least, most = 0, math.ceil(load.sizes[-1] / capacity)
    while least < most:
        middle = (least + most + 1) // 2
        if load.below(middle * capacity)[1] - load.below((middle - 1) * capacity)[1] > usd + NOISE:
            least = middle
        else:
            most = middle - 1
    return least


def _on(inputs: Inputs, shape: TrafficProfile, machine: Machine, mode: str, peak: int, hours: float) -> Option:
    instance_hours = shape.per_month(hours)
    full = machine.throughput.tokens_per_hour() * instance_hours
    return _option(
        shape,
        machine.family,
        instances_usd=instance_hours * machine.price.usd_per_hour,
        tokens_usd=0.0,
        transport_usd=_transport_usd(inputs, machine) if peak else 0.0,
        mode=mode,
        machine=machine,
        instances=peak,
        instance_hours=instance_hours,
        utilisation=shape.tokens_per_month / full if full else None,
    )


def _transport_usd(inputs: Inputs, machine: Machine) -> float:
    """Return a month of the load balancer that a fleet needs; nothing where its price is unknown, as the facts say."""
    price = inputs.prices.platform.get(LOAD_BALANCER)
    return 0.0 if price is None or machine.family is Family.JUMPSTART else price.usd * HOURS_PER_MONTH


def _option(  # noqa: PLR0913 - by the names of an option's fields
    shape: TrafficProfile,
    family: Family,
    *,
    instances_usd: float,
    tokens_usd: float,
    mode: str | None = None,
    machine: Machine | None = None,
    instances: int | None = None,
    instance_hours: float | None = None,
    utilisation: float | None = None,
    spilled_share: float | None = None,
    transport_usd: float = 0.0,
    is_lower_bound: bool = False,
) -> Option:
    usd, tokens = instances_usd + tokens_usd + transport_usd, shape.tokens_per_month
    return Option(
        family=family,
        usd_per_month=round(usd, _DIGITS),
        usd_per_million_tokens=usd / tokens * TOKENS_PER_MILLION if tokens else None,
        instance_type=machine.name if machine else None,
        mode=mode,
        instances=instances,
        instance_hours=instance_hours,
        utilisation=utilisation,
        spilled_share=spilled_share,
        instances_usd=round(instances_usd, _DIGITS),
        tokens_usd=round(tokens_usd, _DIGITS),
        transport_usd=round(transport_usd, _DIGITS),
        is_lower_bound=is_lower_bound,
        on=machine.family if machine and family is Family.MIX else None,
        throughput=machine.throughput.kind if machine else None,
    )
