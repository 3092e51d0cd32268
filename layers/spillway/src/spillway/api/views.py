"""Domain objects as the API's models."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from spillway.api.models import (
    CapabilitiesBody,
    CapacityBody,
    CostBody,
    DecisionBody,
    DeploymentDetail,
    DeploymentRecord,
    KeyRecord,
    MeasuredBody,
    PathCostBody,
    PriceSource,
    ReasonBody,
    RouteBody,
    ShadowBody,
    ThroughputBody,
)
from spillway.domain.access.keys import Key
from spillway.domain.capabilities.card import capabilities_view
from spillway.domain.capabilities.deployment_cards import cards_of
from spillway.domain.costs.month import Cost
from spillway.domain.decision import Decision, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.parsers import notes_on
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.paths.bedrock_models import CalledModel
from spillway.domain.paths.targets import target_to_json
from spillway.domain.routing.route import Route
from spillway.services.deployments.show_deployments import Detail


def record_of(deployment: Deployment, unpriced: Sequence[str]) -> DeploymentRecord:
    """Return a deployment as lists and changes show it; ``unpriced`` is what has no price of all that it may use."""
    return DeploymentRecord(
        name=deployment.name,
        status=deployment.status,
        status_reason=deployment.status_reason,
        spec=deployment.spec,
        desired=deployment.desired,
        cold_start_seconds=deployment.cold_start_seconds,
        workflow=deployment.workflow,
        resources=dict(deployment.resources),
        unpriced=tuple(unpriced),
        serves_in=dict(deployment.serves_in),
        notes=tuple(notes_on(deployment.spec)),
        capabilities=capabilities_of(deployment.spec, deployment.called, deployment.resources),
        created_at=deployment.created_at,
        updated_at=deployment.updated_at,
    )


def capabilities_of(
    spec: DeploymentSpec, called: Mapping[str, CalledModel | None], resources: Mapping[str, str]
) -> CapabilitiesBody:
    """Return what the targets of a spec can do, whether or not anything of it exists; the rest as cards_of."""
    cards = cards_of(spec, called, resources)
    return CapabilitiesBody.model_validate(capabilities_view(cards.primary, cards.spill))


def detail_of(detail: Detail) -> DeploymentDetail:
    """Return a deployment in full."""
    return DeploymentDetail(
        **dict(record_of(detail.deployment, detail.unpriced)),
        capacity=CapacityBody(
            desired=detail.deployment.desired,
            ready=detail.route.ready if detail.route else 0,
            starting=detail.route.starting if detail.route else 0,
        ),
        throughput=_throughput(detail.deployment),
        route=_route(detail.route) if detail.route else None,
        cost=_cost(detail.month, detail.cost),
        decisions=decisions_of(detail.decisions),
        shadow=ShadowBody(**vars(detail.shadow), pays=detail.shadow.pays) if detail.shadow else None,
    )


def decisions_of(decisions: Sequence[tuple[datetime, Decision]]) -> tuple[DecisionBody, ...]:
    """Return decisions in the given order."""
    return tuple(
        DecisionBody(
            at=at,
            action=decision.action,
            desired=decision.desired,
            usd_per_hour=decision.usd_per_hour,
            reason=ReasonBody(**reason_to_json(decision.reason)),
        )
        for at, decision in decisions
    )


def key_record_of(key: Key) -> KeyRecord:
    """Return a key without anything that opens a door."""
    return KeyRecord(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=tuple(sorted(key.scopes)),
        deployments=key.deployments,
        created_at=key.created_at,
        expires_at=key.expires_at,
        old_secrets_until=max((old.until for old in key.old_secrets), default=None),
        **vars(key.limits),
    )


def _throughput(deployment: Deployment) -> ThroughputBody | None:
    used, measured = deployment.tokens_per_minute_per_instance, deployment.measured
    if used is None and measured is None:
        return None
    is_stated = deployment.spec.capacity.tokens_per_minute_per_instance is not None
    return ThroughputBody(
        tokens_per_minute_per_instance=used,
        source="stated" if is_stated else None if used is None else "measured",
        measured=MeasuredBody(**vars(measured), conditions=measured.conditions()) if measured else None,
    )


def _route(route: Route) -> RouteBody:
    return RouteBody(
        state=route.state,
        code=route.code,
        reason=route.reason,
        primary=target_to_json(route.primary) if route.primary else None,
        spill=target_to_json(route.spill) if route.spill else None,
        spill_share=route.spill_share,
        first_byte_seconds=route.first_byte_seconds,
        retry_after_seconds=route.retry_after_seconds,
    )


def _cost(month: str, cost: Cost) -> CostBody:
    return CostBody(
        month=month,
        usd=cost.usd,
        instances_usd=cost.instances_usd,
        bedrock_usd=cost.bedrock_usd,
        by_path={
            path: PathCostBody(usd=part.usd, tokens=part.tokens, usd_per_million_tokens=part.usd_per_million_tokens)
            for path, part in cost.by_path.items()
        },
        unknown=cost.unknown,
        prices=tuple(PriceSource(source=source.source, as_of=source.as_of) for source in cost.sources),
    )
