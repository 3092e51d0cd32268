"""The price book as users see it and correct it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from spillway.domain.errors import Retryable
from spillway.domain.pricing.overrides import check_overrides
from spillway.domain.pricing.price_book import PriceBook, TokenPrice
from spillway.domain.pricing.price_layers import Override, PriceTable, StoredPrices
from spillway.domain.pricing.updates import AnyPrice, current, names_in, numbers
from spillway.ports import Prices

logger = logging.getLogger(__name__)

# A price is a day old anyway; the overrides that another process stored count after this long.
FRESH = timedelta(minutes=1)


class CurrentPrices:
    """The packaged snapshot with what is stored over it, read again once it is not ``fresh`` any more.

    While the table does not answer, the last reading stays in force, and the snapshot where there is none.
    """

    def __init__(
        self, snapshot: PriceBook, prices: Prices, now: Callable[[], datetime], fresh: timedelta = FRESH
    ) -> None:
        self._fresh = fresh
        self._snapshot = snapshot
        self._prices = prices
        self._now = now
        self._read: tuple[datetime, PriceBook] | None = None

    def __call__(self) -> PriceBook:
        """Return the price book in force."""
        now = self._now()
        if self._read is None or now - self._read[0] >= self._fresh:
            self._read = now, self._in_force()
        return self._read[1]

    def _in_force(self) -> PriceBook:
        try:
            return current(self._snapshot, self._prices.load())
        except Retryable as err:
            logger.warning("prices not read", extra={"error": str(err)})
            return self._read[1] if self._read else self._snapshot

    def forget(self) -> None:
        """Read again at the next call."""
        self._read = None


@dataclass(frozen=True)
class ManagePrices:
    """Shows the price book in force, and replaces the user's overrides."""

    prices: Prices
    book: CurrentPrices
    now: Callable[[], datetime]

    def overrides(self) -> StoredPrices:
        """Return what is stored."""
        return self.prices.load()

    def override(self, overrides: Sequence[Override]) -> StoredPrices:
        """Replace all overrides; InvalidRequest for one that could change nothing."""
        self.book.forget()
        check_overrides(self.book(), overrides)
        self.prices.put_overrides(overrides, self.now())
        self.book.forget()
        return self.prices.load()

    def table(self, table: PriceTable) -> dict[str, tuple[tuple[float, ...], str, str]]:
        """Return one table in force: numbers, source and date by name."""
        return {
            name: (_shown(price), price.source.source, price.source.as_of)
            for name, price in sorted(names_in(self.book(), table).items())
        }


def _shown(price: AnyPrice) -> tuple[float, ...]:
    cached = price.cached_usd if isinstance(price, TokenPrice) else None
    return numbers(price) if cached is None else (*numbers(price), cached)
