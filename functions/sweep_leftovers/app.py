"""The hourly sweep for what belongs to nothing."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.review import sweep_service
from spillway.logs import function_logger
from spillway.services.sweep import Sweep
from spillway.settings import Settings

logger = function_logger("sweep_leftovers")


@cache
def container() -> Sweep:
    """Build the service on first use."""
    return sweep_service(Settings())


@logger.inject_lambda_context(log_event=False)
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Sweep once; say what was seen and sent."""
    report = vars(container().run())
    logger.info("sweep", extra=report)
    return report
