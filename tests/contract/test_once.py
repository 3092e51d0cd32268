"""What every ``Once`` does."""

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from spillway.adapters.dynamodb.idempotency_table import IdempotencyTable
from spillway.domain.errors import Conflict, InvalidRequest
from spillway.ports import Once
from tests.fakes import FakeOnce

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable


@pytest.fixture(params=["memory", "dynamodb"])
def once(request: pytest.FixtureRequest) -> Once:
    if request.param == "memory":
        return FakeOnce()
    make: MakeTable = request.getfixturevalue("make_table")
    return IdempotencyTable(request.getfixturevalue("dynamodb"), make("id"))


class Counting:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, Any]:
        self.calls += 1
        return {"number": self.calls, "ratio": 0.5, "none": None, "list": [{"a": "ä"}]}


def test_a_repeat_gets_the_first_answer(once: Once) -> None:
    action = Counting()
    first = once.run("a#POST#1", {"name": "x"}, action, 20_000)
    assert once.run("a#POST#1", {"name": "x"}, action, 20_000) == first
    assert action.calls == 1


def test_another_key_is_another_call(once: Once) -> None:
    action = Counting()
    once.run("a#POST#1", {"name": "x"}, action, 20_000)
    assert once.run("a#POST#2", {"name": "x"}, action, 20_000)["number"] == 2


def test_another_payload_under_the_same_key_is_a_conflict(once: Once) -> None:
    once.run("a#POST#1", {"name": "x"}, Counting(), 20_000)
    with pytest.raises(Conflict) as caught:
        once.run("a#POST#1", {"name": "y"}, Counting(), 20_000)
    assert caught.value.code == "idempotency_key_reused"


def test_an_action_that_raises_may_be_tried_again(once: Once) -> None:
    def refuse() -> NoReturn:
        raise InvalidRequest("no", param="name")

    with pytest.raises(InvalidRequest):
        once.run("a#POST#1", {"name": "x"}, refuse, 20_000)
    assert once.run("a#POST#1", {"name": "x"}, Counting(), 20_000)["number"] == 1


def test_a_call_that_still_runs_is_a_conflict(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    once = IdempotencyTable(dynamodb, make_table("id"))

    def again() -> dict[str, Any]:
        return once.run("a#POST#1", {"name": "x"}, Counting(), 20_000)

    with pytest.raises(Conflict) as caught:
        once.run("a#POST#1", {"name": "x"}, again, 20_000)
    assert caught.value.code == "idempotency_key_in_progress"


def test_a_table_that_refuses_says_what_botocore_said(dynamodb: "DynamoDBClient") -> None:
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        IdempotencyTable(dynamodb, "absent").run("a#POST#1", {}, Counting(), 20_000)
