"""How prices lie in the ``prices`` table; apart from who reads them, with an SDK or without."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spillway.domain.pricing.price_layers import Override, PriceTable, Reading, StoredPrices

OVERRIDES = "overrides"
CREDITS = "credits"
_READ = "read#"


def reading_id(table: PriceTable) -> str:
    """Return the id of a table's reading."""
    return f"{_READ}{table}"


def stored_prices(items: Mapping[str, Mapping[str, Any]]) -> StoredPrices:
    """Return what the table's items say, by their ids."""
    overrides = items.get(OVERRIDES)
    return StoredPrices(
        readings=[_reading(items[name]) for name in map(reading_id, PriceTable) if name in items],
        overrides=[_override(one) for one in json.loads(overrides["body"]["S"])] if overrides else [],
        overridden_at=datetime.fromisoformat(overrides["at"]["S"]) if overrides else None,
    )


def _reading(item: Mapping[str, Any]) -> Reading:
    return Reading(
        table=PriceTable(item["id"]["S"].removeprefix(_READ)),
        usd={name: tuple(usd) for name, usd in json.loads(item["body"]["S"]).items()},
        source=item["source"]["S"],
        at=datetime.fromisoformat(item["at"]["S"]),
    )


def _override(data: dict[str, Any]) -> Override:
    usd = data["usd"]
    return Override(**{**data, "table": PriceTable(data["table"]), "usd": None if usd is None else tuple(usd)})
