"""The usage of several requests that were one to the client: each was billed, so they add up."""

from collections.abc import Mapping
from typing import Any


def added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sums of two usages, the details of theirs included."""
    total = dict(one)
    for name, value in other.items():
        before = total.get(name)
        if isinstance(value, Mapping):
            total[name] = added(before if isinstance(before, Mapping) else {}, value)
        elif isinstance(value, int):
            total[name] = value + (before if isinstance(before, int) else 0)
    return total
