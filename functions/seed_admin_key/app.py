"""CloudFormation custom resource: the hash of the generated admin secret goes into the keys table."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.access import SeedServices, seed_services
from spillway.logs import function_logger
from spillway.settings import Settings

logger = function_logger("seed_admin_key")


@cache
def container() -> SeedServices:
    """Build the services on first use."""
    return seed_services(Settings())


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Seed on Create and Update, remove on Delete; the physical id is the key's id.

    Another secret gives another id, and CloudFormation then sends a Delete for the old one.
    """
    physical_id = event.get("PhysicalResourceId") or "never-made"
    with _failure_told(event, physical_id, context):
        if event["RequestType"] == "Delete":
            container().admin_key.remove(physical_id)
        else:
            physical_id = container().admin_key.seed()
    container().respond(event, physical_id=physical_id)
    logger.info("done", extra={"request": event["RequestType"], "key_id": physical_id})


@contextmanager
def _failure_told(event: dict[str, Any], physical_id: str, context: LambdaContext) -> Iterator[None]:
    """Tell CloudFormation of a failure, which otherwise waits until its own time-out."""
    succeeded = False
    try:
        yield
        succeeded = True
    finally:
        if not succeeded:
            done = "removed" if event["RequestType"] == "Delete" else "stored"
            reason = f"The admin key was not {done}. The reason is in the log stream {context.log_stream_name}."
            container().respond(event, physical_id=physical_id, failure=reason)
