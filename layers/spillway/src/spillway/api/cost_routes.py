"""``GET /costs``."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse

from spillway.api.cost_models import CostReportBody
from spillway.api.cost_views import csv_of, report_of
from spillway.api.json_responses import errors
from spillway.domain.errors import InvalidRequest
from spillway.services.show_costs import GroupBy, ShowCosts

_From = Annotated[
    str | None, Query(alias="from", max_length=40, description="A day or an ISO 8601 moment; this month's first hour")
]
_To = Annotated[str | None, Query(alias="to", max_length=40, description="A day (its beginning) or a moment; now")]
_Group = Annotated[GroupBy, Query(description="What one row is")]
_Deployment = Annotated[str | None, Query(max_length=64, description="Only this deployment")]
_Bill = Annotated[
    bool, Query(description="Compare days with AWS's bill, for which AWS charges; JSON only, and off in most stacks")
]
_Format = Annotated[Literal["json", "csv"], Query(alias="format")]


# Whole hours and months around a moment have to be moments too.
_FIRST_YEAR, _LAST_YEAR = 2000, 2999

_ANSWER: OpenAPIResponse = {
    "description": "OK",
    "content": {"application/json": {"model": CostReportBody}, "text/csv": {"schema": {"type": "string"}}},
}


def add_cost_routes(api: APIGatewayRestResolver, costs: ShowCosts) -> None:
    """Register the route."""

    @api.get(
        "/costs",
        summary="Realised cost, in groups that add up",
        tags=["costs"],
        responses={**errors(200, 404), 200: _ANSWER},
    )
    def show_costs(
        since: _From = None,
        until: _To = None,
        group_by: _Group = "deployment",
        deployment: _Deployment = None,
        form: _Format = "json",
        bill: _Bill = False,
    ) -> Response[CostReportBody | str]:
        report = costs.report(moment(since, "from"), moment(until, "to"), group_by, deployment, with_bill=bill)
        if form == "csv":
            return Response(HTTPStatus.OK, "text/csv", csv_of(report))
        return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, report_of(report))


def moment(text: str | None, param: str) -> datetime | None:
    """Return a day or a moment (UTC where it names no offset); InvalidRequest for anything else."""
    if text is None:
        return None
    try:
        # A "+" that a client did not escape arrives as a space.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        moment_of_utc = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise InvalidRequest(f"{param} is not a day such as 2026-11-24 or an ISO 8601 moment", param=param) from err
    if not _FIRST_YEAR <= moment_of_utc.year <= _LAST_YEAR:
        raise InvalidRequest(f"{param} must be in the years {_FIRST_YEAR} to {_LAST_YEAR}", param=param)
    return moment_of_utc
