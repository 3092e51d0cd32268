"""What every ``Keys`` store does."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from spillway.adapters.dynamodb.keys_table import KeysTable
from spillway.domain.access.keys import Key, OldSecret, Scope, digest_of, id_of
from spillway.domain.access.limits import KeyLimits
from spillway.domain.errors import InvalidRequest, NotFound, Superseded
from spillway.ports import Keys
from tests.builders import NOW, a_key
from tests.fakes import FakeKeys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Keys:
    if request.param == "memory":
        return FakeKeys()
    make: MakeTable = request.getfixturevalue("make_table")
    return KeysTable(request.getfixturevalue("dynamodb"), make("id"))


@pytest.mark.parametrize(
    "key",
    [
        a_key(),
        a_key(scopes=frozenset(Scope), deployments=("a1", "b2"), expires_at=NOW + timedelta(days=1)),
        a_key(limits=KeyLimits(60, 40_000, 0.00001), old_secrets=(OldSecret("d" * 64, NOW),), version=3),
        a_key(limits=KeyLimits(usd_per_month=1_000_000)),
    ],
    ids=["plain", "scoped", "limited and rotated", "a budget"],
)
def test_a_key_comes_back_as_it_was_stored(store: Keys, key: Key) -> None:
    store.put(key)
    assert store.get(key.id) == key
    assert store.find(key.id) == key


def test_an_unknown_id_is_nothing(store: Keys) -> None:
    assert store.get("key_unknown") is None


def test_a_deleted_key_is_gone_and_cannot_be_deleted_again(store: Keys) -> None:
    store.put(a_key())
    store.delete(a_key().id)
    assert store.get(a_key().id) is None
    with pytest.raises(NotFound) as caught:
        store.delete(a_key().id)
    assert caught.value.param == "id"


def rotated(key: Key, secret: str) -> Key:
    old = (OldSecret(key.digest, NOW + timedelta(hours=1)), *key.old_secrets)
    return replace(key, digest=digest_of(secret), old_secrets=old, version=key.version + 1)


def test_a_rotated_key_is_found_by_every_secret_it_has(store: Keys) -> None:
    store.put(a_key("first"))
    second = rotated(a_key("first"), "second")
    store.replace(second)
    assert [store.find(id_of(secret)) for secret in ("first", "second", "third")] == [second, second, None]
    assert store.get(second.id) == second
    assert store.get(id_of("second")) is None
    third = replace(rotated(second, "third"), old_secrets=())
    store.replace(third)
    assert [store.find(id_of(secret)) for secret in ("second", "third")] == [None, third]
    assert store.page(10, None)[0] == [third]


def test_a_deleted_key_leaves_none_of_its_secrets(store: Keys) -> None:
    store.put(a_key("first"))
    store.replace(rotated(a_key("first"), "second"))
    store.delete(a_key("first").id)
    assert [store.find(id_of(secret)) for secret in ("first", "second")] == [None, None]


def test_of_two_changes_at_once_one_is_refused(store: Keys) -> None:
    store.put(a_key())
    store.replace(replace(a_key(), limits=KeyLimits(1), version=1))
    with pytest.raises(Superseded):
        store.replace(replace(a_key(), limits=KeyLimits(2), version=1))
    with pytest.raises(Superseded):
        store.replace(replace(a_key("nobody"), version=1))
    found = store.get(a_key().id)
    assert found is not None
    assert found.limits == KeyLimits(1)


def test_a_key_from_before_there_were_limits_is_read_and_changed(
    dynamodb: "DynamoDBClient", make_table: "MakeTable"
) -> None:
    store = KeysTable(dynamodb, make_table("id"))
    store.put(a_key())
    dynamodb.update_item(
        TableName="table", Key={"id": {"S": a_key().id}}, UpdateExpression="REMOVE limits, old_secrets, version"
    )
    assert store.get(a_key().id) == a_key()
    store.replace(replace(a_key(), limits=KeyLimits(1), version=1))
    found = store.get(a_key().id)
    assert found is not None
    assert found.limits == KeyLimits(1)


def test_pointers_leave_no_empty_pages(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    store = KeysTable(dynamodb, make_table("id"))
    store.put(a_key("first"))
    key = a_key("first")
    for number in range(6):
        key = rotated(key, f"next-{number}")
        store.replace(key)
    found, cursor = store.page(1, None)
    while cursor is not None:
        more, cursor = store.page(1, cursor)
        found = [*found, *more]
        assert more or cursor is None
    assert found == [key]


def test_pages_cover_every_key_once(store: Keys) -> None:
    keys = {a_key(f"secret-{number}").id for number in range(5)}
    for number in range(5):
        store.put(a_key(f"secret-{number}"))
    first, cursor = store.page(3, None)
    second, end = store.page(3, cursor)
    assert {key.id for key in [*first, *second]} == keys
    assert len(first) + len(second) == 5
    assert end is None


def test_a_cursor_that_is_none_is_an_invalid_request(store: Keys) -> None:
    with pytest.raises(InvalidRequest):
        store.page(3, "bm9uc2Vuc2U")


def test_no_secret_is_stored(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    secret = "sk-spillway-" + "s" * 43
    KeysTable(dynamodb, make_table("id")).put(a_key(secret))
    assert secret not in str(dynamodb.scan(TableName="table")["Items"])
