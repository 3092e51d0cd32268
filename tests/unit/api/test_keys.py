"""``/keys``."""

from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.access.keys import Scope
from spillway.domain.access.limits import KeyLimits
from tests.builders import NOW, a_key
from tests.unit.api.conftest import World


def test_a_new_key_shows_its_secret_once_and_stores_only_the_hash(world: World) -> None:
    answer = world.call("POST", "/keys", {"name": "ci", "deployments": ["support-llama"]})
    assert answer.status == 201
    made = answer.json
    assert made["secret"].startswith("sk-spillway-")
    assert len(made["secret"]) == len("sk-spillway-") + 43
    assert made["scopes"] == ["invoke"]
    assert answer.headers["Location"] == f"/live/keys/{made['id']}"
    stored = world.keys.items[made["id"]]
    assert stored.matches(made["secret"], NOW)
    assert made["secret"] not in repr(stored)
    listed = world.call("GET", "/keys")
    assert made["secret"] not in listed.text
    assert stored.digest not in listed.text
    (item,) = listed.json["items"]
    assert item == {key: value for key, value in made.items() if key != "secret"}
    assert made["secret"].startswith(item["prefix"])


def test_an_expiry_is_a_moment_or_a_span(world: World) -> None:
    span = world.call("POST", "/keys", {"name": "a", "expires_in_seconds": 3600}).json
    assert span["expires_at"] == "2026-11-24T10:30:00Z"
    moment = world.call("POST", "/keys", {"name": "b", "expires_at": "2026-12-24T00:00:00+01:00"}).json
    assert moment["expires_at"] == "2026-12-24T00:00:00+01:00"


@pytest.mark.parametrize(
    ("body", "param", "allowed"),
    [
        ({}, "name", None),
        ({"name": ""}, "name", None),
        ({"name": "a", "scopes": ["root"]}, "scopes.0", ["admin", "invoke"]),
        ({"name": "a", "scopes": []}, "scopes", None),
        ({"name": "a", "deployments": ["Not A Name"]}, "deployments.0", None),
        ({"name": "a", "scopes": ["admin"], "deployments": ["a1"]}, "deployments", None),
        ({"name": "a", "expires_at": "2026-12-24T00:00:00"}, "expires_at", None),
        ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at", None),
        ({"name": "a", "expires_in_seconds": 1}, "expires_in_seconds", None),
        (
            {"name": "a", "expires_at": "2027-01-01T00:00:00Z", "expires_in_seconds": 60},
            "expires_in_seconds",
            None,
        ),
        ({"name": "a", "requests_per_minute": 0}, "requests_per_minute", None),
        ({"name": "a", "tokens_per_minute": -1}, "tokens_per_minute", None),
        ({"name": "a", "usd_per_month": 0}, "usd_per_month", None),
        ({"name": "a", "usd_per_month": "inf"}, "usd_per_month", None),
        (
            {"name": "a", "owner": "me"},
            "owner",
            [
                "requests_per_minute",
                "tokens_per_minute",
                "usd_per_month",
                "name",
                "scopes",
                "deployments",
                "expires_at",
                "expires_in_seconds",
            ],
        ),
    ],
)
def test_bad_input_names_the_field_and_makes_no_key(
    world: World, body: dict[str, Any], param: str, allowed: list[str] | None
) -> None:
    answer = world.call("POST", "/keys", body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert answer.error.get("allowed") == allowed
    assert world.nothing_changed()


def test_a_repeated_request_makes_one_key_and_keeps_no_secret(world: World) -> None:
    headers = {"Idempotency-Key": "again-1"}
    first = world.call("POST", "/keys", {"name": "ci"}, headers=headers).json
    second = world.call("POST", "/keys", {"name": "ci"}, headers=headers).json
    assert second == {**first, "secret": None}
    assert first["secret"] not in repr(world.once.answers)
    assert len(world.keys.items) == 1


def test_keys_page(world: World) -> None:
    for number in range(3):
        world.keys.put(a_key(f"secret-{number}"))
    first = world.call("GET", "/keys?limit=2").json
    second = world.call("GET", f"/keys?limit=2&cursor={first['next_cursor']}").json
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, None)


def test_a_deleted_key_is_gone(world: World) -> None:
    world.keys.put(a_key())
    answer = world.call("DELETE", f"/keys/{a_key().id}")
    assert (answer.status, answer.text) in ((204, ""), (204, None))
    assert world.keys.items == {}
    again = world.call("DELETE", f"/keys/{a_key().id}")
    assert (again.status, again.error["param"]) == (404, "id")


def test_the_last_valid_admin_key_stays(world: World) -> None:
    admin = frozenset({Scope.ADMIN})
    world.keys.put(a_key("first", scopes=admin))
    world.keys.put(a_key("expired", scopes=admin, expires_at=NOW - timedelta(days=1)))
    world.keys.put(a_key("caller"))
    assert world.call("DELETE", f"/keys/{a_key('first').id}").status == 409
    assert a_key("first").id in world.keys.items
    world.keys.put(a_key("second", scopes=admin))
    assert world.call("DELETE", f"/keys/{a_key('first').id}").status == 204


def test_a_key_may_have_limits_and_they_can_be_changed(world: World) -> None:
    limits = {"requests_per_minute": 60, "tokens_per_minute": 40_000, "usd_per_month": 12.5}
    made = world.call("POST", "/keys", {"name": "ci", **limits}).json
    assert {name: made[name] for name in limits} == limits
    answer = world.call("PATCH", f"/keys/{made['id']}", {"requests_per_minute": None, "usd_per_month": 20})
    assert answer.status == 200
    assert {name: answer.json[name] for name in limits} == {
        "requests_per_minute": None,
        "tokens_per_minute": 40_000,
        "usd_per_month": 20.0,
    }
    assert "secret" not in answer.json
    assert world.keys.items[made["id"]].limits == KeyLimits(None, 40_000, 20.0)


def test_changes_of_unknown_keys_and_unknown_fields_are_refused(world: World) -> None:
    assert world.call("PATCH", "/keys/key_nobody", {"usd_per_month": 1}).status == 404
    assert world.call("POST", "/keys/key_nobody/rotate", {}).status == 404
    world.keys.put(a_key())
    answer = world.call("PATCH", f"/keys/{a_key().id}", {"name": "another"})
    assert (answer.status, answer.error["param"]) == (400, "name")


def test_a_rotated_key_opens_with_both_secrets_until_the_overlap_ends(world: World) -> None:
    made = world.call("POST", "/keys", {"name": "ci", "usd_per_month": 5}).json
    answer = world.call("POST", f"/keys/{made['id']}/rotate", {"overlap_seconds": 3600})
    assert answer.status == 200
    rotated = answer.json
    assert rotated["id"] == made["id"]
    assert rotated["secret"] != made["secret"]
    assert rotated["secret"].startswith(rotated["prefix"])
    assert (rotated["old_secrets_until"], rotated["usd_per_month"]) == ("2026-11-24T10:30:00Z", 5.0)
    stored = world.keys.items[made["id"]]
    before, after = NOW + timedelta(seconds=3599), NOW + timedelta(seconds=3600)
    assert stored.matches(made["secret"], before)
    assert not stored.matches(made["secret"], after)
    assert stored.matches(rotated["secret"], after)
    assert rotated["secret"] not in repr(stored)


def test_a_rotation_ends_earlier_overlaps_no_later_than_its_own(world: World) -> None:
    made = world.call("POST", "/keys", {"name": "ci"}).json
    rotate = f"/keys/{made['id']}/rotate"
    second = world.call("POST", rotate, {"overlap_seconds": 3600}).json
    third = world.call("POST", rotate, {"overlap_seconds": 0}).json
    stored = world.keys.items[made["id"]]
    assert [stored.matches(each["secret"], NOW) for each in (made, second, third)] == [False, False, True]
    assert stored.old_secrets == ()


def test_a_repeated_rotation_rotates_once(world: World) -> None:
    made = world.call("POST", "/keys", {"name": "ci"}).json
    headers = {"Idempotency-Key": "again-2"}
    first = world.call("POST", f"/keys/{made['id']}/rotate", {"overlap_seconds": 60}, headers=headers).json
    second = world.call("POST", f"/keys/{made['id']}/rotate", {"overlap_seconds": 60}, headers=headers).json
    assert second == {**first, "secret": None}
    assert world.keys.items[made["id"]].version == 1
