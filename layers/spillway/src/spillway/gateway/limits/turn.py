"""One asks for all: what many requests of a key find missing at once."""

import asyncio
from types import TracebackType


class Turn:
    """While one request has it, :meth:`wait` holds up the others; at its end they all go on at once, and look again.

    A lock would let them through one by one, a turn of the event loop each: on a busy server that is a request's work
    for each that waits, so the last of them waits longer than for the table.
    """

    def __init__(self) -> None:
        self._over: asyncio.Future[None] | None = None

    async def wait(self) -> bool:
        """Return whether somebody had it, once that is over; else it is free, and it stays so until the next await."""
        if self._over is None:
            return False
        # Whoever gives up waiting does so alone.
        await asyncio.shield(self._over)
        return True

    def __enter__(self) -> None:
        self._over = asyncio.get_running_loop().create_future()

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        over, self._over = self._over, None
        if over is not None:
            over.set_result(None)
