"""What changes the packaged price book: prices read since, and the user's own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from spillway.domain.pricing.price_book import HourlyPrice, ImportPrices, PriceBook, Source, TokenPrice, UnitPrice
from spillway.domain.pricing.price_layers import (
    TOKEN_TABLES,
    Entry,
    PriceTable,
    Reading,
    StoredPrices,
    in_proportion,
    layered,
)

AnyPrice: TypeAlias = HourlyPrice | TokenPrice | UnitPrice

# What an imported model is priced by: a unit's minute, and a month of storing what one unit runs.
IMPORTED = ("unit_minute", "unit_month_stored")

# A refresh that finds less than this share of what was known has misread the list, not seen half of it end.
LEAST_SHARE = 0.5
# A list price that moves by less is not worth a word.
MOVED_SHARE = 0.05
# AWS says that spot is up to 90 % off.
_LEAST_SPOT_SHARE = 0.02


@dataclass(frozen=True)
class Comparison:
    """A table's refresh against what was known of the same names; ``lost`` were known and not found."""

    known: int
    lost: tuple[str, ...] = field(default_factory=tuple)

    @property
    def is_refused(self) -> bool:
        """Whether more than half would be lost."""
        return len(self.lost) > self.known * (1 - LEAST_SHARE)


def plausible(book: PriceBook, reading: Reading) -> Reading:
    """Return a spot reading without prices that are next to nothing of on demand: those are no prices."""
    if reading.table is not PriceTable.SPOT:
        return reading
    kept = {
        name: usd
        for name, usd in reading.usd.items()
        if name not in book.ec2 or usd[0] >= book.ec2[name].usd_per_hour * _LEAST_SPOT_SHARE
    }
    return replace(reading, usd=kept)


def names_in(book: PriceBook, table: PriceTable) -> Mapping[str, AnyPrice]:
    """Return one table of a price book."""
    if table is PriceTable.IMPORTS:
        return (
            dict(zip(IMPORTED, (book.imports.unit_minute, book.imports.unit_month), strict=True))
            if book.imports
            else {}
        )
    found: Mapping[str, AnyPrice] = getattr(book, table)
    return found


def compare(book: PriceBook, reading: Reading, wanted: Iterable[str]) -> Comparison:
    """Hold a reading against the wanted names that have a price already."""
    known = [name for name in wanted if name in names_in(book, reading.table)]
    return Comparison(len(known), tuple(sorted(name for name in known if name not in reading.usd)))


def moved(book: PriceBook, reading: Reading, names: Iterable[str]) -> dict[str, float]:
    """Return by how much (0.1 is a tenth dearer) the list prices of these names moved by MOVED_SHARE or more.

    Of a model's two prices the one that moved more counts. Spot prices move all the time, and none of theirs counts.
    """
    if reading.table is PriceTable.SPOT:
        return {}
    known = names_in(book, reading.table)
    both = {name: (numbers(known[name]), reading.usd[name]) for name in names if name in known and name in reading.usd}
    shares = {
        name: max((new / old - 1 for old, new in zip(before, after, strict=True) if old), key=abs, default=0.0)
        for name, (before, after) in both.items()
    }
    return {name: share for name, share in shares.items() if abs(share) >= MOVED_SHARE}


def current(book: PriceBook, stored: StoredPrices) -> PriceBook:
    """Return the snapshot with readings over it, and the user's own prices over both."""
    for table in PriceTable:
        known = names_in(book, table)
        listed = {name: Entry(numbers(price), price.source.source, price.source.as_of) for name, price in known.items()}
        changed = {name: entry for name, entry in layered(table, listed, stored).items() if entry != listed.get(name)}
        if changed:
            book = _with(book, table, changed)
    return book


def numbers(price: AnyPrice) -> tuple[float, ...]:
    """Return a price as a reading has it."""
    match price:
        case HourlyPrice():
            return (price.usd_per_hour,)
        case UnitPrice():
            return (price.usd,)
        case TokenPrice():
            return (price.prompt_usd, price.completion_usd)


def _with(book: PriceBook, table: PriceTable, changed: Mapping[str, Entry]) -> PriceBook:
    prices = dict(names_in(book, table))
    prices.update({name: _price(table, entry, prices.get(name)) for name, entry in changed.items()})
    if table is not PriceTable.IMPORTS:
        changes: dict[str, Any] = {table.value: prices}
        return replace(book, **changes)
    units = [price for name in IMPORTED if isinstance(price := prices.get(name), UnitPrice)]
    return replace(book, imports=ImportPrices(*units)) if len(units) == len(IMPORTED) else book


def _price(table: PriceTable, entry: Entry, before: AnyPrice | None) -> AnyPrice:
    source = Source(entry.source, entry.as_of)
    if table in TOKEN_TABLES:
        prompt, completion, *own = entry.usd
        listed = before if isinstance(before, TokenPrice) else None
        cached = own[0] if own else in_proportion(listed.cached_usd, listed.prompt_usd, prompt) if listed else None
        return TokenPrice(prompt, completion, source, cached)
    if table in (PriceTable.IMPORTS, PriceTable.PLATFORM):
        return UnitPrice(entry.usd[0], source)
    return HourlyPrice(entry.usd[0], source)
