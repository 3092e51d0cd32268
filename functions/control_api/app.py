"""The control API: deployments and keys."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.api.control_api import ControlApi, build_api, serve
from spillway.bootstrap.control_api import control_api_services
from spillway.logs import function_logger
from spillway.settings import Settings

logger = function_logger("control_api")


@cache
def container() -> ControlApi:
    """Build the services on first use."""
    return control_api_services(Settings())


@cache
def api() -> APIGatewayRestResolver:
    """Build the routes on first use."""
    return build_api(container())


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request from API Gateway."""
    return serve(api(), event, context)
