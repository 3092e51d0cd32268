"""Requests and tokens a minute of one key, as one gateway instance spends them.

The table's item of a minute counts what all instances have taken. An instance takes slices (domain.escrow) and spends
them without asking; what it has taken and not spent is written down as idle, and more than that is given back, so
that instances that never hear of each other keep no more than a tenth of a limit from each other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spillway.domain.access.lease_sizing import Slice, most_requests, slice_of
from spillway.domain.access.limits import Window, minute_at
from spillway.gateway.limits.errors import LimitExceeded, rate_exceeded
from spillway.gateway.limits.store import Change, Counters
from spillway.gateway.limits.turn import Turn

Amounts = Mapping[str, int]
_KEEP = timedelta(hours=1)
# Who was just refused is refused again for so long without asking the table: a flood costs no writes.
_REFUSED_FOR = timedelta(seconds=1)


@dataclass(frozen=True)
class RateReservation:
    """What one request may use of one minute."""

    minute: str
    amounts: Amounts


@dataclass
class _Minute:
    """One minute as this instance sees it: what it may spend, what it noted as idle, and the counters last seen."""

    window: Window
    spare: dict[str, int] = field(default_factory=dict)
    idle: dict[str, int] = field(default_factory=dict)
    seen: Amounts = field(default_factory=dict)
    refused: tuple[Amounts, datetime] | None = None
    # Requests since the last slice.
    served: int = 0

    def covers(self, need: Amounts, limits: Amounts) -> bool:
        """Whether a request can be let through without asking."""
        return all(self.spare.get(counter, 0) >= need[counter] for counter in limits)

    def spend(self, need: Amounts, limits: Amounts) -> RateReservation:
        """Take a request's part of what may be spent."""
        for counter in limits:
            self.spare[counter] -= need[counter]
        self.served += 1
        return RateReservation(self.window.name, {counter: need[counter] for counter in limits})


class RateLimits:
    """One key's limits a minute; amounts are by counter, ``requests`` and ``tokens``, those with a limit only."""

    def __init__(self, key_id: str, counters: Counters, now: Callable[[], datetime]) -> None:
        self._key_id = key_id
        self._counters = counters
        self._now = now
        self._minute = _Minute(minute_at(now()))
        self._turn = Turn()

    async def reserve(self, need: Amounts, limits: Amounts) -> RateReservation:
        """Take what a request may use; raises LimitExceeded, or StoreUnavailable when the table can't say."""
        for counter, limit in limits.items():
            if need[counter] > limit:
                raise self._exceeded(counter, need, limits)
        while not (minute := self._now_running()).covers(need, limits):
            if await self._turn.wait():
                continue
            with self._turn:
                await self._take(minute, need, limits)
                break
        return minute.spend(need, limits)

    async def settle(self, reservation: RateReservation, used: Amounts) -> None:
        """Give back what was not used, or take what was used beyond; a minute that is over needs neither."""
        minute = self._minute
        if reservation.minute != minute.window.name:
            return
        corrections: dict[str, int] = {}
        for counter, reserved in reservation.amounts.items():
            spare = minute.spare.get(counter, 0) + reserved - used.get(counter, 0)
            minute.spare[counter] = min(max(spare, 0), minute.idle.get(counter, 0))
            if spare != minute.spare[counter]:
                corrections[counter] = minute.spare[counter] - spare
        if corrections:
            minute.seen = (await self._counters.change(self._change(minute, corrections))).counters

    def remaining(self, counter: str, limit: int) -> int:
        """Return what is left of a limit in this minute, as of this instance's last look at the table."""
        minute = self._minute
        return max(0, limit - minute.seen.get(counter, 0) + minute.spare.get(counter, 0))

    def seconds_left(self) -> float:
        """Return how long until the minute is over."""
        return self._minute.window.seconds_left(self._now())

    def _now_running(self) -> _Minute:
        window = minute_at(self._now())
        if window.name != self._minute.window.name:
            self._minute = _Minute(window, served=self._minute.served)
        return self._minute

    async def _take(self, minute: _Minute, need: Amounts, limits: Amounts) -> None:
        """Take a slice, or just this request's part where a slice is too much."""
        self._refuse_again(minute, need, limits)
        slices = {counter: self._slice(minute, counter, need, limit) for counter, limit in limits.items()}
        # Without knowledge of the counters nothing is taken ahead.
        ahead = min(one.requests for one in slices.values()) if minute.seen else 0
        for requests in (ahead, 0) if ahead else (0,):
            after = {c: max(minute.spare.get(c, 0), need[c] * (1 + requests)) for c in limits}
            idle = after if requests else {c: after[c] - need[c] for c in limits}
            add = {c: after[c] - minute.spare.get(c, 0) for c in limits}
            more_idle = {c: idle[c] - minute.idle.get(c, 0) for c in limits}
            at_most = {c: (slices[c].most_used if requests else limits[c]) - add[c] for c in limits if add[c]}
            if requests:
                at_most |= {f"idle_{c}": slices[c].most_held - more_idle[c] for c in limits}
            change = self._change(minute, add | {f"idle_{c}": more for c, more in more_idle.items()}, at_most)
            if not change.possible:
                continue
            # Nobody else spends this request's part meanwhile.
            own = {c: min(minute.spare.get(c, 0), need[c]) for c in limits}
            minute.spare = {c: minute.spare.get(c, 0) - own[c] for c in limits}
            try:
                outcome = await self._counters.change(change)
            finally:
                minute.spare = {c: minute.spare[c] + own[c] for c in limits}
            minute.seen = outcome.counters
            if outcome.done:
                # Added, not set: what other requests gave back in the meantime stays.
                minute.spare = {c: minute.spare.get(c, 0) + add[c] for c in limits}
                minute.idle, minute.served = idle, 0
                return
        minute.refused = (need, self._now() + _REFUSED_FOR)
        raise self._exceeded(self._short_of(minute, need, limits), need, limits)

    def _slice(self, minute: _Minute, counter: str, need: Amounts, limit: int) -> Slice:
        held = minute.seen.get(f"idle_{counter}", 0) - minute.idle.get(counter, 0)
        return slice_of(need[counter], limit, minute.seen.get(counter, 0), held, most_requests(minute.served))

    def _change(self, minute: _Minute, add: Amounts, at_most: Amounts | None = None) -> Change:
        return Change(
            id=f"{self._key_id}#{minute.window.name}",
            expires_at=int((minute.window.end + _KEEP).timestamp()),
            add={counter: amount for counter, amount in add.items() if amount},
            at_most=at_most or {},
        )

    def _refuse_again(self, minute: _Minute, need: Amounts, limits: Amounts) -> None:
        if minute.refused is None:
            return
        refused, until = minute.refused
        if self._now() < until and all(need[counter] >= refused.get(counter, 0) for counter in limits):
            raise self._exceeded(self._short_of(minute, need, limits), need, limits)

    def _short_of(self, minute: _Minute, need: Amounts, limits: Amounts) -> str:
        rooms = {c: limit - minute.seen.get(c, 0) + minute.spare.get(c, 0) - need[c] for c, limit in limits.items()}
        return min(rooms, key=lambda counter: rooms[counter])

    def _exceeded(self, counter: str, need: Amounts, limits: Amounts) -> LimitExceeded:
        used = limits[counter] - self.remaining(counter, limits[counter])
        return rate_exceeded(counter, limits[counter], used, need[counter], self.seconds_left())
