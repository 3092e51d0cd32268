"""The scheduled look at every deployment, once a minute."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.check import check_service
from spillway.logs import function_logger
from spillway.services.check import Check
from spillway.settings import Settings

logger = function_logger("check_utilization")


@cache
def container() -> Check:
    """Build the service on first use."""
    return check_service(Settings())


@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Look once; say what was seen, or that another check is at work."""
    looked = container().run(owner=context.aws_request_id)
    report: dict[str, Any] = {"skipped": True} if looked is None else {"skipped": False, **vars(looked)}
    logger.info("check", extra=report)
    return report
