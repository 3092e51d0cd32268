"""Prices read since the snapshot, and the user's own over both; light, because the gateway reads them too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Significant ones: enough for any price, and no more than a list has; no tail of a binary fraction.
_DIGITS = 9


class PriceTable(StrEnum):
    """The tables of the price book, by the names of its fields; the last two are not refreshed.

    ``bedrock`` is on demand, ``imports`` Custom Model Import by the unit, ``platform`` what Spillway's own services
    cost by the unit.
    """

    EC2 = "ec2"
    SAGEMAKER = "sagemaker"
    SPOT = "spot"
    BEDROCK = "bedrock"
    FLEX = "flex"
    BATCH = "batch"
    PRIORITY = "priority"
    IMPORTS = "imports"
    PLATFORM = "platform"


TOKEN_TABLES = frozenset({PriceTable.BEDROCK, PriceTable.FLEX, PriceTable.BATCH, PriceTable.PRIORITY})


@dataclass(frozen=True)
class Reading:
    """Prices of one table as they were read: USD an hour, or USD per million prompt and completion tokens."""

    table: PriceTable
    usd: Mapping[str, tuple[float, ...]]
    source: str
    at: datetime


@dataclass(frozen=True)
class Override:
    """A user's own price: a share off the list price, or the price itself; ``name`` None means the whole table.

    ``usd`` has one number, or two or three of a model: a third is that of prompt tokens from a cache.
    """

    table: PriceTable
    name: str | None = None
    discount: float | None = None
    usd: tuple[float, ...] | None = None
    note: str = ""


@dataclass(frozen=True)
class StoredPrices:
    """All that changes the snapshot."""

    readings: Sequence[Reading] = ()
    overrides: Sequence[Override] = ()
    overridden_at: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """One price in a table: its numbers as a reading has them, where they were read, and when."""

    usd: tuple[float, ...]
    source: str = ""
    as_of: str = ""


def layered(table: PriceTable, listed: Mapping[str, Entry], stored: StoredPrices) -> dict[str, Entry]:
    """Return one table's prices in force: readings over what is listed, overrides over both, in their order."""
    prices = dict(listed)
    for reading in stored.readings:
        if reading.table is table:
            day = f"{reading.at:%Y-%m-%d}"
            prices.update({name: Entry(usd, reading.source, day) for name, usd in reading.usd.items()})
    day = f"{stored.overridden_at:%Y-%m-%d}" if stored.overridden_at else ""
    for override in stored.overrides:
        if override.table is table:
            prices.update(_overridden(prices, override, day))
    return prices


def in_proportion(cached_usd: float | None, listed_usd: float, usd: float) -> float | None:
    """Return the price of a cached prompt token: readings have none apart, so it follows the prompt's price."""
    return cached_usd * usd / listed_usd if cached_usd and listed_usd else None


def _overridden(prices: Mapping[str, Entry], override: Override, day: str) -> dict[str, Entry]:
    if override.usd is not None and override.name is not None:
        return {override.name: Entry(override.usd, f"your own price {override.note}".strip(), day)}
    discount = override.discount or 0.0
    return {
        name: Entry(
            tuple(float(f"{usd * (1 - discount):.{_DIGITS}g}") for usd in prices[name].usd),
            f"{discount:.1%} off {prices[name].source}",
            prices[name].as_of,
        )
        for name in ([override.name] if override.name else list(prices))
        if name in prices
    }
