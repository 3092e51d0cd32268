"""The bodies under ``/prices``."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from spillway.domain.frozen import LEAST, Frozen
from spillway.domain.pricing.price_layers import TOKEN_TABLES, Override, PriceTable

# A millisecond of a megabyte costs far less than a millionth.
_Usd = Annotated[float, Field(ge=1e-12, le=10_000)]


class PriceOverride(Frozen):
    """Your own price: a discount off the list (a Savings Plan, private pricing), or the price itself.

    Without ``name`` a discount applies to the whole table. ``usd`` is one number, an hour or a unit, or of a Bedrock
    model two per million prompt and completion tokens, and a third for prompt tokens that come from a cache.
    """

    table: PriceTable
    name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    discount_percent: Annotated[float, Field(ge=LEAST, le=100)] | None = None
    usd: Annotated[tuple[_Usd, ...], Field(min_length=1, max_length=3)] | None = None
    note: Annotated[str, Field(max_length=128)] = ""

    @model_validator(mode="after")
    def _is_one_price(self) -> "PriceOverride":
        if (self.usd is None) == (self.discount_percent is None):
            raise PydanticCustomError("price", "give either usd or discount_percent")
        if self.usd is not None and self.name is None:
            raise PydanticCustomError("price", "is required with usd", {"field": "name"})
        fewest, most = (2, 3) if self.table in TOKEN_TABLES else (1, 1)
        if self.usd is not None and not fewest <= len(self.usd) <= most:
            wanted = f"{fewest} or {most}" if fewest < most else f"{fewest}"
            raise PydanticCustomError(
                "price",
                "must have {wanted} of {table}'s prices",
                {"field": "usd", "wanted": wanted, "table": self.table},
            )
        return self


class PriceOverrides(Frozen):
    """All of your own prices: what is left out applies no more. Later entries go over earlier ones."""

    overrides: Annotated[tuple[PriceOverride, ...], Field(max_length=200)]

    def as_overrides(self) -> list[Override]:
        """Return them as the price book takes them."""
        return [
            Override(
                table=one.table,
                name=one.name,
                discount=None if one.discount_percent is None else one.discount_percent / 100,
                usd=one.usd,
                note=one.note,
            )
            for one in self.overrides
        ]


class OverridesBody(PriceOverrides):
    """What is in force, and since when."""

    overridden_at: datetime | None


class PriceBody(Frozen):
    """One price in USD: an hour, a unit, or per million prompt, completion and (where it is known) cached tokens."""

    name: str
    usd: tuple[float, ...]
    source: str
    as_of: str


class PricesBody(Frozen):
    """One table of the price book in force."""

    table: PriceTable
    items: tuple[PriceBody, ...]
