"""The answer of ``POST /plans``."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _FromPlan(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class OptionBody(_FromPlan):
    """One way to serve the traffic for a month."""

    family: str
    usd_per_month: float
    usd_per_million_tokens: float | None
    instance_type: str | None
    mode: Annotated[str | None, Field(description="always-on, following the load, or a baseline with the rest spilled")]
    instances: Annotated[int | None, Field(description="At the peak; of a mix, its best k")]
    instance_hours: float | None
    utilisation: float | None
    spilled_share: float | None
    instances_usd: float
    tokens_usd: float
    transport_usd: Annotated[
        float, Field(description="A fleet's load balancer, once its price is known by an override")
    ]
    on: Annotated[str | None, Field(description="The family that a mix's instances are of")]
    throughput: Annotated[str | None, Field(description="How the instances' was measured, as in break_evens")]
    is_lower_bound: Annotated[bool, Field(description="Holds only if the assumptions do; never the cheapest")]


class BreakEvenBody(_FromPlan):
    """Where an instance type costs what Bedrock does; a utilisation above 1 is never reached."""

    family: str
    instance_type: str
    throughput: Annotated[str, Field(description="How it was measured; offline and static figures are upper bounds")]
    usd_per_hour: float
    instance_usd_per_million_tokens: Annotated[float, Field(description="When full")]
    bedrock_usd_per_million_tokens: float
    utilisation: float
    requests_per_minute: float
    capacity_requests_per_minute: float
    is_reachable: bool


class SensitivityBody(_FromPlan):
    """The plan if one input were ``factor`` times what it is."""

    of: Literal["throughput", "instance_price", "token_price"]
    factor: float
    cheapest: OptionBody | None
    break_even_utilisation: float | None


class PointBody(_FromPlan):
    """One volume and each family's best cost."""

    requests_per_month: float
    usd_per_month: dict[str, float]


class CrossoverBody(_FromPlan):
    """From this volume on another family is the cheapest."""

    requests_per_month: float
    usd_per_month: float
    dearer: str
    cheaper: str


class VolumesBody(_FromPlan):
    """Cost against volume, from a hundredth to a hundred times the plan's."""

    points: tuple[PointBody, ...]
    crossovers: tuple[CrossoverBody, ...]


class GrantBody(_FromPlan):
    """What becomes of one grant of credits."""

    name: str
    used_usd: float
    unused_usd: float
    empty_on: date | None


class CreditsBody(_FromPlan):
    """Credits under the cheapest option's burn; ``runs_out_on`` is the first day that they don't cover whole."""

    balance_usd: float
    usd_per_day: float
    runs_out_on: date | None
    days_covered: int
    grants: tuple[GrantBody, ...]


class FactBody(_FromPlan):
    """One input: measured, from the price snapshot, given, or assumed."""

    kind: Literal["measured", "snapshot", "given", "assumed"]
    what: str
    source: str | None
    as_of: str | None


class GapBody(_FromPlan):
    """What could not be planned, and what would have to be known."""

    family: str
    what: str


class TrafficBody(_FromPlan):
    """The traffic as it was understood."""

    requests_per_month: float
    tokens_per_month: float
    prompt_tokens: float
    completion_tokens: float


class PlanBody(_FromPlan):
    """What a month costs on every path; ``best`` has one option a family, cheapest first."""

    model: str
    traffic: TrafficBody
    cheapest: OptionBody | None
    best: tuple[OptionBody, ...]
    options: tuple[OptionBody, ...]
    flex_usd: Annotated[float | None, Field(description="The month if every request took the flex tier")]
    batch_usd: Annotated[float | None, Field(description="The month if every request were a batch")]
    platform_usd: Annotated[float | None, Field(description="Spillway's own services, the same on every path")]
    break_evens: tuple[BreakEvenBody, ...]
    sensitivities: tuple[SensitivityBody, ...]
    volumes: VolumesBody
    credits: CreditsBody | None
    facts: tuple[FactBody, ...]
    gaps: tuple[GapBody, ...]
