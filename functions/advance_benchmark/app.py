"""A step of the benchmark workflow: begin, judge a level and plan the next, close the record."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.benchmark import benchmark_service
from spillway.logs import function_logger
from spillway.services.events.benchmark_steps import read_benchmark_step
from spillway.services.run_benchmark import RunBenchmark
from spillway.settings import Settings

logger = function_logger("advance_benchmark")


@cache
def container() -> RunBenchmark:
    """Build the service on first use."""
    return benchmark_service(Settings())


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Take the step named in ``event`` and return what the state machine needs next."""
    step = read_benchmark_step(event)
    logger.info("step", extra={"step": step.step, "deployment": step.deployment, "benchmark": step.benchmark})
    return container().run(step)
