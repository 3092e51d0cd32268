"""What every ``Decisions`` store does."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.domain.errors import InvalidRequest
from spillway.ports import Decisions
from tests.builders import NOW, a_decision
from tests.fakes import FakeDecisions

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Decisions:
    if request.param == "memory":
        return FakeDecisions()
    make: MakeTable = request.getfixturevalue("make_table")
    return DecisionsTable(request.getfixturevalue("dynamodb"), make("deployment", "at"))


def test_the_newest_comes_first_and_pages_cover_all(store: Decisions) -> None:
    moments = [NOW + timedelta(minutes=minute) for minute in range(5)]
    for desired, moment in enumerate(moments):
        store.add("support-llama", a_decision(desired=desired), moment)
    store.add("another", a_decision(desired=9), NOW)
    first, cursor = store.page("support-llama", 3, None)
    second, end = store.page("support-llama", 3, cursor)
    assert [(at, taken.desired) for at, taken in [*first, *second]] == list(
        zip(reversed(moments), (4, 3, 2, 1, 0), strict=True)
    )
    assert end is None


def test_a_decision_comes_back_as_it_was_taken(store: Decisions) -> None:
    moment = NOW + timedelta(microseconds=1)
    store.add("support-llama", a_decision(), moment)
    assert store.page("support-llama", 10, None) == ([(moment, a_decision())], None)


def test_two_decisions_of_one_moment_are_both_kept_and_a_repeat_is_one(store: Decisions) -> None:
    for desired in (0, 1, 1):
        store.add("support-llama", a_decision(desired=desired), NOW)
    page, _ = store.page("support-llama", 10, None)
    assert sorted(taken.desired for _, taken in page) == [0, 1]


def test_a_cursor_that_is_none_is_an_invalid_request(store: Decisions) -> None:
    with pytest.raises(InvalidRequest):
        store.page("support-llama", 3, "bm9uc2Vuc2U")


def test_a_cursor_does_not_lead_into_another_deployment(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    store = DecisionsTable(dynamodb, make_table("deployment", "at"))
    for minute in range(2):
        store.add("theirs", a_decision(), NOW + timedelta(minutes=minute))
    _, cursor = store.page("theirs", 1, None)
    assert cursor is not None
    with pytest.raises(InvalidRequest):
        store.page("mine", 1, cursor)


def test_dynamodb_drops_a_decision_after_90_days(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    DecisionsTable(dynamodb, make_table("deployment", "at")).add("support-llama", a_decision(), NOW)
    (item,) = dynamodb.scan(TableName="table")["Items"]
    assert int(item["expires_at"]["N"]) == int((NOW + timedelta(days=90)).timestamp())
    assert item["at"]["S"].startswith("2026-11-24T09:30:00.000000Z#")
