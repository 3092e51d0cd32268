"""What can be observed of a deployment: CloudWatch bills each of them every time it is read."""

from enum import StrEnum


class Signal(StrEnum):
    """What can be read about a deployment."""

    REQUESTS = "requests"
    PRIMARY_REQUESTS = "primary_requests"
    BEDROCK_TOKENS = "bedrock_tokens"
    PRIMARY_TOKENS = "primary_tokens"
    ENGINES = "engines"
