"""One verb of the Bedrock path, for a workflow's task."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.drivers import bedrock_driver_task
from spillway.logs import function_logger
from spillway.services.driver_task import DriverTask
from spillway.services.events.driver import read_driver_event
from spillway.settings import Settings

logger = function_logger("drive_bedrock")


@cache
def container() -> DriverTask:
    """Build the service on first use."""
    return bedrock_driver_task(Settings())


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Do the verb named in ``event``; an error's class name is what the state machine catches."""
    asked = read_driver_event(event)
    answer = container().run(asked)
    logger.info("verb", extra={"verb": asked.verb, "deployment": asked.deployment, "answer": answer})
    return answer
