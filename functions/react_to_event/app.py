"""Events from AWS and from the gateway, handled as they come."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.events import event_service
from spillway.logs import function_logger
from spillway.services.events.notices import read_notice
from spillway.services.handle_event import HandleEvent
from spillway.settings import Settings

logger = function_logger("react_to_event")


@cache
def container() -> HandleEvent:
    """Build the service on first use."""
    return event_service(Settings())


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Handle one EventBridge event."""
    notice = read_notice(event)
    logger.info("event", extra={"detail_type": notice.kind, "event_id": notice.id})
    container().run(notice)
