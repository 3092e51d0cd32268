"""One sandbox a module of end-to-end tests: it patches moto in this process, which other tests use bare.

A module sets how fast its time runs by ``TIME_FACTOR``; ``SCHEDULES`` names the functions that are still run on a
schedule, all if it is not there, and ``PARAMETERS`` are the stack's beside the usual ones.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.operator import Operator
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.runtime.options import DEFAULT_TIME_FACTOR, Options
from tests.sandbox.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    factor = float(getattr(request.module, "TIME_FACTOR", DEFAULT_TIME_FACTOR))
    parameters = {**Options().parameters, **getattr(request.module, "PARAMETERS", {})}
    with Sandbox(Options(port=0, folder=folder, time_factor=factor, parameters=parameters)) as running:
        if (schedules := getattr(request.module, "SCHEDULES", None)) is not None:
            running.emulation.scheduler.leave(*schedules)
        yield running


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[Faults]:
    """What is told to go wrong in one test; afterwards it is as it was before."""
    found = sandbox.emulation.faults
    before = set(found.insufficient_capacity), set(found.crash_while_loading), dict(found.resource_limit)
    yield found
    found.clear()
    found.insufficient_capacity, found.crash_while_loading, found.resource_limit = before


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def operator(sandbox: Sandbox, http: aiohttp.ClientSession) -> AsyncIterator[Operator]:
    """Whoever runs the stack; what a test asked for is retired after it, and must leave nothing."""
    one = Operator(sandbox, http)
    yield one
    await one.clean_up()
    one.expect_no_accident()
