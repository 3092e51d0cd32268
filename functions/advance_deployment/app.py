"""A step of a workflow: status, route, event; or the announcement of how it ended."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.workflow_steps import WorkflowServices, workflow_services
from spillway.logs import function_logger
from spillway.services.events.deployment_steps import Announce, read_deployment_step
from spillway.settings import Settings

logger = function_logger("advance_deployment")


@cache
def container() -> WorkflowServices:
    """Build the services on first use."""
    return workflow_services(Settings())


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Take the step named in ``event`` and return what the state machine needs next."""
    step, services = read_deployment_step(event), container()
    logger.info("step", extra={"step": step.step, "deployment": step.deployment})
    if isinstance(step, Announce):
        services.announce.run(services.deployments.get(step.deployment), step)
        return {}
    return services.advance.run(step)
