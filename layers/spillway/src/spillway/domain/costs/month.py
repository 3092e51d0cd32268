"""What a deployment cost: usage times price, and what is unknown said to be unknown."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import InvalidRequest
from spillway.domain.observations.usage import Usage
from spillway.domain.paths.path import Billing, Path, is_billed_by_token
from spillway.domain.paths.targets import billed_model
from spillway.domain.pricing.price_book import PriceBook, Source, TokenPrice

MICRO = 1_000_000
# The gateway counts requests that no target answered under this path.
_NOBODY = "none"


@dataclass(frozen=True)
class PathCost:
    """One path's dollars (None where a price is unknown) and the tokens, prompt and completion, that it answered."""

    usd: float | None
    tokens: int

    @property
    def usd_per_million_tokens(self) -> float | None:
        """The realised cost; None before the first token, or where a price is unknown."""
        return None if self.usd is None or not self.tokens else self.usd / self.tokens * MICRO


@dataclass(frozen=True)
class Cost:
    """Dollars of one span of time; None where a price is unknown.

    ``unknown`` names what has no price, ``sources`` where the prices of the rest were read.
    """

    instances_usd: float | None
    bedrock_usd: float | None
    unknown: tuple[str, ...]
    sources: tuple[Source, ...]
    by_path: Mapping[str, PathCost]

    @property
    def usd(self) -> float | None:
        """The sum, None when a part of it is unknown."""
        if self.instances_usd is None or self.bedrock_usd is None:
            return None
        return round(self.instances_usd + self.bedrock_usd, 6)


def cost_of(deployment: Deployment, usage: Usage, prices: PriceBook, region: str) -> Cost:
    """Return what a deployment's usage cost at list prices."""
    unknown = {f"instance {kind}" for (_, kind), use in usage.instances.items() if use.unpriced_seconds}
    sources: dict[Source, None] = {}
    for (_, kind), use in usage.instances.items():
        hourly = prices.instance(deployment.spec.path, kind, region)
        if use.seconds and hourly is not None:
            sources[hourly.source] = None
    bedrock_usd, unpriced = 0.0, set()
    for (role, path), traffic in usage.traffic.items():
        if not is_billed_by_token(path) or not traffic.prompt_tokens + traffic.completion_tokens:
            continue
        model, price = token_price(deployment, role, prices, region)
        if price is None:
            unpriced.add(model)
            continue
        bedrock_usd += price.cost(traffic.prompt_tokens, traffic.completion_tokens, traffic.cached_tokens)
        sources[price.source] = None
    instances_usd = sum(use.micro_usd for use in usage.instances.values()) / MICRO
    return Cost(
        instances_usd=None if unknown else round(instances_usd, 6),
        bedrock_usd=None if unpriced else round(bedrock_usd, 6),
        unknown=tuple(sorted(unknown | unpriced)),
        sources=tuple(sources),
        by_path=_by_path(usage, None if unpriced else bedrock_usd),
    )


def _by_path(usage: Usage, bedrock_usd: float | None) -> dict[str, PathCost]:
    tokens: Counter[str] = Counter()
    for (_, path), traffic in usage.traffic.items():
        tokens[path] += traffic.prompt_tokens + traffic.completion_tokens
    usd: dict[str, float | None] = {Path.BEDROCK.value: bedrock_usd}
    for (path, _), use in usage.instances.items():
        before = usd.get(path, 0.0)
        usd[path] = None if use.unpriced_seconds or before is None else before + use.micro_usd / MICRO
    paths = sorted(path for path in tokens.keys() | usd.keys() if tokens[path] or usd.get(path) != 0.0)
    return {path: PathCost(usd.get(path, 0.0), tokens[path]) for path in paths if path != _NOBODY}


def token_price(deployment: Deployment, role: str, prices: PriceBook, region: str) -> tuple[str, TokenPrice | None]:
    """Return the Bedrock model behind a role, as the unknown is named, and its price, None where unknown.

    What a primary was before its name was asked for again on another path is not known: its tokens have no price rather
    than another model's.
    """
    model_id = _own_model(deployment) if role == "primary" else deployment.spill_model
    if model_id is None:
        return f"the model that was {deployment.name}'s {role}", None
    return f"model {model_id}", prices.tokens(model_id, region)


def _own_model(deployment: Deployment) -> str | None:
    """Return the Bedrock model that answers as primary, or did until the deployment was retired."""
    spec = deployment.spec
    if (model := billed_model(deployment.target)) is not None:
        return model
    if spec.path.billing is not Billing.TOKEN:
        return None
    try:
        return spec.profile.model_id(spec.model.id)
    except InvalidRequest:
        return None
