"""One key's month as one gateway instance sees it: what it last saw of the counters, and how a lease is taken."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from spillway.domain.access.lease_sizing import MOST_REQUESTS, Slice, slice_of
from spillway.domain.access.limits import Window, month_at
from spillway.gateway.errors import Unavailable
from spillway.gateway.limits.errors import RESERVED, LimitExceeded, budget_exceeded, budget_reserved
from spillway.gateway.limits.lease import HELD_PREFIX, Lease, given_back, lapsed, new_lease
from spillway.gateway.limits.store import HELD, USED, Change, Counters, Outcome
from spillway.gateway.limits.turn import Turn
from spillway.gateway.timeouts import BUDGET_LOOK_SECONDS, BUDGET_WAIT_SECONDS

_KEEP = timedelta(days=62)
_ATTEMPTS = 6
_REFUSED_FOR = timedelta(seconds=1)
_BUSY = "budget_busy"
# Refusals that requests in flight are the reason of, so that they pass when those end.
_PASSES = frozenset({RESERVED, _BUSY})
NO_SLICE = Slice(0, 0, 0)


@dataclass(frozen=True)
class BudgetReservation:
    """What one request may cost."""

    lease: Lease
    amount: int
    limit: int


@dataclass(frozen=True)
class Patience:
    """How long a request waits for what requests in flight have reserved and will not need; ``pause`` sleeps.

    No more than ``most_waiting`` of a key do in one instance: others' requests need its room too.
    """

    seconds: float = BUDGET_WAIT_SECONDS
    most_waiting: int = 256
    look_every_seconds: float = BUDGET_LOOK_SECONDS
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


class Month:
    """Takes leases and writes changes; amounts are nano-dollars, ``monotonic`` is the clock that nobody sets."""

    prefix = HELD_PREFIX

    def __init__(
        self,
        key_id: str,
        counters: Counters,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._waiting = 0
        self._key_id = key_id
        self._counters = counters
        self._now = now
        self._monotonic = monotonic
        self._turn = Turn()
        self._lock = asyncio.Lock()
        self._lease: Lease | None = None
        self._limit = 0
        self._seen: Mapping[str, int] = {}
        self._seen_month = ""
        self._refused: tuple[int, int, datetime] | None = None
        self._owed: Counter[Window] = Counter()

    @property
    def unwritten(self) -> int:
        """What ended requests cost that the table does not know of yet."""
        return sum(self._owed.values())

    async def reserve(self, need: int, limit: int) -> BudgetReservation:
        """Reserve ``need``, once requests in flight have let go of as much if only they are in its way.

        Raises LimitExceeded, Unavailable, or StoreUnavailable when the table can't say.
        """
        until = self._monotonic() + self._patience.seconds
        while True:
            try:
                return await self._reserve(need, limit)
            except (LimitExceeded, Unavailable) as err:
                if (
                    err.code not in _PASSES
                    or self._monotonic() >= until
                    or self._waiting >= self._patience.most_waiting
                ):
                    raise
            await self._wait()

    async def _wait(self) -> None:
        self._waiting += 1
        try:
            await self._patience.pause(self._patience.look_every_seconds)
        finally:
            self._waiting -= 1

    async def _reserve(self, need: int, limit: int) -> BudgetReservation:
        if limit != self._limit:  # what was held ahead under another limit is drawn on no more
            self._lease, self._limit = None, limit
        while (lease := self.usable()) is None or lease.free < need:
            if await self._turn.wait():
                continue
            with self._turn:
                async with self._lock:
                    lease = await self._with_room(need, limit)
                break
        lease.reserved += need
        return BudgetReservation(lease, need, limit)

    async def _with_room(self, need: int, limit: int) -> Lease:
        """Return the lease in use, once there is ``need`` free in it."""
        lease = self.usable()
        return lease if lease is not None and lease.free >= need else await self.take(lease, need, limit)

    def usable(self) -> Lease | None:
        """Return the lease that new requests may draw on."""
        lease = self._lease
        if lease is None:
            return None
        now = self._now()
        return lease if lease.usable(month_at(now), now, self._monotonic()) else None

    async def take(self, lease: Lease | None, need: int, limit: int, most: int = MOST_REQUESTS) -> Lease:
        """Return a lease with ``need`` free, and as much ahead as up to ``most`` more such requests need.

        Raises LimitExceeded, Unavailable, or StoreUnavailable when the table can't say.
        """
        now = self._now()
        month = month_at(now)
        self._refuse_again(need, limit, month, now)
        if need > limit:
            raise self._exceeded(need, limit, month)
        ahead = True
        for _ in range(_ATTEMPTS):
            piece = self.slice(month, need, limit, lease.free if lease else 0, most) if ahead else NO_SLICE
            target = lease or new_lease(month, now, self._monotonic(), self.prefix)
            missing = need * (1 + piece.requests) - target.free
            change = self._taking(target, missing, piece, limit, now)
            if change.possible and await self._taken(change, target, min(need, max(0, target.free))):
                target.held += missing
                self._lease = target
                return target
            if lease is not None and self.is_gone(lease):
                lease = None  # somebody's clock ran ahead and let it lapse
            elif not ahead and not await self._cleared(month, now):
                self._refused = (need, limit, now + _REFUSED_FOR)
                raise self._exceeded(need, limit, month)
            ahead = False
        raise Unavailable("this key's budget is in too much use; try again", code=_BUSY, retry_after_seconds=1)

    async def top_up(self, lease: Lease, need: int, limit: int, most: int) -> int:
        """Add to a lease what up to ``most`` requests need, if that is free; return how much. Refuses nobody.

        Raises StoreUnavailable when the table can't say.
        """
        piece = self.slice(lease.month, need, limit, lease.free, most)
        missing = need * piece.requests - lease.free
        if missing <= 0:
            return 0
        change = self._taking(lease, missing, piece, limit, self._now())
        if not change.possible or not (await self.changed(change, lease.month)).done:
            return 0
        lease.held += missing
        return missing

    async def pay_what_is_owed(self) -> None:
        """Write the costs whose write failed, without touching any lease: what those held lapses by itself."""
        for month, cost in list(self._owed.items()):
            await self.changed(self.change(month, {USED: cost}), month)
            self._owed[month] -= cost
            if not self._owed[month]:
                del self._owed[month]

    def is_gone(self, lease: Lease) -> bool:
        """Whether the lease has lapsed, as far as was seen."""
        return self._seen_month == lease.month.name and lease.counter not in self._seen

    def slice(self, month: Window, need: int, limit: int, own: int, most: int = MOST_REQUESTS) -> Slice:
        """Return what to take ahead; nothing while the counters are not known."""
        if self._seen_month != month.name or not self._seen:
            return NO_SLICE
        return slice_of(need, limit, self._seen.get(USED, 0), self._seen.get(HELD, 0) - own, most)

    def change(
        self,
        month: Window,
        add: Mapping[str, int],
        at_most: Mapping[str, int] | None = None,
        present: tuple[str, ...] = (),
        remove: Mapping[str, int] | None = None,
    ) -> Change:
        """Return one write on the month's counters."""
        return Change(
            id=f"{self._key_id}#{month.name}",
            expires_at=int((month.end + _KEEP).timestamp()),
            add={name: amount for name, amount in add.items() if amount},
            at_most=at_most or {},
            present=present,
            remove=remove or {},
        )

    async def changed(self, change: Change, month: Window) -> Outcome:
        """Write a change, unless there is nothing in it, and remember the counters."""
        if not change.add and not change.remove:
            return Outcome(True, self._seen)
        outcome = await self._counters.change(change)
        self._seen, self._seen_month = outcome.counters, month.name
        return outcome

    async def _cleared(self, month: Window, now: datetime) -> bool:
        """Take away what has lapsed, whoever gets to it first; return whether there was any.

        A write that takes something takes it away too, but never passes at a limit that what lapsed does not free.
        """
        gone = self._lapsed(month, now)
        if gone:
            await self.changed(
                self.change(month, {USED: -given_back(gone), HELD: -sum(gone.values())}, remove=gone), month
            )
        return bool(gone)

    def _lapsed(self, month: Window, now: datetime) -> dict[str, int]:
        return lapsed(self._seen, now) if self._seen_month == month.name else {}

    def _taking(self, lease: Lease, missing: int, piece: Slice, limit: int, now: datetime) -> Change:
        gone = self._lapsed(lease.month, now)
        freed, ended = given_back(gone), sum(gone.values())
        at_most = {USED: (piece.most_used if piece.requests else limit) - missing + freed}
        if piece.requests:
            at_most[HELD] = piece.most_held - missing + ended
        add = {USED: missing - freed, HELD: missing - ended, lease.counter: missing}
        present = (lease.counter,) if lease is self._lease else ()
        return self.change(lease.month, add, at_most, present, gone)

    async def _taken(self, change: Change, lease: Lease, own: int) -> bool:
        """Write, and let nobody else draw meanwhile on the ``own`` part that the lease still has."""
        lease.reserved += own
        try:
            return (await self.changed(change, lease.month)).done
        finally:
            lease.reserved -= own

    def _refuse_again(self, need: int, limit: int, month: Window, now: datetime) -> None:
        if self._refused is not None and self._seen_month == month.name:
            refused, at_limit, until = self._refused
            if now < until and need >= refused and limit <= at_limit:
                raise self._exceeded(need, limit, month)

    def _exceeded(self, need: int, limit: int, month: Window) -> LimitExceeded:
        known = self._seen if self._seen_month == month.name else {}
        spent = known.get(USED, 0) - known.get(HELD, 0) + self.unwritten
        if spent + need <= limit:
            return budget_reserved(need)
        return budget_exceeded(limit, spent, need, month, month.seconds_left(self._now()))
