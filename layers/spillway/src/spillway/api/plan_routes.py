"""``POST /plans``."""

from http import HTTPStatus
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse

from spillway.api.json_responses import errors
from spillway.api.plan_models import PlanBody
from spillway.api.plan_views import plan_of
from spillway.domain.planner.chart import chart
from spillway.domain.planner.request import PlanRequest
from spillway.services.plan_costs import PlanCosts

_Format = Annotated[Literal["json", "svg"], Query(alias="format", description="svg is cost against volume")]


_ANSWER: OpenAPIResponse = {
    "description": "OK",
    "content": {"application/json": {"model": PlanBody}, "image/svg+xml": {"schema": {"type": "string"}}},
}


def add_plan_routes(api: APIGatewayRestResolver, plans: PlanCosts) -> None:
    """Register the route."""

    @api.post(
        "/plans",
        summary="What a traffic costs on every path",
        tags=["costs"],
        responses={**errors(200, 404), 200: _ANSWER},
    )
    def make_plan(request: PlanRequest, form: _Format = "json") -> Response[PlanBody | str]:
        plan = plans.plan(request)
        if form == "svg":
            return Response(HTTPStatus.OK, "image/svg+xml", chart(plan))
        return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, plan_of(plan))
