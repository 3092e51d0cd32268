"""The control API put together."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, content_types
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer, License
from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.api.alert_routes import add_alert_routes
from spillway.api.benchmark_routes import add_benchmark_routes
from spillway.api.cost_routes import add_cost_routes
from spillway.api.credit_routes import add_credit_routes
from spillway.api.deployment_routes import add_deployment_routes
from spillway.api.error_responses import Failures
from spillway.api.json_responses import errors
from spillway.api.key_routes import add_key_routes
from spillway.api.models import Health
from spillway.api.plan_routes import add_plan_routes
from spillway.api.price_routes import add_price_routes
from spillway.api.request_guard import as_json, refusal
from spillway.api.resolver import DOCS_PATH, Resolver, only_known_queries
from spillway.api.validation import parsed_body
from spillway.http_errors import error_json
from spillway.ports import Once, TopicSubscribers
from spillway.services.deployments.manage_deployments import ManageDeployments
from spillway.services.deployments.rehearse_deployments import RehearseDeployments
from spillway.services.deployments.show_deployments import ShowDeployments
from spillway.services.manage_benchmarks import ManageBenchmarks
from spillway.services.manage_credits import ManageCredits
from spillway.services.manage_keys import ManageKeys
from spillway.services.manage_prices import ManagePrices
from spillway.services.plan_costs import PlanCosts
from spillway.services.show_costs import ShowCosts


@dataclass(frozen=True)
class ControlApi:
    """Everything that the control API uses from outside."""

    manage: ManageDeployments
    rehearse: RehearseDeployments
    show: ShowDeployments
    benchmarks: ManageBenchmarks
    costs: ShowCosts
    plans: PlanCosts
    prices: ManagePrices
    credits: ManageCredits
    keys: ManageKeys
    subscribers: TopicSubscribers
    once: Once
    now: Callable[[], datetime]


def build_api(services: ControlApi) -> APIGatewayRestResolver:
    """Return the resolver with every route, the OpenAPI document at ``/docs`` and the error handlers."""
    api = Resolver(
        enable_validation=True,
        response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        json_body_deserializer=parsed_body,
        debug=False,
    )
    api.configure_openapi(
        title="Spillway",
        description="Ask for a model, watch what it does and costs, and manage the keys that may call it.",
        license_info=License(name="Apache License 2.0", identifier="Apache-2.0"),
        security_schemes={"bearer": HTTPBearer()},
        security=[{"bearer": []}],
    )
    api.enable_swagger(path=DOCS_PATH)
    api.use(middlewares=[only_known_queries])
    add_deployment_routes(api, services.manage, services.rehearse, services.show, services.once)
    add_benchmark_routes(api, services.benchmarks, services.once)
    add_cost_routes(api, services.costs)
    add_plan_routes(api, services.plans)
    add_price_routes(api, services.prices)
    add_credit_routes(api, services.credits)
    add_alert_routes(api, services.subscribers)
    add_key_routes(api, services.keys, services.once, services.now)

    @api.get("/healthz", summary="Whether the API answers", tags=["health"], responses=errors(200, needs_key=False))
    def healthz() -> Health:
        return Health()

    Failures(api, docs_path=DOCS_PATH).register()
    return api


def serve(api: APIGatewayRestResolver, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one REST proxy event."""
    refused = refusal(event)
    if refused is not None:
        return {
            "statusCode": refused.status,
            "headers": {"Content-Type": content_types.APPLICATION_JSON},
            "body": json.dumps(error_json(refused)),
            "isBase64Encoded": False,
        }
    return _located(api.resolve(as_json(event), context), event)


def _located(answer: dict[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """Put the API's stage before a Location: routes don't know it, and clients resolve it from the host's root."""
    stage = str(event["requestContext"].get("path", "")).removesuffix(str(event["path"]))
    locations = answer.get("multiValueHeaders", {}).get("Location")
    if locations:
        answer["multiValueHeaders"]["Location"] = [f"{stage}{location}" for location in locations]
    return answer
