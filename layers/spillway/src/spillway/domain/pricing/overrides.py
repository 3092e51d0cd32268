"""What a user's own prices may be of."""

from collections.abc import Sequence, Set

from spillway.domain.errors import InvalidRequest
from spillway.domain.pricing.price_book import LOAD_BALANCER, PriceBook, price_book, price_book_of
from spillway.domain.pricing.price_layers import Override, PriceTable
from spillway.domain.pricing.updates import IMPORTED, names_in

# Tables whose names are Spillway's own: another one would change nothing, and not say so.
_CLOSED = (PriceTable.IMPORTS, PriceTable.PLATFORM)
# Priced by a user alone: no source of ours has these.
_OWN_ONLY = {PriceTable.PLATFORM: {LOAD_BALANCER}}


def check_overrides(book: PriceBook, overrides: Sequence[Override]) -> None:
    """Raise InvalidRequest for a discount on what has no price, and for the name of nothing."""
    for number, one in enumerate(overrides):
        known = names_in(book, one.table).keys() | _OWN_ONLY.get(one.table, set())
        if one.usd is not None and one.table in _CLOSED:
            # In a region without a shipped price they can be priced by the user alone.
            known |= names_in(price_book(), one.table).keys()
        if one.name is None or one.name in known:
            continue
        if one.usd is None:
            said = f"no {one.table} price of {one.name} is known to take a discount off; give the price itself"
        elif one.table in _CLOSED:
            said = f"nothing is priced by {one.name}"
        else:
            continue
        param = f"overrides.{number}.name"
        raise InvalidRequest(f"{param}: {said}", param=param, allowed=sorted(known))
    _check_imports(book, {one.name for one in overrides if one.table is PriceTable.IMPORTS})


def _check_imports(book: PriceBook, named: Set[str | None]) -> None:
    """Raise InvalidRequest for one of an import's two prices where no price of the other is shipped."""
    missing = [name for name in IMPORTED if name not in named]
    if named and missing and price_book_of(book.region).imports is None:
        raise InvalidRequest(
            f"overrides: no import prices of {book.region} are known, so give {' and '.join(missing)} as well",
            param="overrides",
            allowed=IMPORTED,
        )
