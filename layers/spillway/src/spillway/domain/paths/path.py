"""The paths by their names, and what AWS bills their answers by; light, because the gateway knows them too."""

from enum import StrEnum
from typing import assert_never


class Billing(StrEnum):
    """What AWS bills a path's answers by."""

    TOKEN = "token"  # noqa: S105 - what a model reads and writes, no secret
    # Minutes of a copy, in windows that open with a request.
    WINDOW = "window"
    # Hours of instances, whether they answer or not.
    HOUR = "hour"


class Path(StrEnum):
    """Where a model runs; what else is true of a path says its profile."""

    BEDROCK = "bedrock"
    IMPORT = "import"
    JUMPSTART = "jumpstart"
    FLEET = "fleet"

    @property
    def billing(self) -> Billing:
        """What its answers are billed by."""
        match self:
            case Path.BEDROCK:
                return Billing.TOKEN
            case Path.IMPORT:
                return Billing.WINDOW
            case Path.JUMPSTART | Path.FLEET:
                return Billing.HOUR
            case _:
                assert_never(self)


_BILLED_BY_TOKEN = frozenset(path.value for path in Path if path.billing is Billing.TOKEN)


def is_billed_by_token(path: str) -> bool:
    """Whether what answered under a path's name is billed by the token; the name may be of no path at all."""
    return path in _BILLED_BY_TOKEN
