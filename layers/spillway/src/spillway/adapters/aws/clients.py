"""boto3 clients, all made the same way: bounded waits, standard retries, and a name in AWS's own logs."""

from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from spillway import __name__ as package
from spillway import data

# What newer SDKs know of a service, for the one that a Lambda runtime brings: AWS names no version of it.
_NEWER = Path(data.__file__).parent / "sdk"


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


def client(service: str, region: str | None = None, *, within: int | None = None) -> Any:
    """Return a new client of one AWS service; region, credentials and endpoint come from the SDK's own settings.

    A ``region`` is given only for a service that is elsewhere than the stack. With ``within`` it asks
    once and waits that many seconds: for what somebody is waiting for.
    """
    config = client_config()
    if within is not None:
        config = config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=within))
    return _session().client(service, region_name=region, config=config)  # type: ignore[call-overload]


@cache
def _session() -> boto3.Session:
    """Return a session whose models of services are completed by ours."""
    session = botocore.session.get_session()
    session.get_component("data_loader").search_paths.append(str(_NEWER))
    return boto3.Session(botocore_session=session)
