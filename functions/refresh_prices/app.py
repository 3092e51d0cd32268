"""The daily refresh of the price book."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.prices import refresh_prices_service
from spillway.logs import function_logger
from spillway.services.refresh_prices import RefreshPrices
from spillway.settings import Settings

logger = function_logger("refresh_prices")


@cache
def container() -> RefreshPrices:
    """Build the service on first use."""
    return refresh_prices_service(Settings())


@logger.inject_lambda_context(log_event=False)
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Refresh once; say what was stored and what was refused."""
    report = vars(container().run())
    logger.info("prices", extra=report)
    return report
