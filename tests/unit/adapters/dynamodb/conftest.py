"""What the gateway writes to, over HTTP as the gateway speaks it."""

from tests.unit.gateway.conftest import aws, dynamo, endpoint

__all__ = ["aws", "dynamo", "endpoint"]
