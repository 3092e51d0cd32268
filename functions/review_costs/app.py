"""The hourly review of what deployments cost."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.review import review_costs_service
from spillway.logs import function_logger
from spillway.services.review_costs import ReviewCosts
from spillway.settings import Settings

logger = function_logger("review_costs")


@cache
def container() -> ReviewCosts:
    """Build the service on first use."""
    return review_costs_service(Settings())


@logger.inject_lambda_context(log_event=False)
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Review once; say what was seen and sent."""
    report = vars(container().run())
    logger.info("review", extra=report)
    return report
