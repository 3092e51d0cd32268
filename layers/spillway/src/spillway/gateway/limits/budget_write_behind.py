"""One key's budget of a month, as a long-lived server spends it: costs are written together, about once a second.

What the server takes counts as spent from then on, and requests draw on it and end without a write. A flush writes what
they did cost; while no request is in flight it gives the rest back, so a server at rest holds nothing. What a killed
server held stays spent, since nobody knows how much of it was: a slice at the most, and what was in flight.
Amounts are nano-dollars.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from spillway.domain.access.lease_sizing import MOST_REQUESTS, most_requests
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.limits.lease import DRAWN_PREFIX, Lease
from spillway.gateway.limits.month import BudgetReservation, Month, Patience
from spillway.gateway.limits.store import HELD, USED, Counters
from spillway.gateway.metering.log import Log
from spillway.gateway.metering.write_behind import Writer

# Requests' worth; near a limit's end nothing is taken beforehand.
_WORTH_TOPPING_UP = 8


class WriteBehindBudget(Month):
    """One key's budget; ``monotonic`` is the clock that nobody sets, ``seconds`` the time between two flushes."""

    prefix = DRAWN_PREFIX

    def __init__(
        self,
        key_id: str,
        counters: Counters,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        seconds: float,
        log: Log,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(key_id, counters, now, monotonic, patience)
        self._log = log
        self._leases: list[Lease] = []
        self._ended = 0
        self._busy = 0
        # Requests that ended since more was taken.
        self._served = 0
        # Below so much, more is taken beforehand.
        self._low = 0
        self._topping_up: asyncio.Task[None] | None = None
        self._writer = Writer(self.flush, seconds)

    @property
    def unwritten(self) -> int:
        """What ended requests cost that the table does not know of yet."""
        return super().unwritten + sum(lease.spent for lease in self._leases)

    async def reserve(self, need: int, limit: int) -> BudgetReservation:
        """As Month.reserve; where a busy server's lease runs low, more is taken before anybody has to wait for it."""
        reservation = await super().reserve(need, limit)
        if reservation.lease.free < self._low and self._topping_up is None:
            self._topping_up = asyncio.create_task(self._top_up(need, limit))
        return reservation

    async def _top_up(self, need: int, limit: int) -> None:
        try:
            async with self._lock:
                lease = self.usable()
                # What is at rest was given back, and nobody would give this back.
                if lease is not None and lease.reserved and lease.free < self._low and limit == self._limit:
                    most = most_requests(max(self._served, self._busy))
                    self._took(await self.top_up(lease, need, limit, most), need)
        except StoreUnavailable:
            self._low = 0
        finally:
            self._topping_up = None

    def _took(self, amount: int, need: int) -> None:
        """Note what was taken: a quarter of it is low, unless it is hardly more than the requests that ask for it."""
        self._served = 0
        self._low = amount // 4 if amount >= _WORTH_TOPPING_UP * need else 0

    async def settle(self, reservation: BudgetReservation, cost: int) -> None:
        """Note what a request cost; never waits."""
        lease = reservation.lease
        lease.reserved -= reservation.amount
        lease.spent += cost
        self._ended += 1
        self._served += 1

    async def close(self) -> None:
        """Write what has not been written, and give back what is not needed."""
        await self._writer.close()

    async def flush(self) -> bool:
        """Write what has been spent; return whether there will be more to write."""
        self._busy, self._ended = self._ended, 0
        async with self._lock:
            for lease in self._leases:
                await self._write(lease)
            self._leases = [lease for lease in self._leases if lease.held or lease.reserved or lease.spent]
            try:
                await self.pay_what_is_owed()
            except StoreUnavailable as err:
                self._log({"message": "limits not settled", "key_id": self._key_id, "detail": str(err)})
        return bool(self._leases or self._owed)

    async def take(self, lease: Lease | None, need: int, limit: int, most: int = MOST_REQUESTS) -> Lease:
        """As Month.take, of what a busy instance needs."""
        before = lease.free if lease else 0
        taken = await super().take(lease, need, limit, max(most, most_requests(max(self._served, self._busy))))
        self._took(taken.free - before, need)
        if taken not in self._leases:
            self._leases.append(taken)
        self._writer.start()
        return taken

    async def _write(self, lease: Lease) -> None:
        """Write what was spent of a lease. In doubt nothing is written again but what it never covered."""
        settled = max(0, min(lease.spent, lease.held - lease.reserved))
        beyond = lease.spent - settled
        rest = 0 if lease.reserved else lease.held - settled
        if not settled and not beyond and not rest:
            return
        # From here on nobody draws on what is on its way back.
        lease.held -= settled + rest
        lease.spent -= settled + beyond
        ended = {USED: beyond - rest, HELD: -settled - rest, lease.counter: -settled - rest}
        try:
            if (await self.changed(self.change(lease.month, ended, present=(lease.counter,)), lease.month)).done:
                return
        except StoreUnavailable as err:
            self._log({"message": "limits not settled", "key_id": self._key_id, "detail": str(err)})
        self._forget(lease)
        if beyond:
            self._owed[lease.month] += beyond

    def _forget(self, lease: Lease) -> None:
        """Draw no more on a lease that has lapsed, or of which nobody knows what it still holds."""
        if lease is self._lease:
            self._lease = None
