"""What a target charges a key for a token, in nano-dollars: the prices in force, read for keys with a budget alone.

The price book of the control plane brings pydantic along, which would weigh on every cold start here; what is read and
overridden since the snapshot is put over it by the same function (``domain/pricing/price_layers.py``).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import orjson

from spillway.domain.paths.bedrock_models import own_id
from spillway.domain.paths.targets import Target, billed_model
from spillway.domain.pricing.price_layers import Entry, PriceTable, StoredPrices, in_proportion, layered
from spillway.gateway.concurrency.cache import Cached, Monotonic
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.log import Log
from spillway.gateway.streaming.usage import Usage

# How old the prices may be that a request is reserved at; the same as in the control plane.
MAX_AGE_SECONDS = 60.0
# USD per million tokens, as prices are listed, in nano-dollars a token.
_NANO_PER_TOKEN = 1000


@dataclass(frozen=True)
class Price:
    """Nano-dollars a token by kind; tokens read from a cache are part of the prompt's."""

    prompt: float = 0.0
    completion: float = 0.0
    cached: float = 0.0

    def cost(self, usage: Usage) -> int:
        """Return what a request's tokens cost, rounded up."""
        cached = min(usage.cached, usage.prompt)
        return ceil((usage.prompt - cached) * self.prompt + cached * self.cached + usage.completion * self.completion)


FREE = Price()


@dataclass(frozen=True)
class PriceList:
    """Prices by model."""

    bedrock: Mapping[str, Price]

    def of(self, target: Target) -> Price | None:
        """Return a target's price, None when it is unknown.

        What bills by the hour, and imported models that bill by the minute, charge a key nothing for a token: who pays
        for them, and when they stop, is the deployment's budget's matter.
        """
        model = billed_model(target)
        return FREE if model is None else self.bedrock.get(model) or self.bedrock.get(own_id(model))


class TokenPrices:
    """The prices in force, at most MAX_AGE_SECONDS old while their table answers; the last ones stay while it does not.

    ``snapshot`` returns the shipped prices, which hold for their own region only; ``stored`` what has changed since,
    or raises StoreUnavailable. Until that was read once, the snapshot is in force.
    """

    def __init__(
        self,
        snapshot: Callable[[], bytes],
        stored: Callable[[], Awaitable[StoredPrices]],
        region: str,
        monotonic: Monotonic,
        log: Log,
    ) -> None:
        self._read_snapshot = snapshot
        self._stored = stored
        self._region = region
        self._log = log
        self._last: PriceList | None = None
        self._fresh = Cached(self._load, monotonic, MAX_AGE_SECONDS)

    async def in_force(self) -> PriceList:
        """Return the prices; one request a minute waits for them, and it not long."""
        return await self._fresh.get()

    async def _load(self) -> PriceList:
        try:
            stored = await self._stored()
        except StoreUnavailable as err:
            self._log({"message": "prices not read", "detail": str(err)})
            return self._last or self._over_snapshot(StoredPrices())
        self._last = self._over_snapshot(stored)
        return self._last

    def _over_snapshot(self, stored: StoredPrices) -> PriceList:
        listed, cached = self._snapshot
        prices = layered(PriceTable.BEDROCK, listed, stored)
        return PriceList(
            {model: _price(entry, listed.get(model), cached.get(model)) for model, entry in prices.items()}
        )

    @cached_property
    def _snapshot(self) -> tuple[Mapping[str, Entry], Mapping[str, float]]:
        """The shipped prices, and those of cached prompt tokens."""
        data: dict[str, Any] = orjson.loads(self._read_snapshot())
        if data["region"] != self._region:
            return {}, {}
        cached = data.get("bedrock_cached_usd_per_million_prompt_tokens", {})
        listed = data["bedrock_usd_per_million_tokens"]
        return (
            {model: Entry((prompt, completion)) for model, (prompt, completion, *_) in listed.items()},
            {model: usd for model, (usd, *_) in cached.items()},
        )


def _price(entry: Entry, listed: Entry | None, cached_usd: float | None) -> Price:
    prompt, completion, *own = entry.usd
    cached = own[0] if own else in_proportion(cached_usd, listed.usd[0], prompt) if listed else None
    return Price(
        prompt * _NANO_PER_TOKEN,
        completion * _NANO_PER_TOKEN,
        (prompt if cached is None else cached) * _NANO_PER_TOKEN,
    )
