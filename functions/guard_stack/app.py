"""CloudFormation custom resources: no end and no move of the stack under what runs, and no name that cannot work."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.guard import GuardServices, guard_services
from spillway.logs import function_logger
from spillway.services.events.stack_guard import read_guard_request
from spillway.settings import Settings

logger = function_logger("guard_stack")


@cache
def container() -> GuardServices:
    """Build the services on first use."""
    return guard_services(Settings())


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Let CloudFormation go on, or refuse with the reason; what cannot be told is refused."""
    refusal: str | None = f"Nobody could tell what runs. The reason is in the log stream {context.log_stream_name}."
    try:
        refusal = container().guard.refusal(read_guard_request(event))
    finally:
        physical_id = event.get("PhysicalResourceId") or event["LogicalResourceId"]
        container().respond(event, physical_id=physical_id, failure=refusal)
    logger.info("asked", extra={"request": event["RequestType"], "guard": event["ResourceType"], "refusal": refusal})
