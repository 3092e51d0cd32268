"""What the composition roots of several functions build alike."""

from datetime import timedelta

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.domain.alerts.alert import Topic
from spillway.domain.pricing.price_book import price_book_of
from spillway.services.manage_prices import FRESH, CurrentPrices
from spillway.settings import Settings


def current_prices(settings: Settings, fresh: timedelta = FRESH) -> CurrentPrices:
    """Build the price book in force, which is read again after ``fresh``."""
    table = PricesTable(client("dynamodb"), settings.prices_table)
    return CurrentPrices(price_book_of(settings.region), table, clock.utc_now, fresh)


def all_topics(settings: Settings) -> dict[Topic, str]:
    """Return the ARN of every topic of the stack."""
    return {
        Topic.SCALE: settings.scale_topic_arn,
        Topic.COST: settings.cost_topic_arn,
        Topic.OPERATIONS: settings.operations_topic_arn,
    }
