"""Waiting for a primary that is on its way, where nothing else may answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from spillway.domain.routing.route import Route, RouteState

_COMING = frozenset({RouteState.COLD, RouteState.WARMING})


@dataclass(frozen=True)
class WaitForPrimary:
    """Looks at a deployment's route again and again; ``read`` gives one that is two seconds old at most."""

    read: Callable[[str], Awaitable[Route | None]]
    look_every_seconds: float = 0.5

    async def wait(self, route: Route, seconds: float, see: Callable[[Route], None]) -> Route:
        """Return the latest route once its primary answers, or can't any more, or the time is over.

        ``see`` is shown every route that was read, for instance to ask for a wake once it is cold.
        """
        try:
            async with asyncio.timeout(seconds):
                while route.state in _COMING:
                    see(route)
                    await asyncio.sleep(self.look_every_seconds)
                    route = await self.read(route.name) or route
        except TimeoutError:
            pass
        return route
