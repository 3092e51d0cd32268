"""The sort keys of the ``usage`` table, written and read in this one place; light, because the gateway writes them too.

``<hour>#<role>#<path>#<key id>`` for requests and ``<hour>#instances#<path>#<instance type>#<instance>`` for billed
instance time; the check's own runs stand under the deployment ``CHECKS`` as ``<hour>#check#lambda#``.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from spillway.domain.observations.usage import InstanceTime, hour_from, hour_of

KEPT_FOR = timedelta(days=400)
_INSTANCES = "instances"


class UsageKey(NamedTuple):
    """One sort key taken apart; ``rest`` is a key's id, or instance type and instance."""

    hour: datetime
    role: str
    path: str
    rest: str

    @property
    def is_instances(self) -> bool:
        """Whether it counts billed instance time rather than requests."""
        return self.role == _INSTANCES

    @property
    def instance_type(self) -> str:
        """The instance type of billed instance time, empty for requests."""
        return self.rest.partition("#")[0] if self.is_instances else ""


def usage_key_of(text: str) -> UsageKey:
    """Take a stored sort key apart; raises ValueError for what is none."""
    hour, role, path, rest = text.split("#", 3)
    return UsageKey(hour_from(hour), role, path, rest)


def traffic_key(hour: str, role: str, path: str, key_id: str) -> str:
    """Return the sort key of requests; ``hour`` as :func:`hour_of` names it."""
    return f"{hour}#{role}#{path}#{key_id}"


def instance_key(time: InstanceTime) -> str:
    """Return the sort key of one instance's time in an hour."""
    return f"{hour_of(time.hour)}#{_INSTANCES}#{time.path}#{time.instance_type}#{time.instance}"


def check_key(hour: datetime) -> str:
    """Return the sort key of the check's runs in an hour."""
    return traffic_key(hour_of(hour), "check", "lambda", "")
