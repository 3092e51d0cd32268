"""The sort keys of the ``usage`` table, written and read in this one place; light, because the gateway writes them too.

``<hour>#<role>#<path>#<key id>`` for requests and ``<hour>#instances#<path>#<instance type>#<instance>`` for billed
instance time; the check's own runs stand under the deployment ``CHECKS`` as ``<hour>#check#lambda#``.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spillway.domain.observations.hours import hour_from, hour_of

if TYPE_CHECKING:
    from spillway.domain.observations.usage import InstanceTime

KEPT_FOR = timedelta(days=400)
INSTANCES = "instances"


def parts_of(text: str) -> tuple[datetime, str, str, str]:
    """Take a stored sort key apart: hour, role (or ``INSTANCES``), path, and a key's id (or the instance type).

    Raises ValueError for what is none.
    """
    hour, role, path, rest = text.split("#", 3)
    return hour_from(hour), role, path, rest.partition("#")[0] if role == INSTANCES else rest


def traffic_key(hour: str, role: str, path: str, key_id: str) -> str:
    """Return the sort key of requests; ``hour`` as :func:`hour_of` names it."""
    return f"{hour}#{role}#{path}#{key_id}"


def instance_key(time: "InstanceTime") -> str:
    """Return the sort key of one instance's time in an hour."""
    return f"{hour_of(time.hour)}#{INSTANCES}#{time.path}#{time.instance_type}#{time.instance}"


def check_key(hour: datetime) -> str:
    """Return the sort key of the check's runs in an hour."""
    return traffic_key(hour_of(hour), "check", "lambda", "")
