"""What holds for all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.calls.plugin import ADD, ANEW, RECORD, CallCheck
from tests.sandbox.constraints import refuse_what_services_refuse

# moto takes names and values that AWS does not.
refuse_what_services_refuse()

# Machines are shared and noisy: how long an example takes says nothing about the code. In CI the examples are always
# the same, so that a change fails there for what it changed.
settings.register_profile(
    "spillway", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("spillway")

# Files that wait for most of their time, the longest first: begun last, they would keep the others waiting at the end.
FIRST = (
    "/e2e/test_capacity.py",
    "/e2e/test_benchmarks.py",
    "/e2e/test_workflows.py",
    "/e2e/test_gateway_streams.py",
    "/e2e/test_sweep.py",
    "/e2e/test_reviews.py",
    "/e2e/",
    "/clients/",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    text = f"{ADD} this run's AWS calls to those that are recorded, or record them {ANEW}"
    parser.addoption(RECORD, nargs="?", const=ADD, choices=(ADD, ANEW), help=text)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(CallCheck())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    path = item.path.as_posix()
    return next((turn for turn, part in enumerate(FIRST) if part in path), len(FIRST))
