from typing import Any

import pytest

from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import source, transformed

WITH_ALL = {
    "EnableFleets": "true",
    "AlertEmail": "ops@example.com",
    "AllowModelSubscriptions": "true",
    "CompareWithBill": "true",
    "FleetSessionManager": "true",
    "HuggingFaceTokenSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:token",
    "WebAclArn": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/b",
    "WeightsBucket": "weights",
    "WeightsPrefix": "models/",
}


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """The template as written; don't change it."""
    return source()


@pytest.fixture(scope="session")
def stack() -> StaticStack:
    """The stack with default parameters."""
    return StaticStack(transformed())


@pytest.fixture(scope="session")
def fleet_stack() -> StaticStack:
    """The stack with fleets and every option."""
    return StaticStack(transformed(WITH_ALL), WITH_ALL)
