"""Values that may be a moment old, read by one caller for all who wait."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from spillway.domain.routing.route import Route
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.timeouts import PATIENCE_SECONDS, ROUTE_AGE_SECONDS

T = TypeVar("T")
Monotonic = Callable[[], float]

_MOST_NAMES = 10_000


class Cached(Generic[T]):
    """One value, at most ``max_age`` seconds old while its source answers.

    The last one stays while it does not, unless it must not outlast its age: then nobody gets it.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[T]],
        monotonic: Monotonic,
        max_age: float = ROUTE_AGE_SECONDS,
        *,
        outlasts: bool = True,
    ) -> None:
        self._load = load
        self._monotonic = monotonic
        self._max_age = max_age
        self._outlasts = outlasts
        self._known: tuple[T] | None = None
        self._at = 0.0
        self._pending: asyncio.Task[None] | None = None

    @property
    def known(self) -> bool:
        """Whether it was ever read."""
        return self._known is not None

    async def get(self) -> T:
        """Return the value; raises StoreUnavailable when there is none and it cannot be read."""
        if self._known is not None and self._monotonic() - self._at < self._max_age:
            return self._known[0]
        if self._pending is None:
            self._pending = asyncio.create_task(self._refresh())
            self._pending.add_done_callback(_retrieve)
        pending = self._pending
        if self._known is None or not self._outlasts:
            await asyncio.shield(pending)
        else:
            await asyncio.wait({pending}, timeout=PATIENCE_SECONDS)
        if self._known is None:
            raise StoreUnavailable("the routes cannot be read")
        return self._known[0]

    async def _refresh(self) -> None:
        try:
            self._known = (await self._read(),)
        except StoreUnavailable:
            if not self._outlasts:
                self._known = None
            if self._known is None:
                raise
        finally:
            self._at = self._monotonic()
            self._pending = None

    async def _read(self) -> T:
        """Read; a second time before it is given up, where there is no last value to go on with."""
        try:
            return await self._load()
        except StoreUnavailable:
            if self._known is not None:
                raise
        return await self._load()


def _retrieve(task: asyncio.Task[None]) -> None:
    """Mark the outcome as seen: those who waited may all have gone."""
    if not task.cancelled():
        task.exception()


class CachedByName(Generic[T]):
    """Values by name, those of unknown names included, each as fresh as :class:`Cached` keeps it."""

    def __init__(
        self,
        read: Callable[[str], Awaitable[T]],
        monotonic: Monotonic,
        max_age: float = ROUTE_AGE_SECONDS,
        *,
        outlasts: bool = True,
    ) -> None:
        self._fresh = partial(Cached[T], monotonic=monotonic, max_age=max_age, outlasts=outlasts)
        self._read = read
        self._entries: dict[str, Cached[T]] = {}

    async def get(self, name: str) -> T:
        """Return the value; raises StoreUnavailable when nobody knows."""
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = self._fresh(partial(self._read, name))
            if len(self._entries) > _MOST_NAMES:
                self._entries.pop(next(iter(self._entries)))
        try:
            return await entry.get()
        except StoreUnavailable:
            if not entry.known:
                self._entries.pop(name, None)
            raise


# The routes by name, None for a name without one.
RouteCache: TypeAlias = CachedByName[Route | None]
