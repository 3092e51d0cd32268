"""Realised cost in its smallest parts, in whole micro-dollars, so that any grouping of them adds up exactly.

A part is what one key used on one path within one hour. Instance time is shared among the keys that the instances
answered within the hour, by their tokens; time in which they answered nobody is a part without a key. Where types of
instances ran side by side, nobody knows which answered what: each is taken to have answered by its capacity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from spillway.domain.costs.month import token_price
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.observations.usage import HourOfInstances, HourOfTraffic, Hours, InstanceUse
from spillway.domain.paths.path import is_billed_by_token
from spillway.domain.pricing.price_book import PriceBook, Source
from spillway.domain.pricing.throughput import Throughput

_NOBODY = "none"

# Which throughput an instance type has with a deployment's model, None where unknown.
Capacities = Callable[[str], Throughput | None]


@dataclass(frozen=True)
class Amounts:
    """What can be added up. Dollars are the known ones: ``unpriced_*`` count what has no price.

    ``spill_micro_usd``, ``warm_up_micro_usd`` (instances that could not answer yet) and ``idle_micro_usd`` (capacity of
    those that could, unused) are parts of ``micro_usd`` without overlap. There is at least so much of the last: of
    ``unmeasured_seconds`` of instance time only hours without any token are known to be idle.
    ``shared_micro_usd`` is the estimated share of what is common (see ``commons``), and no part of ``micro_usd``.
    ``served_tokens`` and ``capacity_tokens`` are those of instances whose capacity is known, once they could answer.
    """

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    instance_seconds: int = 0
    warm_up_seconds: int = 0
    micro_usd: int = 0
    spill_micro_usd: int = 0
    warm_up_micro_usd: int = 0
    idle_micro_usd: int = 0
    served_tokens: int = 0
    capacity_tokens: int = 0
    unmeasured_seconds: int = 0
    unpriced_seconds: int = 0
    unpriced_tokens: int = 0
    shared_micro_usd: int = 0

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def is_priced(self) -> bool:
        """Whether ``micro_usd`` is the whole cost."""
        return not self.unpriced_seconds and not self.unpriced_tokens

    @property
    def usd_per_million_tokens(self) -> float | None:
        """Realised cost, None before the first token or where a price is unknown; micro-dollars a token are that."""
        return self.micro_usd / self.tokens if self.tokens and self.is_priced else None

    @property
    def utilisation(self) -> float | None:
        """Tokens served as a share of what the instances could have, None where that is not known of all of them."""
        return (
            self.served_tokens / self.capacity_tokens if self.capacity_tokens and not self.unmeasured_seconds else None
        )


_NAMES = tuple(field.name for field in fields(Amounts))


def total(amounts: Sequence[Amounts]) -> Amounts:
    """Add up, field by field."""
    return Amounts(*(sum(getattr(one, name) for one in amounts) for name in _NAMES))


@dataclass(frozen=True)
class Part:
    """One key's use of one path within one hour; ``key`` is empty for instance time behind nobody's request."""

    deployment: str
    hour: datetime
    path: str
    key: str
    amounts: Amounts
    unknown: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


def parts_of(
    deployment: Deployment, hours: Hours, prices: PriceBook, region: str, capacities: Capacities
) -> list[Part]:
    """Return a deployment's parts, traffic before instances."""
    parts = [_traffic_part(deployment, entry, prices, region) for entry in hours.traffic]
    for (hour, path), entries in _side_by_side(hours.instances).items():
        answered = [one for one in hours.traffic if (one.hour, one.path) == (hour, path) and _tokens(one) > 0]
        tokens = _by_capacity(sum(map(_tokens, answered)), entries, capacities)
        for entry, its_tokens in zip(entries, tokens, strict=True):
            hourly = prices.instance_of(deployment.spec, region, entry.instance_type)
            amounts = _instance_amounts(entry.use, its_tokens, capacities(entry.instance_type))
            parts += _shared_parts(deployment.name, entry, answered, amounts, (hourly.source,) if hourly else ())
    return parts


def _side_by_side(instances: Sequence[HourOfInstances]) -> dict[tuple[datetime, str], list[HourOfInstances]]:
    found: dict[tuple[datetime, str], list[HourOfInstances]] = {}
    for entry in instances:
        found.setdefault((entry.hour, entry.path), []).append(entry)
    return found


def _by_capacity(tokens: int, entries: Sequence[HourOfInstances], capacities: Capacities) -> list[int]:
    """Split the tokens of one hour among its types; by seconds alone where a type's capacity is unknown."""
    rates = [capacities(entry.instance_type) for entry in entries]
    seconds = [_answering_seconds(entry.use) for entry in entries]
    known = [round(rate.tokens_per_second * s) for rate, s in zip(rates, seconds, strict=True) if rate is not None]
    weights = known if len(known) == len(entries) else seconds
    return shared(tokens, weights if sum(weights) else [1] * len(entries))


def _traffic_part(deployment: Deployment, entry: HourOfTraffic, prices: PriceBook, region: str) -> Part:
    used = entry.traffic
    micro_usd, unpriced, unknown, sources = 0, 0, (), ()  # type: int, int, tuple[str, ...], tuple[Source, ...]
    if is_billed_by_token(entry.path) and _tokens(entry):
        model, price = token_price(deployment, entry.role, prices, region)
        if price is None:
            unpriced, unknown = _tokens(entry), (model,)
        else:
            usd = price.cost(used.prompt_tokens, used.completion_tokens, used.cached_tokens)
            micro_usd, sources = round(usd * 1e6), (price.source,)
    amounts = Amounts(
        requests=used.requests,
        failed=used.failed,
        prompt_tokens=used.prompt_tokens,
        cached_tokens=used.cached_tokens,
        completion_tokens=used.completion_tokens,
        micro_usd=micro_usd,
        spill_micro_usd=micro_usd if entry.role == "spill" else 0,
        unpriced_tokens=unpriced,
    )
    return Part(deployment.name, entry.hour, entry.path, entry.key, amounts, unknown, sources)


def _shared_parts(
    deployment: str,
    entry: HourOfInstances,
    answered: Sequence[HourOfTraffic],
    amounts: Amounts,
    sources: tuple[Source, ...],
) -> list[Part]:
    """Share one type's hour among the keys that were answered."""
    unknown = (f"instance {entry.instance_type}",) if amounts.unpriced_seconds else ()
    keys, tokens = [one.key for one in answered] or [""], [_tokens(one) for one in answered] or [1]
    shares = {name: shared(getattr(amounts, name), tokens) for name in _NAMES}
    return [
        Part(
            deployment,
            entry.hour,
            entry.path,
            key,
            Amounts(**{name: shares[name][at] for name in _NAMES}),
            unknown,
            sources,
        )
        for at, key in enumerate(keys)
    ]


def _instance_amounts(use: InstanceUse, tokens: int, throughput: Throughput | None) -> Amounts:
    capacity = round(throughput.tokens_per_second * _answering_seconds(use)) if throughput else 0
    served = min(tokens, capacity)
    unused = (capacity - served) / capacity if capacity else 0.0
    answering_micro_usd = use.micro_usd - use.warm_up_micro_usd
    return Amounts(
        instance_seconds=use.seconds,
        warm_up_seconds=use.warm_up_seconds,
        micro_usd=use.micro_usd,
        warm_up_micro_usd=use.warm_up_micro_usd,
        idle_micro_usd=round(answering_micro_usd * unused) if tokens else answering_micro_usd,
        served_tokens=served,
        capacity_tokens=capacity,
        unmeasured_seconds=0 if throughput else _answering_seconds(use),
        unpriced_seconds=use.unpriced_seconds,
    )


def _answering_seconds(use: InstanceUse) -> int:
    return use.seconds - use.warm_up_seconds


def shared(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights into whole numbers that add up to it; the largest rests are rounded up."""
    whole = sum(weights)
    shares = [amount * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % whole), at))
    for at in by_rest[: amount - sum(shares)]:
        shares[at] += 1
    return shares


def _tokens(entry: HourOfTraffic) -> int:
    return 0 if entry.path == _NOBODY else entry.traffic.prompt_tokens + entry.traffic.completion_tokens
