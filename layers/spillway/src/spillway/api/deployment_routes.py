"""The routes under ``/deployments``."""

from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse

from spillway.api.dry_run import DryRun, DryRunBody, dry_run_of
from spillway.api.idempotency import answered_once
from spillway.api.json_responses import Cursor, Identifier, Limit, accepted, errors
from spillway.api.models import DecisionPage, DeploymentDetail, DeploymentPage, DeploymentRecord
from spillway.api.views import decisions_of, detail_of, record_of
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.ports import Once
from spillway.services.deployments.manage_deployments import ManageDeployments
from spillway.services.deployments.rehearse_deployments import Rehearsal, RehearseDeployments
from spillway.services.deployments.show_deployments import ShowDeployments

_TAGS = ["deployments"]
_Answer: TypeAlias = Response[DeploymentRecord | DryRunBody]
_PATCH = Body(
    description="A JSON merge patch (RFC 7396) of capacity, thresholds, spill, budget and request_log; "
    "null restores a default.",
    examples=[{"capacity": {"max": 6}, "thresholds": {"idle_after_seconds": 1800}}],
)


def add_deployment_routes(
    api: APIGatewayRestResolver,
    manage: ManageDeployments,
    rehearse: RehearseDeployments,
    show: ShowDeployments,
    once: Once,
) -> None:
    """Register the routes; those that change something answer 202 with the record as it stands."""
    _add_changes(api, manage, rehearse, show, once)
    _add_views(api, show)

    @api.post(
        "/deployments/<name>/wake",
        summary="Wake a sleeping deployment",
        tags=_TAGS,
        responses=errors(202, 404, 409),
    )
    def wake(name: Identifier) -> Response[DeploymentRecord]:
        return _accepted(manage.wake(name), show)

    @api.post(
        "/deployments/<name>/sleep",
        summary="Put a deployment to sleep",
        tags=_TAGS,
        responses=errors(202, 404, 409),
    )
    def sleep(name: Identifier) -> Response[DeploymentRecord]:
        return _accepted(manage.sleep(name), show)


def _add_changes(
    api: APIGatewayRestResolver,
    manage: ManageDeployments,
    rehearse: RehearseDeployments,
    show: ShowDeployments,
    once: Once,
) -> None:
    @api.post("/deployments", summary="Ask for a model", tags=_TAGS, responses=_changing(409))
    def create_deployment(spec: DeploymentSpec, dry_run: DryRun = False) -> _Answer:
        if dry_run:
            return _rehearsed(rehearse.create(spec))
        payload = spec.model_dump(mode="json", by_alias=True)
        answer = answered_once(
            api,
            once,
            "POST /deployments",
            payload,
            lambda: _record(manage.create(spec), show),
        )
        return accepted(f"/deployments/{spec.name}", answer)

    @api.patch(
        "/deployments/<name>",
        summary="Change a deployment",
        tags=_TAGS,
        responses=_changing(404, 409),
    )
    def change_deployment(
        name: Identifier, patch: Annotated[dict[str, Any], _PATCH], dry_run: DryRun = False
    ) -> _Answer:
        if dry_run:
            return _rehearsed(rehearse.change(name, patch))
        return _accepted(manage.change(name, patch), show)

    @api.delete(
        "/deployments/<name>",
        summary="Retire a deployment",
        tags=_TAGS,
        responses=_changing(404, 409),
    )
    def retire_deployment(name: Identifier, dry_run: DryRun = False) -> _Answer:
        if dry_run:
            return _rehearsed(rehearse.retire(name))
        return _accepted(manage.retire(name), show)


def _add_views(api: APIGatewayRestResolver, show: ShowDeployments) -> None:
    @api.get("/deployments", summary="List deployments", tags=_TAGS, responses=errors(200))
    def list_deployments(limit: Limit = 20, cursor: Cursor = None) -> DeploymentPage:
        found, next_cursor = show.page(limit, cursor)
        return DeploymentPage(items=tuple(record_of(one, show.unpriced(one)) for one in found), next_cursor=next_cursor)

    @api.get("/deployments/<name>", summary="Show a deployment", tags=_TAGS, responses=errors(200, 404))
    def show_deployment(name: Identifier) -> DeploymentDetail:
        return detail_of(show.one(name))

    @api.get(
        "/deployments/<name>/decisions",
        summary="List decisions",
        tags=_TAGS,
        responses=errors(200, 404),
    )
    def list_decisions(name: Identifier, limit: Limit = 20, cursor: Cursor = None) -> DecisionPage:
        found, next_cursor = show.decisions_of(name, limit, cursor)
        return DecisionPage(items=decisions_of(found), next_cursor=next_cursor)


def _changing(*also: int) -> dict[int, OpenAPIResponse]:
    """Return what a call that changes something answers: a dry run of it answers 200 instead of 202."""
    would: OpenAPIResponse = {"description": "A dry run", "content": {"application/json": {"model": DryRunBody}}}
    record: OpenAPIResponse = {
        "description": HTTPStatus.ACCEPTED.phrase,
        "content": {"application/json": {"model": DeploymentRecord}},
    }
    return {**errors(HTTPStatus.ACCEPTED, *also), HTTPStatus.OK: would, HTTPStatus.ACCEPTED: record}


def _rehearsed(rehearsal: Rehearsal) -> _Answer:
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, dry_run_of(rehearsal))


def _accepted(deployment: Deployment, show: ShowDeployments) -> Response[Any]:
    return accepted(f"/deployments/{deployment.name}", _record(deployment, show), HTTPStatus.ACCEPTED)


def _record(deployment: Deployment, show: ShowDeployments) -> dict[str, Any]:
    return record_of(deployment, show.unpriced(deployment)).model_dump(mode="json", by_alias=True)
