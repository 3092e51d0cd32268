"""What can be observed of a deployment: each is read, and paid for, only where a decision can depend on it."""

from enum import StrEnum


class Signal(StrEnum):
    """What can be read about a deployment: what the gateway counted of it, and what its engines say of themselves."""

    TRAFFIC = "traffic"
    ENGINES = "engines"
