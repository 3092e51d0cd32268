"""What a plan knows about a model: its prices on every path, and the throughput of every instance type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.model_catalog import find, is_bedrock_id, is_jumpstart_id
from spillway.domain.paths.path import Path
from spillway.domain.planner.request import PlanRequest
from spillway.domain.planner.traffic_profile import TrafficProfile
from spillway.domain.planner.validation import unknown_model
from spillway.domain.pricing.price_book import HourlyPrice, PriceBook, Source, TokenPrice, price_book
from spillway.domain.pricing.throughput import Benchmarks, Throughput, given

_NEURON = ("inf1.", "inf2.", "trn1.", "trn1n.", "trn2.")


class Family(StrEnum):
    """The ways to serve a model that a plan compares."""

    BEDROCK = "bedrock"
    IMPORT = "import"
    JUMPSTART = "jumpstart"
    GPU_FLEET = "gpu-fleet"
    INF2_FLEET = "inf2-fleet"
    SPOT_FLEET = "spot-fleet"
    MIX = "mix"


@dataclass(frozen=True)
class Machine:
    """One instance type as one family offers it: its price and what it serves."""

    family: Family
    throughput: Throughput
    price: HourlyPrice

    @property
    def name(self) -> str:
        """The type as the family's service writes it."""
        bare = self.throughput.instance_type
        return f"ml.{bare}" if self.family is Family.JUMPSTART else bare


@dataclass(frozen=True)
class Gap:
    """What could not be planned, and what would have to be known."""

    family: Family
    what: str


@dataclass(frozen=True)
class Inputs:
    """Everything that costs are computed from; ``bedrock`` prices are None where the model has none there.

    They are those of the request's share of cached prompts.
    """

    request: PlanRequest
    model_id: str
    bedrock_id: str | None
    bedrock: TokenPrice | None
    flex: TokenPrice | None
    batch: TokenPrice | None
    prices: PriceBook
    machines: tuple[Machine, ...]
    gaps: tuple[Gap, ...]

    def changed(self, throughput: float = 1.0, instance_price: float = 1.0, token_price: float = 1.0) -> "Inputs":
        """Return the same inputs with throughputs or prices multiplied."""
        machines = tuple(
            Machine(
                machine.family,
                machine.throughput.scaled(throughput),
                HourlyPrice(machine.price.usd_per_hour * instance_price, machine.price.source),
            )
            for machine in self.machines
        )
        return replace(
            self,
            machines=machines,
            bedrock=_times(self.bedrock, token_price),
            flex=_times(self.flex, token_price),
            batch=_times(self.batch, token_price),
        )


def inputs_of(
    request: PlanRequest, shape: TrafficProfile, prices: PriceBook, benchmarks: Benchmarks, region: str
) -> Inputs:
    """Look everything up; InvalidRequest for a region or model that nothing is known about."""
    region = request.region or region
    if region != prices.region:
        raise InvalidRequest(
            f"the price book has no prices of the region {region!r}", param="region", allowed=[prices.region]
        )
    model = find(request.model)
    model_id = model.id if model else request.model
    bedrock_id = (model.bedrock_id if model else None) or (request.model if is_bedrock_id(request.model) else None)
    bedrock, flex, batch = (
        price and price.with_cached(request.cached_share)
        for price in (_tier(table, bedrock_id) for table in (prices.bedrock, prices.flex, prices.batch))
    )
    types, jumpstart = _types(request, model_id, benchmarks), bool(model and model.jumpstart_id)
    is_known = model is not None or bedrock_id in price_book().bedrock or bedrock is not None
    if not is_known and not benchmarks.instance_types(model_id) and not request.tokens_per_second:
        raise unknown_model(request, benchmarks)
    machines, gaps = _machines(request, shape, model_id, types, prices, benchmarks)
    if not (jumpstart or is_jumpstart_id(request.model)):
        machines = [machine for machine in machines if machine.family is not Family.JUMPSTART]
        gaps.append(Gap(Family.JUMPSTART, f"no JumpStart hub id is known for {request.model}"))
    shares = {"on demand": (1.0, bedrock), "flex": (request.flex_share, flex), "batch": (request.batch_share, batch)}
    for tier, (share, price) in shares.items():
        if share and price is None:
            gaps.append(Gap(Family.BEDROCK, f"no {tier} price of {request.model} is known"))
    if prices.imports is None:
        gaps.append(Gap(Family.IMPORT, "no price of an import's units is known"))
    if request.import_units is None and model_id not in prices.import_units:
        gaps.append(Gap(Family.IMPORT, f"the units of one copy of {model_id} are unknown: give import_units"))
    return Inputs(
        request=request,
        model_id=model_id,
        bedrock_id=bedrock_id,
        bedrock=bedrock,
        flex=flex,
        batch=batch,
        prices=prices,
        machines=tuple(machines),
        gaps=tuple(gaps),
    )


def _types(request: PlanRequest, model_id: str, benchmarks: Benchmarks) -> Sequence[str]:
    """Return all types that are named, and without a choice of them those the model fits on or was measured on."""
    model = find(model_id)
    known = (*(model.instance_types if model else ()), *benchmarks.instance_types(model_id))
    chosen = request.instance_types or known
    return tuple(dict.fromkeys((*request.tokens_per_second, *request.spot_usd_per_hour, *chosen)))


def _machines(
    request: PlanRequest,
    shape: TrafficProfile,
    model_id: str,
    types: Sequence[str],
    prices: PriceBook,
    benchmarks: Benchmarks,
) -> tuple[list[Machine], list[Gap]]:
    own = request.tokens_per_second
    today = f"{request.starts_on or ''}"
    machines: list[Machine] = []
    gaps: list[Gap] = []
    for name in types:
        fleet = Family.INF2_FLEET if name.startswith(_NEURON) else Family.GPU_FLEET
        throughput = (
            given(name, own[name], today)
            if name in own
            else benchmarks.of(model_id, name, shape.prompt_tokens, shape.completion_tokens)
        )
        if throughput is None:
            gaps.append(Gap(fleet, f"no throughput of {model_id} on {name} is known: give it in tokens_per_second"))
            continue
        spot = request.spot_usd_per_hour.get(name)
        offers = {
            fleet: prices.instance(Path.FLEET, name, prices.region),
            Family.JUMPSTART: prices.instance(Path.JUMPSTART, name, prices.region),
            Family.SPOT_FLEET: HourlyPrice(spot, Source("given with the request", today))
            if spot
            else prices.spot.get(name),
        }
        for family, price in offers.items():
            if price is None:
                gaps.append(Gap(family, f"no price of {name} is known"))
            else:
                machines.append(Machine(family, throughput, price))
    return machines, gaps


def _tier(table: Mapping[str, TokenPrice], bedrock_id: str | None) -> TokenPrice | None:
    """Return a model's price, or that of its profile over the United States, by which some models are only sold."""
    return None if bedrock_id is None else table.get(bedrock_id) or table.get(f"us.{bedrock_id}")


def _times(price: TokenPrice | None, factor: float) -> TokenPrice | None:
    if price is None:
        return None
    cached = None if price.cached_usd is None else price.cached_usd * factor
    return TokenPrice(price.prompt_usd * factor, price.completion_usd * factor, price.source, cached)
