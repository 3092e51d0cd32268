"""Asking for the wake of a sleeping primary, once however many requests want it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.log import Log

WAKE_EVERY = timedelta(seconds=60)
_AFTER_FAILURE = timedelta(seconds=5)


class WakeDesk(Protocol):
    """Where a wake is claimed and announced; both raise StoreUnavailable."""

    async def claim(self, deployment: str, now: datetime, every: timedelta) -> bool:
        """Claim the wake; False when it was claimed less than ``every`` ago, by whatever instance."""
        ...

    async def announce(self, deployment: str) -> None:
        """Put the event that starts the wake."""
        ...


class Wakes:
    """Remembers what this instance asked for, so that not every request writes."""

    def __init__(self, desk: WakeDesk, now: Callable[[], datetime], log: Log) -> None:
        self._desk = desk
        self._now = now
        self._log = log
        self._not_before: dict[str, datetime] = {}

    def due(self, deployment: str) -> bool:
        """Whether to ask now; who hears True has to call :meth:`ask`."""
        now = self._now()
        if now < self._not_before.get(deployment, now):
            return False
        self._not_before[deployment] = now + WAKE_EVERY
        return True

    async def ask(self, deployment: str) -> None:
        """Claim and announce; a failure is logged and harms nothing, a later request asks again."""
        now = self._now()
        try:
            if await self._desk.claim(deployment, now, WAKE_EVERY):
                await self._desk.announce(deployment)
        except StoreUnavailable as err:
            self._not_before[deployment] = now + _AFTER_FAILURE
            self._log({"message": "wake request failed", "deployment": deployment, "detail": str(err)})
