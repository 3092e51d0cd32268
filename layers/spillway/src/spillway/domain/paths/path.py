"""The paths by their names, and the ways in which they differ."""

from enum import StrEnum


class Path(StrEnum):
    """Where a model runs."""

    BEDROCK = "bedrock"
    IMPORT = "import"
    JUMPSTART = "jumpstart"
    FLEET = "fleet"


class Billing(StrEnum):
    """What AWS bills a path's answers by."""

    TOKEN = "token"  # noqa: S105 - what a model reads and writes, no secret
    # Minutes of a copy, in windows that open with a request.
    WINDOW = "window"
    # Hours of instances, whether they answer or not.
    HOUR = "hour"


class CapacitySource(StrEnum):
    """Where a path's instances are counted."""

    # Bedrock scales by itself and has none to show.
    NOWHERE = "nowhere"
    GROUP = "Auto Scaling group"
    ENDPOINT = "SageMaker endpoint"


class InstancePrices(StrEnum):
    """Which of the price book's hourly prices are a path's."""

    EC2 = "ec2"
    SAGEMAKER = "sagemaker"
    MODEL_UNITS = "model units"
