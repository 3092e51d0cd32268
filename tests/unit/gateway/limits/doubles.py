"""The ``limits`` table in memory, shared by gateways that each have their own clock, and that may lose answers."""

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.limits.month import Patience
from spillway.gateway.limits.store import Change, Outcome
from tests.builders import NOW

# A client that is refused at once.
AT_ONCE = Patience(seconds=0.0)


@dataclass
class SharedTable:
    """Changes happen at once, but their answers take ``pauses`` turns of the loop, one entry a change.

    ``losses`` says of each change what is lost: nothing, the ``request`` or the ``answer``.
    """

    pauses: Iterable[int] = (0,)
    losses: Iterable[str] = ("nothing",)
    items: dict[str, dict[str, int]] = field(default_factory=dict)
    writes: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self._pauses = itertools.cycle(self.pauses)
        self._losses = itertools.cycle(self.losses)

    async def change(self, change: Change) -> Outcome:
        assert change.possible
        await self._pause()
        lost = next(self._losses)
        if lost == "request":
            raise StoreUnavailable("lost")
        outcome = self._apply(change)
        self.writes += 1
        self.refused += not outcome.done
        await self._pause()
        if lost == "answer":
            raise StoreUnavailable("lost")
        return outcome

    def heal(self) -> None:
        """Lose nothing any more."""
        self._losses = itertools.cycle(["nothing"])

    async def _pause(self) -> None:
        for _ in range(next(self._pauses)):
            await asyncio.sleep(0)

    def _apply(self, change: Change) -> Outcome:
        item = self.items.get(change.id, {})
        holds = (
            all(item.get(name, 0) <= most for name, most in change.at_most.items())
            and all(name in item for name in change.present)
            and all(item.get(name) == value for name, value in change.remove.items())
        )
        if holds:
            added = item | {name: item.get(name, 0) + amount for name, amount in change.add.items()}
            item = {name: value for name, value in added.items() if name not in change.remove}
            self.items[change.id] = item
        return Outcome(holds, dict(item))


@dataclass
class SkewedClock:
    """A clock that is ``off`` seconds from the others'."""

    common: "CommonTime"
    off: float = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.common.seconds + self.off)

    def monotonic(self) -> float:
        return self.common.seconds


@dataclass
class CommonTime:
    seconds: float = 0.0
