"""A running moto for the tests of the simulated cloud."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.sandbox.cloud.clock import ManualClock, SandboxClock
from tests.sandbox.cloud.moto_cloud import REGION, MotoCloud

Clients = Callable[[str], Any]


@pytest.fixture
def moto() -> Iterator[MotoCloud]:
    cloud = MotoCloud()
    yield cloud
    cloud.stop()


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """Return one session for all tests: it reads each service's model once."""
    return boto3.Session("key", "secret", region_name=REGION)


@pytest.fixture
def clients(moto: MotoCloud, session: boto3.Session) -> Clients:
    """Return boto3 clients of the running moto, without the SDK's own retries."""
    url = moto.start()
    config = Config(retries={"total_max_attempts": 1})
    return lambda service: session.client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    clock = ManualClock()
    yield clock
    clock.close()


@pytest.fixture
def fast_clock() -> Iterator[SandboxClock]:
    """An hour of the sandbox in a second."""
    clock = SandboxClock(3600.0)
    yield clock
    clock.close()
