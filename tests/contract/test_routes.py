"""What every ``Routes`` store does."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.domain.errors import Retryable, Superseded
from spillway.domain.routing.route import RouteState, route_to_json
from spillway.ports import Routes
from tests.builders import a_route
from tests.fakes import FakeRoutes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Routes:
    if request.param == "memory":
        return FakeRoutes()
    make: MakeTable = request.getfixturevalue("make_table")
    return RoutesTable(request.getfixturevalue("dynamodb"), make("name"))


def test_there_is_no_route_before_the_first(store: Routes) -> None:
    assert store.get("support-llama") is None


def test_every_write_is_the_next_version(store: Routes) -> None:
    store.put(a_route())
    first = store.get("support-llama")
    assert first == a_route(version=1)
    store.put(replace(first, state=RouteState.COLD, spill_share=0.25))
    assert store.get("support-llama") == a_route(version=2, state=RouteState.COLD, spill_share=0.25)


@pytest.mark.parametrize("version", [0, 2])
def test_a_write_over_a_version_that_was_not_read_is_superseded(store: Routes, version: int) -> None:
    store.put(a_route())
    with pytest.raises(Superseded):
        store.put(a_route(version=version, state=RouteState.COLD))
    assert store.get("support-llama") == a_route(version=1)


def test_a_repeat_of_the_very_same_write_is_no_conflict(store: Routes) -> None:
    for _ in range(2):
        store.put(a_route())
    assert store.get("support-llama") == a_route(version=1)


def test_a_write_over_a_deleted_route_is_superseded(store: Routes) -> None:
    store.put(a_route())
    store.delete("support-llama")
    with pytest.raises(Superseded):
        store.put(a_route(version=1))


def test_a_deletion_may_be_repeated(store: Routes) -> None:
    store.put(a_route())
    store.delete("support-llama")
    store.delete("support-llama")
    assert store.get("support-llama") is None


def test_many_are_read_at_once_and_missing_ones_left_out(store: Routes) -> None:
    names = [f"model-{number}" for number in range(120)]
    for name in names:
        store.put(a_route(name))
    found = store.get_many([*names, "nobody", names[0]])
    assert set(found) == set(names)
    assert found["model-7"] == a_route("model-7", version=1)
    assert store.get_many([]) == {}


def test_the_gateways_mark_survives_a_write_and_is_no_route_by_itself(
    dynamodb: "DynamoDBClient", make_table: "MakeTable"
) -> None:
    table = make_table("name")
    dynamodb.put_item(TableName=table, Item={"name": {"S": "support-llama"}, "wake_requested_at": {"N": "17"}})
    store = RoutesTable(dynamodb, table)
    assert store.get("support-llama") is None
    assert store.get_many(["support-llama"]) == {}
    store.put(a_route())
    item = dynamodb.get_item(TableName=table, Key={"name": {"S": "support-llama"}})["Item"]
    assert item["wake_requested_at"] == {"N": "17"}
    assert item["version"] == {"N": "1"}


@pytest.mark.parametrize("changes", [{"primary": {"kind": "moon"}}, {"state": "new"}, {"spill": {"kind": "fleet"}}])
def test_a_route_of_another_version_keeps_no_other_from_being_read(
    dynamodb: "DynamoDBClient", make_table: "MakeTable", changes: dict[str, Any]
) -> None:
    table = make_table("name")
    store = RoutesTable(dynamodb, table)
    store.put(a_route("readable"))
    body = json.dumps(route_to_json(a_route("newer")) | changes)
    dynamodb.put_item(TableName=table, Item={"name": {"S": "newer"}, "body": {"S": body}, "version": {"N": "1"}})
    assert store.get_many(["newer", "readable"]) == {"readable": a_route("readable", version=1)}


class Partial:
    """A table that processes one key a call, or none at all."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.routes = FakeRoutes(*(a_route(f"model-{number}") for number in range(3)))

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        keys = RequestItems["table"]["Keys"]
        taken, left = keys[: self.at_once], keys[self.at_once :]
        items = [{"body": {"S": json.dumps(route_to_json(self.routes.items[key["name"]["S"]]))}} for key in taken]
        return {"Responses": {"table": items}, "UnprocessedKeys": {"table": {"Keys": left}} if left else {}}


def test_what_dynamodb_leaves_unprocessed_is_asked_for_again() -> None:
    names = ["model-0", "model-1", "model-2"]
    assert list(RoutesTable(Partial(1), "table").get_many(names)) == names  # type: ignore[arg-type]


def test_reading_nothing_again_and_again_ends() -> None:
    with pytest.raises(Retryable):
        RoutesTable(Partial(0), "table").get_many(["model-0"])  # type: ignore[arg-type]
