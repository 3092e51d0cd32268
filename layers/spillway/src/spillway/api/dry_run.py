"""The answer of a call with ``dry_run=true``: what it would do, and what stands in its way."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from spillway.api.models import CapabilitiesBody, ServesIn
from spillway.api.views import capabilities_of
from spillway.domain.deployments.deployment import regions_by_id
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.frozen import Frozen
from spillway.domain.pricing.price_book import HourlyPrice, TokenPrice
from spillway.services.deployments.rehearse_deployments import Rehearsal, Would

DryRun = Annotated[
    bool, Query(description="Check everything as the call would, and answer 200 with what it would do; nothing is made")
]


class ProblemBody(Frozen):
    """What a path's own checks found, as an error says it."""

    message: str
    param: str | None
    code: str
    allowed: tuple[str, ...] | None


class ChangeBody(Frozen):
    """One field of the spec that would be another."""

    field: str
    before: Any
    after: Any


class WouldCost(Frozen):
    """List prices, less your own discounts: of one instance, or of a million tokens."""

    usd_per_hour_per_instance: float | None
    usd_per_hour_at_least: Annotated[float | None, Field(description="At the floor of instances")]
    usd_per_hour_at_most: Annotated[float | None, Field(description="At capacity.max")]
    usd_per_million_prompt_tokens: float | None
    usd_per_million_completion_tokens: float | None
    source: str
    as_of: str


class DryRunBody(Frozen):
    """What a call would do. Nothing was made, written, started or told, and no Idempotency-Key is used up."""

    dry_run: Annotated[bool, Field(description="Always true")]
    would: Would
    ok: Annotated[bool, Field(description="Whether the checks found no problem")]
    problems: Annotated[
        tuple[ProblemBody, ...],
        Field(description="Of quota, access to the model, its own document, or the spill target"),
    ]
    spec: Annotated[DeploymentSpec, Field(description="With every default; of a DELETE, the one that would end")]
    changes: Annotated[tuple[ChangeBody, ...], Field(description="Of a PATCH")]
    workflow: Annotated[str | None, Field(description="What would be started; null where nothing would")]
    desired: Annotated[int, Field(description="Instances (model copies, on SageMaker) that it would ask for")]
    resources: Annotated[tuple[str, ...], Field(description="What would be made, or by DELETE released, by name")]
    serves_in: ServesIn
    capabilities: CapabilitiesBody
    price: Annotated[WouldCost | None, Field(description="null where it is unknown, and of a DELETE")]


def dry_run_of(rehearsal: Rehearsal) -> DryRunBody:
    """Return a rehearsal as the API shows it."""
    found = rehearsal.findings
    return DryRunBody(
        dry_run=True,
        would=rehearsal.would,
        ok=not found.problems,
        problems=tuple(ProblemBody(**vars(each)) for each in found.problems),
        spec=rehearsal.spec,
        changes=tuple(_changes(rehearsal)),
        workflow=rehearsal.workflow,
        desired=rehearsal.desired,
        resources=found.resources,
        serves_in=regions_by_id(rehearsal.called),
        capabilities=capabilities_of(rehearsal.spec, rehearsal.called, {}),
        price=_price(rehearsal),
    )


def _changes(rehearsal: Rehearsal) -> Iterator[ChangeBody]:
    if rehearsal.before is None or rehearsal.before == rehearsal.spec:
        return
    before, after = (dict(_fields(each.model_dump(mode="json", by_alias=True))) for each in _both(rehearsal))
    for field in sorted(before.keys() | after.keys()):
        if before.get(field) != after.get(field):
            yield ChangeBody(field=field, before=before.get(field), after=after.get(field))


def _both(rehearsal: Rehearsal) -> tuple[DeploymentSpec, DeploymentSpec]:
    return rehearsal.before or rehearsal.spec, rehearsal.spec


def _fields(data: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value


def _price(rehearsal: Rehearsal) -> WouldCost | None:
    price, most = rehearsal.price, rehearsal.spec.capacity.max
    if price is None:
        return None
    hourly = price.usd_per_hour if isinstance(price, HourlyPrice) else None
    tokens = price if isinstance(price, TokenPrice) else None
    return WouldCost(
        usd_per_hour_per_instance=hourly,
        usd_per_hour_at_least=None if hourly is None else round(hourly * rehearsal.floor, 6),
        usd_per_hour_at_most=None if hourly is None else round(hourly * most, 6),
        usd_per_million_prompt_tokens=tokens.prompt_usd if tokens else None,
        usd_per_million_completion_tokens=tokens.completion_usd if tokens else None,
        source=price.source.source,
        as_of=price.source.as_of,
    )
