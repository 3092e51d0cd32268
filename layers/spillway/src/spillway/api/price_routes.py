"""The routes under ``/prices``."""

from typing import Annotated

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.params import Query

from spillway.api.json_responses import errors
from spillway.api.price_models import OverridesBody, PriceBody, PriceOverride, PriceOverrides, PricesBody
from spillway.domain.pricing.price_layers import PriceTable, StoredPrices
from spillway.services.manage_prices import ManagePrices

_Table = Annotated[PriceTable, Query(description="Which prices")]


def add_price_routes(api: APIGatewayRestResolver, prices: ManagePrices) -> None:
    """Register the routes."""

    @api.get("/prices", summary="Prices in force", tags=["costs"], responses=errors(200))
    def list_prices(table: _Table = PriceTable.EC2) -> PricesBody:
        found = prices.table(table)
        items = (PriceBody(name=name, usd=usd, source=source, as_of=day) for name, (usd, source, day) in found.items())
        return PricesBody(table=table, items=tuple(items))

    @api.get("/prices/overrides", summary="Your own prices", tags=["costs"], responses=errors(200))
    def show_overrides() -> OverridesBody:
        return _body(prices.overrides())

    @api.put("/prices/overrides", summary="Replace your own prices", tags=["costs"], responses=errors(200))
    def put_overrides(body: PriceOverrides) -> OverridesBody:
        return _body(prices.override(body.as_overrides()))


def _body(stored: StoredPrices) -> OverridesBody:
    return OverridesBody(
        overridden_at=stored.overridden_at,
        overrides=tuple(
            PriceOverride(
                table=one.table,
                name=one.name,
                discount_percent=None if one.discount is None else round(one.discount * 100, 6),
                usd=one.usd,
                note=one.note,
            )
            for one in stored.overrides
        ),
    )
