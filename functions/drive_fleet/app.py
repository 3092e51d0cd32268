"""One verb of the fleet path, for a workflow's task."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.drivers import fleet_drive
from spillway.logs import function_logger
from spillway.services.driver_task import Drive
from spillway.settings import Settings

logger = function_logger("drive_fleet")


@cache
def container() -> Drive:
    """Build the service on first use."""
    return fleet_drive(Settings())


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Do the verb named in ``event``; an error's class name is what the state machine catches."""
    answer = container().run(event)
    logger.info("verb", extra={"verb": event["verb"], "deployment": event["deployment"], "answer": answer})
    return answer
