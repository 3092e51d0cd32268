"""What the control API takes and returns beside the deployment's own spec; the source of its OpenAPI document."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from spillway.domain.access.keys import Scope
from spillway.domain.deployments.spec import NAME_PATTERN, DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.frozen import LEAST, Frozen

_TEN_YEARS = 10 * 366 * 24 * 3600


ServesIn = Annotated[
    dict[str, tuple[str, ...] | None],
    Field(
        description="The regions that may answer, by the Bedrock model or profile that is called (spill target too); "
        "'global' is any, null is unknown"
    ),
]


class CardBody(Frozen):
    """What one target can do. ``emulated`` is made up by the gateway; ``unknown`` is tried."""

    abilities: dict[str, Literal["yes", "emulated", "no", "unknown"]]
    context_length: Annotated[int | None, Field(description="Tokens of prompt and answer together")]
    most_output_tokens: int | None
    grammar: Annotated[
        str | None, Field(description="What holds answers to a JSON schema, to the part of JSON Schema that it knows")
    ]


class CapabilitiesBody(Frozen):
    """What the targets can do, as far as it is known before they are asked."""

    primary: CardBody
    spill: CardBody | None
    not_shared: Annotated[
        tuple[str, ...],
        Field(
            description="What only one of the two can: requests that demand it are that one's alone, and wait for it "
            "while it sleeps; limits that differ are among them"
        ),
    ]


class DeploymentRecord(Frozen):
    """A deployment: what was asked for with every default filled in, and where it stands."""

    name: str
    status: Status
    status_reason: str
    spec: DeploymentSpec
    desired: Annotated[int, Field(description="Instances (model copies, on SageMaker) last asked for")]
    cold_start_seconds: Annotated[float | None, Field(description="Measured at the last start")]
    workflow: Annotated[str | None, Field(description="ARN of the Step Functions execution at work on it")]
    resources: Annotated[dict[str, str], Field(description="Identifiers that only AWS could choose")]
    unpriced: Annotated[
        tuple[str, ...],
        Field(description="Instance types and models that it may use and that have no known price in this region"),
    ]
    serves_in: ServesIn
    notes: Annotated[tuple[str, ...], Field(description="What it cannot do as it was asked for, and what would help")]
    capabilities: CapabilitiesBody
    created_at: datetime
    updated_at: Annotated[datetime, Field(description="When the status last changed")]


class RouteBody(Frozen):
    """Where the gateway sends the deployment's requests now, and why."""

    state: str
    code: str
    reason: str
    primary: dict[str, Any] | None
    spill: dict[str, Any] | None
    spill_share: float
    first_byte_seconds: float
    retry_after_seconds: int


class ReasonBody(Frozen):
    """Why a decision was taken: the number seen, and the threshold it was held against."""

    code: str
    sentence: str
    observed: float | None
    threshold: float | None
    unit: str | None


class DecisionBody(Frozen):
    """What the check decided, on which numbers; dollars are positive for a cost, negative for a saving."""

    at: datetime
    action: str
    desired: int
    usd_per_hour: float | None
    reason: ReasonBody


class PriceSource(Frozen):
    """Where prices were read, and when."""

    source: str
    as_of: str


class PathCostBody(Frozen):
    """One path's part of the cost; its price per million tokens holds idle time and starts."""

    usd: float | None
    tokens: int
    usd_per_million_tokens: float | None


class CostBody(Frozen):
    """List-price cost of one calendar month (UTC) so far; null where a price is unknown."""

    month: str
    usd: float | None
    instances_usd: float | None
    bedrock_usd: float | None
    by_path: dict[str, PathCostBody]
    unknown: Annotated[tuple[str, ...], Field(description="What has no known price")]
    prices: tuple[PriceSource, ...]


class CapacityBody(Frozen):
    """Instances (model copies, on SageMaker) asked for, and what the last look saw of them."""

    desired: int
    ready: int
    starting: int


class MeasuredBody(Frozen):
    """What the last benchmark that found a limit found, and what that holds for."""

    benchmark: str
    at: datetime
    tokens_per_minute: Annotated[float, Field(description="Of one instance")]
    prompt_tokens_per_minute: float
    completion_tokens_per_minute: float
    instance_type: str | None
    instances: int
    concurrency: int
    prompt_tokens: Annotated[float, Field(description="Of the mean request")]
    completion_tokens: float
    ttft_p95_ms: Annotated[float, Field(description="The bound that was kept")]
    engine: str
    conditions: Annotated[str, Field(description="All of it in a sentence")]


class ThroughputBody(Frozen):
    """One instance's capacity as the check, the costs and plans use it: the stated one before the measured one."""

    tokens_per_minute_per_instance: float | None
    source: Annotated[
        Literal["stated", "measured"] | None,
        Field(description="null when what was measured holds for an instance type that is wanted no longer"),
    ]
    measured: MeasuredBody | None


class ShadowBody(Frozen):
    """Would a fleet pay for what a Bedrock deployment answered? Looked at once a day, over up to seven days."""

    at: datetime
    hours: int
    tokens: int
    bedrock_usd: Annotated[float | None, Field(description="What Bedrock charged in these hours")]
    fleet_usd: Annotated[float | None, Field(description="What a fleet with Bedrock as its spill target would have")]
    pays: Annotated[bool | None, Field(description="null where the fleet's price is unknown")]
    instance_type: str | None
    instances: Annotated[int, Field(description="The most at one time")]
    instance_hours: float
    spilled_share: Annotated[float, Field(description="Of the tokens, what Bedrock would have answered still")]
    why: Annotated[str, Field(description="What the fleet's price rests on, or what would have to be known")]


class DeploymentDetail(DeploymentRecord):
    """A deployment with its capacity, throughput, route, cost this month and last ten decisions."""

    capacity: CapacityBody
    throughput: ThroughputBody | None
    route: RouteBody | None
    cost: CostBody
    shadow: Annotated[ShadowBody | None, Field(description="Of deployments on Bedrock that are a day old")]
    decisions: tuple[DecisionBody, ...]


class DeploymentPage(Frozen):
    """One page; ``next_cursor`` is null on the last one."""

    items: tuple[DeploymentRecord, ...]
    next_cursor: str | None


class DecisionPage(Frozen):
    """One page, newest first; ``next_cursor`` is null on the last one."""

    items: tuple[DecisionBody, ...]
    next_cursor: str | None


_PerMinute = Annotated[int, Field(ge=1, le=10_000_000_000)]
_UsdPerMonth = Annotated[float, Field(ge=LEAST, le=1_000_000_000)]


class _Limits(Frozen):
    """What a key may use; null is no limit. Minutes and months are the calendar's, in UTC."""

    requests_per_minute: _PerMinute | None = None
    tokens_per_minute: Annotated[_PerMinute | None, Field(description="Prompt and completion together")] = None
    usd_per_month: Annotated[_UsdPerMonth | None, Field(description="Tokens at Bedrock's list prices")] = None


class ChangedLimits(_Limits):
    """Limits to change: those that are named; null takes one away."""


class Rotation(Frozen):
    """How long the secrets before the new one still work."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400


class NewKey(_Limits):
    """A key to make; without an expiry it is valid until it is deleted."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = (Scope.INVOKE,)
    deployments: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=NAME_PATTERN)], ...],
        Field(max_length=20, description="Names that an invoke key is limited to; empty means all"),
    ] = ()
    expires_at: AwareDatetime | None = None
    expires_in_seconds: Annotated[int, Field(ge=60, le=_TEN_YEARS)] | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> "NewKey":
        if self.expires_at is not None and self.expires_in_seconds is not None:
            raise PydanticCustomError(
                "one_expiry", "cannot be given together with expires_at", {"field": "expires_in_seconds"}
            )
        if self.deployments and Scope.ADMIN in self.scopes:
            raise PydanticCustomError(
                "admin_is_all", "cannot limit a key with the scope admin", {"field": "deployments"}
            )
        return self


class KeyRecord(Frozen):
    """A key as lists show it, with limits as any version took them; the prefix begins its newest secret."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    usd_per_month: float | None
    id: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    deployments: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    old_secrets_until: Annotated[datetime | None, Field(description="When the last replaced secret stops working")]


class CreatedKey(KeyRecord):
    """A key with a new secret, shown this once; a repeat under the same Idempotency-Key shows null instead."""

    secret: str | None


class KeyPage(Frozen):
    """One page; ``next_cursor`` is null on the last one."""

    items: tuple[KeyRecord, ...]
    next_cursor: str | None


class Health(Frozen):
    """That the API answers."""

    status: Literal["ok"] = "ok"


class ErrorDetail(BaseModel):
    """What went wrong, with which field, and what it may be instead."""

    message: str
    type: str
    param: str | None
    code: str | None
    allowed: list[str] | None = None


class ErrorBody(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail
