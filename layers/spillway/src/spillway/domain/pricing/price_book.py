"""List prices, each with where it was read and when; an unknown price is None, never zero."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.registry import ENGINES, engine_of
from spillway.domain.paths.bedrock_models import own_id
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.path import Path
from spillway.domain.paths.profile import InstancePrices
from spillway.domain.paths.registry import profile_of

SECONDS_PER_HOUR = 3600
HOURS_PER_MONTH = 730
TOKENS_PER_MILLION = 1_000_000
# What an imported model is billed by: units of a copy that runs, and units of a model that is stored.
MODEL_UNIT = "custom-model-unit"
STORED_UNIT = "stored-custom-model-unit"
# Of the platform's units: an hour of the load balancer that all fleets share.
LOAD_BALANCER = "load_balancer_hour"


@dataclass(frozen=True)
class Source:
    """Where a price was read, and on which day (or in which month)."""

    source: str
    as_of: str


@dataclass(frozen=True)
class HourlyPrice:
    """An instance's list price in USD an hour."""

    usd_per_hour: float
    source: Source


@dataclass(frozen=True)
class TokenPrice:
    """A Bedrock model's list price in USD per million tokens.

    ``cached_usd`` is that of prompt tokens read from a cache, None where no such price is known.
    """

    prompt_usd: float
    completion_usd: float
    source: Source
    cached_usd: float | None = None

    def cost(self, prompt_tokens: float, completion_tokens: float, cached_tokens: float = 0) -> float:
        """Return the price of these tokens in USD; ``cached_tokens`` are part of the prompt's."""
        cached_usd = self.prompt_usd if self.cached_usd is None else self.cached_usd
        prompt_usd = (prompt_tokens - cached_tokens) * self.prompt_usd + cached_tokens * cached_usd
        return (prompt_usd + completion_tokens * self.completion_usd) / TOKENS_PER_MILLION

    def with_cached(self, share: float) -> "TokenPrice":
        """Return the price of prompts that come from a cache in this share; the same where no such price is known."""
        return (
            self if self.cached_usd is None else replace(self, prompt_usd=self.cost(1, 0, share) * TOKENS_PER_MILLION)
        )


@dataclass(frozen=True)
class UnitPrice:
    """USD for one unit of something; the table it stands in says of what."""

    usd: float
    source: Source


@dataclass(frozen=True)
class ImportUnits:
    """Units that one copy of an imported model runs on."""

    count: int
    source: Source


@dataclass(frozen=True)
class ImportPrices:
    """Custom Model Import: USD a model unit and minute, and a month of storing one unit's share of a model."""

    unit_minute: UnitPrice
    unit_month: UnitPrice


@dataclass(frozen=True)
class PriceBook:
    """A dated snapshot of one region's prices; a question about another region has no answer.

    ``bedrock`` are prices on demand, ``flex``, ``batch`` and ``priority`` those of the other tiers. ``import_units``
    are units of one copy of a model by its Hugging Face id, ``platform`` what Spillway's own services cost by the unit.
    """

    region: str
    ec2: Mapping[str, HourlyPrice]
    sagemaker: Mapping[str, HourlyPrice]
    bedrock: Mapping[str, TokenPrice]
    flex: Mapping[str, TokenPrice] = field(default_factory=dict)
    batch: Mapping[str, TokenPrice] = field(default_factory=dict)
    priority: Mapping[str, TokenPrice] = field(default_factory=dict)
    spot: Mapping[str, HourlyPrice] = field(default_factory=dict)
    imports: ImportPrices | None = None
    import_units: Mapping[str, ImportUnits] = field(default_factory=dict)
    platform: Mapping[str, UnitPrice] = field(default_factory=dict)

    def instance(self, path: Path, instance_type: str | None, region: str) -> HourlyPrice | None:
        """Return the price of one instance of a path; ``instance_type`` as EC2 or as SageMaker writes it."""
        if instance_type is None or region != self.region:
            return None
        profile = profile_of(path)
        match profile.instance_prices:
            case InstancePrices.EC2:
                return self.ec2.get(profile.instance_type(instance_type))
            case InstancePrices.SAGEMAKER:
                return self.sagemaker.get(profile.instance_type(instance_type))
            case InstancePrices.MODEL_UNITS:
                return self._imported(instance_type)
            case None:
                return None

    def _imported(self, of: str) -> HourlyPrice | None:
        if self.imports is None or of not in (MODEL_UNIT, STORED_UNIT):
            return None
        unit = self.imports.unit_minute if of == MODEL_UNIT else self.imports.unit_month
        return HourlyPrice(unit.usd * 60 if of == MODEL_UNIT else unit.usd / HOURS_PER_MONTH, unit.source)

    def instance_of(self, spec: DeploymentSpec, region: str, instance_type: str | None = None) -> HourlyPrice | None:
        """Return what one instance of a deployment costs: the running type's price, or the first wanted one's.

        The snapshot has no spot prices, so a spot fleet's is unknown until they are refreshed.
        """
        wanted = spec.capacity.instance_types
        chosen = instance_type or (wanted[0] if wanted else None)
        if spec.capacity.market == "spot":
            return self.spot.get(ec2_instance_type(chosen)) if chosen and region == self.region else None
        return self.instance(spec.path, chosen, region)

    def tokens(self, model_id: str, region: str) -> TokenPrice | None:
        """Return the token price of a Bedrock model or cross-region profile, the model's where that has none."""
        return self.bedrock.get(model_id) or self.bedrock.get(own_id(model_id)) if region == self.region else None


def known_instance_types(engine: str | None = None) -> tuple[str, ...]:
    """Return the EC2 types that a fleet of an engine, or of any, may be asked for, in name order."""
    engines = ENGINES.values() if engine is None else [engine_of(engine)]
    families = tuple(family for each in engines for family in each.instance_families)
    return tuple(name for name in sorted(price_book().ec2) if name.startswith(families) and "metal" not in name)


@cache
def price_book() -> PriceBook:
    """Return the snapshot that is shipped with the package: one region's."""
    data: dict[str, Any] = json.loads(files("spillway.data").joinpath("prices.json").read_text())
    sources = [Source(**entry) for entry in data["sources"]]
    cached = {name: usd for name, (usd, _) in data["bedrock_cached_usd_per_million_prompt_tokens"].items()}

    def hourly(table: str) -> dict[str, HourlyPrice]:
        return {name: HourlyPrice(usd, sources[at]) for name, (usd, at) in data[table].items()}

    def tokens(table: str, cached_usd: Mapping[str, float]) -> dict[str, TokenPrice]:
        return {
            name: TokenPrice(prompt, completion, sources[at], cached_usd.get(name))
            for name, (prompt, completion, at) in data[table].items()
        }

    def units(table: str) -> dict[str, UnitPrice]:
        return {name: UnitPrice(usd, sources[at]) for name, (usd, at) in data[table].items()}

    imports = units("import_usd")
    return PriceBook(
        region=data["region"],
        ec2=hourly("ec2_usd_per_hour"),
        sagemaker=hourly("sagemaker_usd_per_hour"),
        bedrock=tokens("bedrock_usd_per_million_tokens", cached),
        flex=tokens("bedrock_flex_usd_per_million_tokens", {}),
        batch=tokens("bedrock_batch_usd_per_million_tokens", {}),
        priority=tokens("bedrock_priority_usd_per_million_tokens", {}),
        imports=ImportPrices(imports["unit_minute"], imports["unit_month_stored"]),
        import_units={
            name: ImportUnits(count, sources[at]) for name, (count, at) in data["import_units_per_copy"].items()
        },
        platform=units("platform_usd"),
    )


def price_book_of(region: str) -> PriceBook:
    """Return what is shipped of a region's prices: the snapshot, or a book in which every price is unknown.

    The units that one copy of an imported model runs on are no price, and the same everywhere.
    """
    shipped = price_book()
    if region == shipped.region:
        return shipped
    return PriceBook(region, ec2={}, sagemaker={}, bedrock={}, import_units=shipped.import_units)
