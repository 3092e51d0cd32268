"""``GET /alerts``."""

from typing import Annotated

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from pydantic import Field

from spillway.api.json_responses import errors
from spillway.domain.frozen import Frozen
from spillway.ports import TopicSubscribers


class SubscribersBody(Frozen):
    """One topic's subscriptions, of all protocols."""

    topic: str
    confirmed: Annotated[int, Field(description="They get what is published")]
    pending: Annotated[int, Field(description="They get nothing until they are confirmed")]


class AlertsBody(Frozen):
    """Who is subscribed to the stack's topics now."""

    items: tuple[SubscribersBody, ...]
    nobody_told: Annotated[tuple[str, ...], Field(description="Topics without a confirmed subscription")]


def add_alert_routes(api: APIGatewayRestResolver, subscribers: TopicSubscribers) -> None:
    """Register the route."""

    @api.get("/alerts", summary="Whether anybody hears the alerts", tags=["alerts"], responses=errors(200))
    def show_alerts() -> AlertsBody:
        found = subscribers.count()
        return AlertsBody(
            items=tuple(SubscribersBody(topic=topic, **vars(seen)) for topic, seen in found.items()),
            nobody_told=tuple(topic for topic, seen in found.items() if not seen.confirmed),
        )
