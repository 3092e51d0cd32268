"""The seam to the ``limits`` table: counters that many gateway instances change at once, by one conditional write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

USED = "used"
HELD = "held"


@dataclass(frozen=True)
class Change:
    """One write on the counters of ``id``: all of it, or nothing when a condition does not hold.

    ``at_most`` are the largest values that counters may have before it (none counts as 0), ``present`` the counters
    that must exist, ``remove`` those to take away, with the value that each must have.
    """

    id: str
    expires_at: int
    add: Mapping[str, int]
    at_most: Mapping[str, int] = field(default_factory=dict)
    present: tuple[str, ...] = ()
    remove: Mapping[str, int] = field(default_factory=dict)

    @property
    def possible(self) -> bool:
        """Whether any counters could meet the conditions: none is ever asked to be below 0."""
        return all(value >= 0 for value in self.at_most.values())

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice errs on the safe side: too much is counted, never too little."""
        return bool(self.remove) or all(value >= 0 for value in self.add.values())


@dataclass(frozen=True)
class Outcome:
    """Whether a change was made, and the counters after it (or as they are, when it was not)."""

    done: bool
    counters: Mapping[str, int]


class Counters(Protocol):
    """The ``limits`` table."""

    async def change(self, change: Change) -> Outcome:
        """Make a change if its conditions hold; raises StoreUnavailable when nobody knows whether it was made."""
        ...
