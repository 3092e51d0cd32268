"""The answers of ``GET /costs``."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from spillway.api.models import PriceSource


class CostRow(BaseModel):
    """One group's use and cost; the dollars are whole micro-dollars and add up over the groups."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    requests: int
    failed: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    instance_seconds: Annotated[int, Field(description="From launch to termination, booting and draining included")]
    warm_up_seconds: Annotated[int, Field(description="Of instance_seconds, those before the instance could answer")]
    usd: Annotated[float | None, Field(description="null where a part has no known price")]
    known_usd: Annotated[float, Field(description="The parts that have a price")]
    spill_usd: Annotated[float, Field(description="Of known_usd, what requests that spilled cost on Bedrock")]
    warm_up_usd: Annotated[float, Field(description="Of known_usd, instance time before the instance could answer")]
    idle_usd: Annotated[float, Field(description="Of known_usd, instance time after that which served nothing")]
    idle_is_at_least: Annotated[bool, Field(description="Some instances' capacity is unknown; more may be idle")]
    shared_usd: Annotated[
        float,
        Field(description="An estimate, not in usd: the share of Spillway's own services, without shared_leaves_out"),
    ]
    usd_per_million_tokens: float | None
    utilisation: Annotated[float | None, Field(description="Tokens served over tokens the instances could have")]
    elsewhere_usd: Annotated[
        dict[str, float | None] | None,
        Field(description="The same hours on each other path; null for groups that are not whole hours"),
    ]


class BilledDay(BaseModel):
    """One whole past day (UTC): instances by the ledger, and what AWS billed for everything with our tags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    instances_usd: float
    unblended_usd: Annotated[float | None, Field(description="null where AWS has no bill of the day")]
    amortized_usd: float | None
    difference_usd: Annotated[float | None, Field(description="unblended_usd less instances_usd")]
    is_final: Annotated[bool, Field(description="Whether AWS does not call it an estimate any more")]


class BillBody(BaseModel):
    """The check against AWS's bill, which never changes the rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[BilledDay, ...]
    problem: Annotated[str | None, Field(description="Why there is nothing to compare with")]


class CostReportBody(BaseModel):
    """Realised cost from ``from`` to ``to``, whole hours in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, populate_by_name=True)

    from_: Annotated[datetime, Field(alias="from")]
    to: datetime
    group_by: Literal["deployment", "path", "key", "day", "hour"]
    rows: tuple[CostRow, ...]
    total: CostRow
    unknown: Annotated[tuple[str, ...], Field(description="What has no known price")]
    shared_leaves_out: Annotated[tuple[str, ...], Field(description="What shared_usd does not hold")]
    prices: tuple[PriceSource, ...]
    bill: Annotated[BillBody | None, Field(description="With bill=true")] = None
