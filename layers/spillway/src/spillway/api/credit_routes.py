"""The routes under ``/credits``."""

from datetime import date, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from spillway.api.json_responses import errors
from spillway.domain.costs.credits import Credit, CreditsState
from spillway.domain.frozen import Frozen
from spillway.services.manage_credits import ManageCredits


class StatedCredits(Frozen):
    """All of your grants as they stand now: what is left out exists no more.

    AWS has no API that tells them; read them in the Billing console. ``other_usd_per_day`` is what the rest of the
    account takes from them.
    """

    grants: Annotated[tuple[Credit, ...], Field(max_length=20)]
    other_usd_per_day: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0

    @model_validator(mode="after")
    def _names_differ(self) -> "StatedCredits":
        names = [grant.name for grant in self.grants]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise PydanticCustomError(
                    "credits",
                    "{name} is the name of another grant already",
                    {"field": f"grants.{number}.name", "name": name},
                )
        return self


class GrantBody(Frozen):
    """One grant; of what is left, ``unused_usd`` will expire at the pace of the last days."""

    name: str
    stated_usd: float
    left_usd: float
    expires_on: date | None
    empty_on: Annotated[date | None, Field(description="The day that takes its last cent, at this pace")]
    unused_usd: float | None


class CreditsBody(Frozen):
    """Credits less what the deployments have cost since they were stated, at the prices in force."""

    stated_at: Annotated[datetime | None, Field(description="null where none are")]
    other_usd_per_day: float
    used_usd: Annotated[float, Field(description="Since then; what other things used included")]
    balance_usd: Annotated[float, Field(description="Left and not expired")]
    usd_per_day: Annotated[float | None, Field(description="The mean of the last pace_days; null before the first")]
    pace_days: Annotated[int, Field(description="Whole days, seven at most")]
    is_at_least: Annotated[bool, Field(description="Something that was used has no known price")]
    runs_out_on: Annotated[date | None, Field(description="The first day that is not covered whole; null: none known")]
    days_covered: int | None
    grants: tuple[GrantBody, ...]


def add_credit_routes(api: APIGatewayRestResolver, credits: ManageCredits) -> None:
    """Register the routes."""

    @api.get("/credits", summary="AWS credits, and how long they last", tags=["costs"], responses=errors(200))
    def show_credits() -> CreditsBody:
        return _body(credits.state())

    @api.put("/credits", summary="State your AWS credits", tags=["costs"], responses=errors(200))
    def put_credits(body: StatedCredits) -> CreditsBody:
        return _body(credits.put(body.grants, body.other_usd_per_day))


def _body(state: CreditsState) -> CreditsBody:
    ledger, ahead = state.ledger, state.outlook
    uses = {use.name: use for use in ahead.grants} if ahead else {}
    return CreditsBody(
        stated_at=ledger.stated_at if ledger.grants else None,
        other_usd_per_day=ledger.other_usd_per_day,
        used_usd=round(state.used_usd, 6),
        balance_usd=round(state.balance_usd, 6),
        usd_per_day=round(ahead.usd_per_day, 6) if ahead else None,
        pace_days=state.pace_days,
        is_at_least=state.is_at_least,
        runs_out_on=ahead.runs_out_on if ahead else None,
        days_covered=ahead.days_covered if ahead and ahead.runs_out_on else None,
        grants=tuple(
            GrantBody(
                name=stated.name,
                stated_usd=stated.usd,
                left_usd=round(left.usd, 6),
                expires_on=stated.expires_on,
                empty_on=uses[left.name].empty_on if left.name in uses else None,
                unused_usd=round(uses[left.name].unused_usd, 6) if left.name in uses else None,
            )
            for stated, left in zip(ledger.grants, state.left, strict=True)
        ),
    )
