"""``GET /alerts``."""

from tests.fakes import FakeSubscribers
from tests.unit.api.conftest import World


def test_who_hears_the_alerts_is_shown_by_topic(world: World) -> None:
    world.subscribers = FakeSubscribers(cost=(1, 2), scale=(0, 1))
    answer = world.call("GET", "/alerts")
    assert (answer.status, answer.json) == (
        200,
        {
            "items": [
                {"topic": "scale", "confirmed": 0, "pending": 1},
                {"topic": "cost", "confirmed": 1, "pending": 2},
                {"topic": "operations", "confirmed": 0, "pending": 0},
            ],
            "nobody_told": ["scale", "operations"],
        },
    )


def test_a_key_that_may_only_ask_models_does_not_see_it(world: World) -> None:
    assert world.call("GET", "/alerts", scopes="invoke").status == 403
