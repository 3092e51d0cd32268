"""What one hour of a deployment would have cost on the paths that it does not run on.

How much of a prompt another path would have had in a cache is not known: prompts count in full there, so that each
figure is at most so high. Only what Bedrock itself read from its cache stays cheaper on Bedrock.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from spillway.domain.costs.ledger import Capacities
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.import_windows.constants import MINUTES_PER_WINDOW, WINDOWS_PER_HOUR
from spillway.domain.observations.usage import Hours
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.model_catalog import find, is_bedrock_id
from spillway.domain.paths.path import Billing, Path, is_billed_by_token
from spillway.domain.pricing.price_book import SECONDS_PER_HOUR, PriceBook


@dataclass(frozen=True)
class HourUsed:
    """All that a deployment answered within an hour, and the instance time, by type, that it had.

    ``cached_tokens`` are the prompt tokens that Bedrock read from a cache; those of engines are not among them.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    instance_seconds: Mapping[str, int]
    cached_tokens: int = 0


def hours_used(hours: Hours) -> dict[datetime, HourUsed]:
    """Sum keys, roles and paths."""
    used: dict[datetime, HourUsed] = {}
    nothing = HourUsed(0, 0, 0, {})
    for one in hours.traffic:
        was, more = used.get(one.hour, nothing), one.traffic
        used[one.hour] = replace(
            was,
            requests=was.requests + more.requests - more.failed,
            prompt_tokens=was.prompt_tokens + more.prompt_tokens,
            completion_tokens=was.completion_tokens + more.completion_tokens,
            cached_tokens=was.cached_tokens + (more.cached_tokens if is_billed_by_token(one.path) else 0),
        )
    for entry in hours.instances:
        was = used.get(entry.hour, nothing)
        seconds = was.instance_seconds.get(entry.instance_type, 0) + entry.use.seconds
        used[entry.hour] = replace(was, instance_seconds={**was.instance_seconds, entry.instance_type: seconds})
    return used


def other_paths(
    deployment: Deployment, hour: HourUsed, prices: PriceBook, region: str, capacities: Capacities
) -> dict[str, int | None]:
    """Return micro-dollars by path, None where a price, a capacity or a model's units are unknown."""
    found: dict[str, int | None] = {}
    for path in Path:
        if path is deployment.spec.path:
            continue
        match path.billing:
            case Billing.TOKEN:
                found[path.value] = _on_bedrock(deployment, hour, prices, region)
            case Billing.WINDOW:
                found[path.value] = _imported(deployment, hour, prices, region)
            case Billing.HOUR:
                found[path.value] = _on_instances(deployment, path, hour, prices, region, capacities)
    return found


def expected_windows(requests: float) -> float:
    """Return how many five-minute windows of an hour hold a request, if requests come independently of each other."""
    return WINDOWS_PER_HOUR * -math.expm1(-requests / WINDOWS_PER_HOUR)


def _on_bedrock(deployment: Deployment, hour: HourUsed, prices: PriceBook, region: str) -> int | None:
    model = find(deployment.spec.model.id)
    asked = deployment.spec.model.id
    ids = [
        model.bedrock_id if model else None,
        asked if is_bedrock_id(asked) else None,
        deployment.spill_model,
    ]
    price = next((found for name in ids if name and (found := prices.tokens(name, region))), None)
    if price is None:
        return None
    return round(price.cost(hour.prompt_tokens, hour.completion_tokens, hour.cached_tokens) * 1e6)


def _on_instances(
    deployment: Deployment, path: Path, hour: HourUsed, prices: PriceBook, region: str, capacities: Capacities
) -> int | None:
    """Price the same instance time where there was some, otherwise whole hours of as many as the tokens need."""
    if deployment.spec.profile.has_instances and hour.instance_seconds:
        usd = 0.0
        for kind, seconds in hour.instance_seconds.items():
            price = prices.instance(path, kind, region)
            if price is None:
                return None
            usd += price.usd_per_hour * seconds / SECONDS_PER_HOUR
        return round(usd * 1e6)
    tokens = hour.prompt_tokens + hour.completion_tokens
    model = find(deployment.spec.model.id)
    costs = []
    for kind in deployment.spec.capacity.instance_types or (model.instance_types if model else ()):
        price, throughput = prices.instance(path, kind, region), capacities(ec2_instance_type(kind))
        if price and throughput:
            costs.append(math.ceil(tokens / throughput.tokens_per_hour()) * price.usd_per_hour)
    return round(min(costs) * 1e6) if costs else None


def _imported(deployment: Deployment, hour: HourUsed, prices: PriceBook, region: str) -> int | None:
    model = find(deployment.spec.model.id)
    units = prices.import_units.get(model.id) if model else None
    if prices.imports is None or units is None or region != prices.region:
        return None
    minutes = expected_windows(hour.requests) * MINUTES_PER_WINDOW
    return round(minutes * units.count * prices.imports.unit_minute.usd * 1e6)
