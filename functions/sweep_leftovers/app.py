"""The hourly look for what belongs to nothing, and for alerts that nobody hears."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.review import sweep_services
from spillway.logs import function_logger
from spillway.services.sweep import Sweep
from spillway.services.watch_subscribers import WatchSubscribers
from spillway.settings import Settings

logger = function_logger("sweep_leftovers")


@cache
def container() -> tuple[WatchSubscribers, Sweep]:
    """Build the services on first use."""
    return sweep_services(Settings())


@logger.inject_lambda_context(log_event=False)
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Look once; say what was seen and sent. First the subscribers: of what the sweep finds, somebody should hear."""
    watch, sweep = container()
    report = {**vars(watch.run()), **vars(sweep.run())}
    logger.info("sweep", extra=report)
    return report
