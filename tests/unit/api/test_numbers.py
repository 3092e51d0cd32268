"""Numbers are numbers in every body, booleans are booleans, and every number has bounds."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from spillway.domain.access.keys import Scope
from tests.builders import a_deployment, a_key
from tests.unit.api import bodies
from tests.unit.api.bodies import Asked, Leaf
from tests.unit.api.conftest import Answer, World, document

NUMBERS = {"integer", "number"}
ALL = (*bodies.REQUESTS, bodies.PATCH)

every_body = pytest.mark.parametrize(
    "asked", ALL, ids=[f"{each.method} {each.template} {number}" for number, each in enumerate(ALL)]
)


@pytest.fixture
def filled(world: World) -> World:
    """A deployment and a key to change."""
    world.deployments.items["serving"] = a_deployment("serving")
    world.keys.put(a_key(scopes=frozenset({Scope.ADMIN})))
    return world


def sent(world: World, asked: Asked, body: Any) -> Answer:
    return world.call(asked.method, asked.path.replace("KEY", a_key().id), body)


def described(asked: Asked) -> list[Leaf]:
    """Return what the document says of a body's values; a patch is part of the body that made the deployment."""
    method, template = ("POST", "/deployments") if asked is bodies.PATCH else (asked.method, asked.template)
    return list(bodies.leaves(document(), bodies.body_schema(document(), method, template)))


def typed(asked: Asked, types: set[str]) -> Iterator[str]:
    """Return the places of a body whose values the document gives one of these types."""
    found = described(asked)
    places = frozenset(leaf.place for leaf in found)
    wanted = {leaf.place for leaf in found if leaf.types & types}
    return (place for place, _ in bodies.values(asked.body) if bodies.starred(place, places) in wanted)


@every_body
def test_the_bodies_are_accepted_as_they_are(filled: World, asked: Asked) -> None:
    answer = sent(filled, asked, asked.body)
    assert answer.status < 300, answer.text


def test_the_bodies_name_every_number_and_boolean_of_the_document() -> None:
    for path, operations in document()["paths"].items():
        for verb, operation in operations.items():
            if "requestBody" not in operation or (verb, path) == ("patch", bodies.PATCH.template):
                continue
            found = list(bodies.leaves(document(), bodies.body_schema(document(), verb, path)))
            places = frozenset(leaf.place for leaf in found)
            named = {
                bodies.starred(place, places)
                for asked in bodies.REQUESTS
                if (asked.method, asked.template) == (verb.upper(), path)
                for place, _ in bodies.values(asked.body)
            }
            wanted = {leaf.place for leaf in found if leaf.types & (NUMBERS | {"boolean"})}
            assert wanted <= named, f"{verb} {path}: tests/unit/api/bodies.py lacks {sorted(wanted - named)}"


@every_body
def test_nothing_else_passes_for_a_number(filled: World, asked: Asked) -> None:
    wrongs: tuple[Any, ...] = (False, True, "0", "1", "1.5", [], {})
    for place, wrong in product(typed(asked, NUMBERS), wrongs):
        answer = sent(filled, asked, bodies.with_value(asked.body, place, wrong))
        assert answer.status == 400, f"{place}: {answer.status} {answer.text}"
        # A list where one number or a list may be is wrong in its items, or as a whole.
        where, param = place.replace("/", "."), str(answer.error["param"])
        assert where.startswith(param) or param.startswith(where), answer.text


@every_body
def test_nothing_else_passes_for_a_boolean(filled: World, asked: Asked) -> None:
    for place, wrong in product(typed(asked, {"boolean"}), (0, 1, 0.0, "true", "yes", "", "off")):
        answer = sent(filled, asked, bodies.with_value(asked.body, place, wrong))
        assert (answer.status, answer.error["param"]) == (400, place.replace("/", ".")), answer.text


@every_body
def test_no_number_passes_for_a_text_or_a_date(filled: World, asked: Asked) -> None:
    dates, wrongs = {"expires_at", "expires_on", "starts_on"}, (0, 1.5, 1_795_512_000, True, "0", "1795512000", "-1")
    for place, wrong in product(typed(asked, {"string"}), wrongs):
        if isinstance(wrong, str) and place.rsplit("/", 1)[-1] not in dates:
            continue
        answer = sent(filled, asked, bodies.with_value(asked.body, place, wrong))
        assert answer.status == 400, f"{place}: {answer.status} {answer.text}"


@every_body
def test_the_ends_of_what_json_can_write_are_taken_or_refused(filled: World, asked: Asked) -> None:
    far, near = ("1e400", "-1e400", "1e308", "9" * 400, "-1"), ("5e-324", "1e-131", "-0.0")
    for place, extreme in product(typed(asked, NUMBERS), far + near):
        text = str(bodies.with_value(asked.body, place, "EXTREME"))
        body = text.replace("'EXTREME'", extreme).replace("'", '"').replace("True", "true").replace("False", "false")
        answer = sent(filled, asked, body)
        # One that was taken can't be begun twice.
        allowed = (400,) if extreme in far else (200, 201, 202, 400, 409)
        assert answer.status in allowed, f"{place} as {extreme}: {answer.status} {answer.text}"


def test_an_integer_may_be_written_with_a_point_but_has_no_fraction(filled: World) -> None:
    asked = next(each for each in bodies.REQUESTS if each.path.endswith("/rotate"))
    assert sent(filled, asked, '{"overlap_seconds": 3600.0}').status == 200
    answer = sent(filled, asked, '{"overlap_seconds": 3600.5}')
    assert (answer.status, answer.error["param"]) == (400, "overlap_seconds")


@every_body
def test_every_number_has_a_floor_that_can_be_said_and_a_ceiling(asked: Asked) -> None:
    for leaf in described(asked):
        if leaf.types & NUMBERS:
            assert "minimum" in leaf.schema, f"{leaf.place} has no least value"
            assert "maximum" in leaf.schema, f"{leaf.place} has no greatest value"


def test_a_budget_that_dynamodb_has_no_number_for_is_refused(world: World) -> None:
    answer = world.call("POST", "/keys", '{"name": "ci", "usd_per_month": 5e-324}')
    assert (answer.status, answer.error["param"]) == (400, "usd_per_month")


@pytest.mark.parametrize(
    "body", ['{"name": "a", "name": "b"}', '{"name": "a", "requests_per_minute": 1, "requests_per_minute": 1}']
)
def test_a_field_that_is_there_twice_is_refused(world: World, body: str) -> None:
    answer = world.call("POST", "/keys", body)
    assert answer.status == 400
    assert "twice" in answer.error["message"]
    assert world.nothing_changed()
