"""boto3 clients, all made the same way: bounded waits, standard retries, and a name in AWS's own logs."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from spillway import __name__ as package

_HASTY = Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=8)


@cache
def client_config() -> Config:
    """Return the configuration that every client shares.

    A state machine repeats a call that fails for good, so three attempts are enough; the time-outs keep those three
    well inside a function's own two minutes.
    """
    return Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=20,
        user_agent_extra=package,
    )


def client(service: str, region: str | None = None, *, hasty: bool = False) -> Any:
    """Return a new client of one AWS service; region, credentials and endpoint come from the SDK's own settings.

    A ``region`` is given only for a service that is elsewhere than the stack. A ``hasty`` one asks once and waits for
    seconds: for what an answer can do without.
    """
    config = client_config().merge(_HASTY) if hasty else client_config()
    return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]
