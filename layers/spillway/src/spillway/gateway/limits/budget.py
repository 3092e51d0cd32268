"""One key's budget of a month, as an instance on Lambda spends it: nothing runs that is not paid for beforehand.

What a request may cost at the most is reserved before it is sent, from a lease. What it did cost is written when it
has ended: that same write gives back what it did not need, renews the lease, and fills it up for the next request, so
that an instance in use writes once a request and asks nobody before it. Amounts are nano-dollars.
"""

from collections import Counter

from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.limits.lease import Lease, new_lease
from spillway.gateway.limits.month import NO_SLICE, BudgetReservation, Month
from spillway.gateway.limits.store import HELD, USED


class Budget(Month):
    """One key's budget; ``monotonic`` is the clock that nobody sets."""

    async def _with_room(self, need: int, limit: int) -> Lease:
        await self.pay_what_is_owed()
        return await super()._with_room(need, limit)

    async def settle(self, reservation: BudgetReservation, cost: int) -> None:
        """Pay what a request cost and let go of the rest.

        When nobody knows whether that was written, the cost is written once more, now or with the next request here:
        a lost answer can make a key pay twice, and not at all only if this instance ends before the table is back.
        Raises StoreUnavailable when it has to wait.
        """
        async with self._lock:
            lease = reservation.lease
            lease.reserved -= reservation.amount
            paid = min(cost, lease.free)
            rest = lease.free - paid
            # Nobody draws on the lease while its counters are on their way.
            lease.held = lease.reserved
            try:
                await self._write_settlement(reservation, cost, paid, rest)
            except StoreUnavailable:
                self._owed[lease.month] += cost
            await self.pay_what_is_owed()

    async def close(self) -> None:
        """Nothing is left to be written."""

    async def _write_settlement(self, reservation: BudgetReservation, cost: int, paid: int, rest: int) -> None:
        lease, limit = reservation.lease, reservation.limit
        current = lease is self._lease and lease is self.usable()
        piece = self.slice(lease.month, max(1, reservation.amount), limit, paid + rest) if current else NO_SLICE
        for one in (piece, NO_SLICE) if piece.requests else (NO_SLICE,):
            kept = one.requests * reservation.amount
            target = self._renewed(lease) if kept else lease
            moved = Counter({lease.counter: -(paid + rest)})
            moved[target.counter] += kept
            used = cost - paid + kept - rest
            held = kept - paid - rest
            at_most = {USED: one.most_used - used, HELD: one.most_held - held} if kept else {}
            change = self.change(lease.month, {USED: used, HELD: held, **moved}, at_most, (lease.counter,))
            if not change.possible:
                continue
            if (await self.changed(change, lease.month)).done:
                target.held += kept
                if kept:
                    self._lease = target
                return
            if self.is_gone(lease):
                break
        # The lease has lapsed, and all that it held is free again: what was spent of it is not.
        if lease is self._lease:
            self._lease = None
        await self.changed(self.change(lease.month, {USED: cost}), lease.month)

    def _renewed(self, lease: Lease) -> Lease:
        """Return the lease to keep the rest in: a new one, unless requests in flight still hold on to this one."""
        if lease.reserved:
            return lease
        fresh = new_lease(lease.month, self._now(), self._monotonic())
        return lease if fresh.counter == lease.counter else fresh
