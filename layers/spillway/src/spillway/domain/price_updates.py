"""What changes the packaged price book: prices read since, and the user's own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from spillway.domain.price_layers import Entry, PriceTable, Reading, StoredPrices, in_proportion, layered
from spillway.domain.prices import HourlyPrice, PriceBook, Source, TokenPrice

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


def names_in(book: PriceBook, table: PriceTable) -> Mapping[str, HourlyPrice | TokenPrice]:
    """Return one table of a price book."""
    match table:
        case PriceTable.EC2:
            return book.ec2
        case PriceTable.SAGEMAKER:
            return book.sagemaker
        case PriceTable.SPOT:
            return book.spot
        case PriceTable.BEDROCK:
            return book.bedrock


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


def numbers(price: HourlyPrice | TokenPrice) -> tuple[float, ...]:
    """Return a price as a reading has it."""
    match price:
        case HourlyPrice():
            return (price.usd_per_hour,)
        case TokenPrice():
            return (price.prompt_usd, price.completion_usd)


def _with(book: PriceBook, table: PriceTable, changed: Mapping[str, Entry]) -> PriceBook:
    if table is PriceTable.BEDROCK:
        tokens = {name: _tokens(entry, book.bedrock.get(name)) for name, entry in changed.items()}
        return replace(book, bedrock={**book.bedrock, **tokens})
    hourly = {name: HourlyPrice(entry.usd[0], _source(entry)) for name, entry in changed.items()}
    match table:
        case PriceTable.EC2:
            return replace(book, ec2={**book.ec2, **hourly})
        case PriceTable.SAGEMAKER:
            return replace(book, sagemaker={**book.sagemaker, **hourly})
        case PriceTable.SPOT:
            return replace(book, spot={**book.spot, **hourly})


def _tokens(entry: Entry, before: TokenPrice | None) -> TokenPrice:
    prompt, completion = entry.usd
    cached = in_proportion(before.cached_usd, before.prompt_usd, prompt) if before else None
    return TokenPrice(prompt, completion, _source(entry), cached)


def _source(entry: Entry) -> Source:
    return Source(entry.source, entry.as_of)
