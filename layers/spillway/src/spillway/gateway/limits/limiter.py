"""Holding a key to its limits: reserve before a request is sent, settle once it is known what it used."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from spillway.domain.access.limits import NO_LIMITS, KeyLimits
from spillway.domain.paths.targets import Target, billed_model
from spillway.domain.routing.route import Route
from spillway.gateway.errors import Headers, StoreUnavailable, Unavailable
from spillway.gateway.limits.errors import LimitExceeded, PriceUnknown, duration
from spillway.gateway.limits.month import BudgetReservation
from spillway.gateway.limits.prices import Price, PriceList
from spillway.gateway.limits.rate import RateLimits, RateReservation
from spillway.gateway.limits.reservation import Need, need_of
from spillway.gateway.limits.store import Counters
from spillway.gateway.metering.log import Log
from spillway.gateway.request.routing_headers import ROLES, Role, RoutingHeaders
from spillway.gateway.request_record import Record
from spillway.gateway.streaming.usage import Usage
from spillway.gateway.timeouts import STORE_RETRY_SECONDS
from spillway.gateway.upstream import UpstreamRequest

_MOST_KEYS = 10_000
_HEADERS = {
    counter: tuple(f"x-ratelimit-{what}-{counter}".encode() for what in ("limit", "remaining", "reset"))
    for counter in ("requests", "tokens")
}


class Prices(Protocol):
    """What targets charge for a token."""

    async def in_force(self) -> PriceList:
        """Return the prices that reservations are made at now."""
        ...


class KeyBudget(Protocol):
    """One key's month: limits_budget on Lambda, limits_budget_later in a long-lived server."""

    async def reserve(self, need: int, limit: int) -> BudgetReservation:
        """Reserve nano-dollars; raises LimitExceeded, Unavailable, or StoreUnavailable."""
        ...

    async def settle(self, reservation: BudgetReservation, cost: int) -> None:
        """Count what a request cost; raises StoreUnavailable when that has to wait."""
        ...

    async def close(self) -> None:
        """Write what has not been written."""
        ...


@dataclass(frozen=True)
class _KeyState:
    rate: RateLimits
    budget: KeyBudget


@dataclass
class Admission:
    """A request that may be sent: as what, and where to; ``headers`` tell the client what is left."""

    request: UpstreamRequest
    asked: RoutingHeaders
    headers: Headers = field(default_factory=list)
    rate: RateReservation | None = None
    budget: BudgetReservation | None = None
    prices: dict[Role, Price] = field(default_factory=dict)
    state: _KeyState | None = None


class Limiter:
    """All keys' limits in this instance. ``budget_of`` makes a key's budget, ``now`` names the minute."""

    def __init__(
        self,
        counters: Counters,
        budget_of: Callable[[str], KeyBudget],
        prices: Prices,
        now: Callable[[], datetime],
        log: Log,
    ) -> None:
        self._counters = counters
        self._budget_of = budget_of
        self._prices = prices
        self._now = now
        self._log = log
        self._keys: dict[str, _KeyState] = {}

    async def admit(
        self, key_id: str, limits: KeyLimits, request: UpstreamRequest, route: Route, asked: RoutingHeaders
    ) -> Admission:
        """Reserve what the request may use, which :meth:`settle` must be told the end of.

        Raises LimitExceeded, PriceUnknown, or Unavailable while the limits can't be read: what can't be counted is
        not spent.
        """
        admission = Admission(request, asked)
        if limits is NO_LIMITS:
            return admission
        need = need_of(request, route.context_length).made_up(request.demand, route.primary_card, route.spill_card)
        admission.request, admission.state = need.capped(request), self._state(key_id)
        try:
            await self._reserve(admission, admission.state, limits, need, route)
        except StoreUnavailable as err:
            self._log({"message": "limits not read", "key_id": key_id, "detail": str(err)})
            message = "this key's limits cannot be read right now; try again"
            raise Unavailable(message, code="limits_unavailable", retry_after_seconds=STORE_RETRY_SECONDS) from err
        except LimitExceeded as err:
            self._log({"message": "refused", "key_id": key_id, "request_id": request.request_id, "reason": err.code})
            raise
        return admission

    async def settle(self, admission: Admission, record: Record) -> None:
        """Count what was really used, which is nothing when nobody answered."""
        if (state := admission.state) is None:
            return
        try:
            if admission.budget is not None:
                await state.budget.settle(admission.budget, _cost(admission, record))
            if admission.rate is not None:
                await state.rate.settle(admission.rate, {"requests": 1, "tokens": record.usage.total})
        except StoreUnavailable as err:
            self._log({"message": "limits not settled", "request_id": record.request_id, "detail": str(err)})

    async def close(self) -> None:
        """Write what has not been written of any budget."""
        await asyncio.gather(*(state.budget.close() for state in self._keys.values()))

    async def _reserve(
        self, admission: Admission, state: _KeyState, limits: KeyLimits, need: Need, route: Route
    ) -> None:
        most = 0
        if limits.usd_per_month is not None:
            most = _price(admission, need, route, await self._prices.in_force())
        if rates := _rates(limits):
            wanted = {"requests": 1, "tokens": need.prompt_likely + need.completion}
            try:
                admission.rate = await state.rate.reserve(wanted, rates)
            except LimitExceeded as err:
                err.headers += _left(state.rate, rates)
                raise
            admission.headers = _left(state.rate, rates)
        if most:
            try:
                admission.budget = await state.budget.reserve(most, limits.nano_usd_per_month or 0)
            except (LimitExceeded, StoreUnavailable, Unavailable):
                await self._unused(admission, state)
                raise

    async def _unused(self, admission: Admission, state: _KeyState) -> None:
        """Give the tokens back: nothing is sent. The request counts as one all the same."""
        if admission.rate is not None:
            with suppress(StoreUnavailable):
                await state.rate.settle(admission.rate, {"requests": 1})

    def _state(self, key_id: str) -> _KeyState:
        state = self._keys.get(key_id)
        if state is None:
            if len(self._keys) >= _MOST_KEYS:
                self._keys.pop(next(iter(self._keys)))
            state = self._keys[key_id] = _KeyState(
                RateLimits(key_id, self._counters, self._now),
                self._budget_of(key_id),
            )
        return state


def _price(admission: Admission, need: Need, route: Route, prices: PriceList) -> int:
    """Return the most that the request can cost, and keep it from a target that has no price.

    Either of the route's targets may get to answer, whatever the plan is now: a wait or a failure changes it.
    """
    wished = (admission.asked.target,) if admission.asked.target else ROLES
    targets = {role: target for role in wished if (target := _target(route, role))}
    for role, target in targets.items():
        if price := prices.of(target):
            admission.prices[role] = price
    if targets and not admission.prices:
        raise PriceUnknown(_unpriced(targets.values()), param="model")
    if len(admission.prices) < len(targets):
        admission.asked = replace(admission.asked, target=next(iter(admission.prices)))
    most = Usage(prompt=need.prompt_at_most, completion=need.completion)
    return max((price.cost(most) for price in admission.prices.values()), default=0)


def _rates(limits: KeyLimits) -> dict[str, int]:
    rates = {"requests": limits.requests_per_minute, "tokens": limits.tokens_per_minute}
    return {counter: limit for counter, limit in rates.items() if limit is not None}


def _left(rate: RateLimits, limits: dict[str, int]) -> Headers:
    """Return what is left in OpenAI's headers."""
    reset = duration(rate.seconds_left()).encode()
    headers: Headers = []
    for counter, limit in limits.items():
        of_limit, of_rest, of_reset = _HEADERS[counter]
        headers += [
            (of_limit, b"%d" % limit),
            (of_rest, b"%d" % rate.remaining(counter, limit)),
            (of_reset, reset),
        ]
    return headers


def _target(route: Route, role: Role) -> Target | None:
    return route.primary if role == "primary" else route.spill


def _cost(admission: Admission, record: Record) -> int:
    price = next((price for role, price in admission.prices.items() if role == record.role), None)
    return price.cost(record.usage) if price else 0


def _unpriced(targets: Iterable[Target]) -> str:
    models = ", ".join(sorted({model for target in targets if (model := billed_model(target))}))
    return f"this key has a budget, and nobody knows what a token of {models} costs: use a key without a budget"
