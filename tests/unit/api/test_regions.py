"""How Bedrock's models are called, and which regions may answer: settled by ``POST`` and ``PATCH``, told and kept."""

from typing import Any

import pytest

from spillway.domain.paths.bedrock_models import CalledModel
from spillway.domain.paths.targets import BedrockTarget
from tests.builders import SPILL_MODEL, spec_body
from tests.unit.api.conftest import World

PROFILE = "us.meta.llama3-3-70b-instruct-v1:0"
US = ("us-east-1", "us-east-2", "us-west-2")
ON_PROFILE = CalledModel(PROFILE, PROFILE.removeprefix("us."), US)


def test_a_profile_names_its_regions_at_once_and_later(world: World) -> None:
    world.catalog.called = {PROFILE: ON_PROFILE}
    made = world.call("POST", "/deployments", {"name": "catalog", "model": {"id": PROFILE}, "path": "bedrock"})
    assert made.json["serves_in"] == {PROFILE: list(US)}
    world.catalog.called = {}
    assert world.call("GET", "/deployments/catalog").json["serves_in"] == {PROFILE: list(US)}
    (listed,) = world.call("GET", "/deployments").json["items"]
    assert listed["serves_in"] == {PROFILE: list(US)}


def test_a_spill_target_names_its_own_and_a_changed_one_the_new_ones(world: World) -> None:
    world.catalog.called = {PROFILE: ON_PROFILE, SPILL_MODEL: CalledModel(SPILL_MODEL, SPILL_MODEL, ("us-east-1",))}
    assert world.call("POST", "/deployments", spec_body()).json["serves_in"] == {SPILL_MODEL: ["us-east-1"]}
    patch = {"spill": {"model_id": PROFILE}}
    rehearsed = world.call("PATCH", "/deployments/support-llama?dry_run=true", patch)
    assert rehearsed.json["serves_in"] == {PROFILE: list(US)}
    changed = world.call("PATCH", "/deployments/support-llama", patch)
    assert changed.json["serves_in"] == {PROFILE: list(US)}
    world.catalog.called = {}
    # Another change asks nobody again.
    other = world.call("PATCH", "/deployments/support-llama", {"capacity": {"max": 5}})
    assert other.json["serves_in"] == {PROFILE: list(US)}
    assert world.call("PATCH", "/deployments/support-llama", {"spill": None}).json["serves_in"] == {}


def test_regions_that_bedrock_does_not_name_are_unknown_and_keep_nobody_from_deploying(world: World) -> None:
    made = world.call("POST", "/deployments", spec_body())
    assert (made.status, made.json["serves_in"]) == (202, {SPILL_MODEL: None})
    assert world.call("GET", "/deployments/support-llama").json["serves_in"] == {SPILL_MODEL: None}


def test_a_fleet_without_a_spill_target_has_none_to_name(world: World) -> None:
    assert world.call("POST", "/deployments", spec_body(spill=None)).json["serves_in"] == {}


def test_the_spill_target_is_called_by_the_profile_that_it_needs(world: World) -> None:
    world.catalog.called = {SPILL_MODEL: CalledModel(f"us.{SPILL_MODEL}", SPILL_MODEL, US)}
    made = world.call("POST", "/deployments", spec_body())
    assert made.json["serves_in"] == {f"us.{SPILL_MODEL}": list(US)}
    assert made.json["spec"]["spill"]["model_id"] == SPILL_MODEL
    route = world.routes.get("support-llama")
    assert route is not None
    assert route.spill == BedrockTarget(f"us.{SPILL_MODEL}", "converse")


UNKNOWN = {
    "the spill target": (spec_body(spill={"model_id": "meta.lama3"}), "spill.model_id"),
    "a model on Bedrock": ({"name": "a-model", "model": {"id": "meta.lama3"}, "path": "bedrock"}, "model.id"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_id_that_bedrock_does_not_have_is_refused_with_those_that_are_near(world: World, case: str) -> None:
    body, param = UNKNOWN[case]
    world.catalog.unknown = {"meta.lama3": ["meta.llama3-3-70b-instruct-v1:0"]}
    answer = world.call("POST", "/deployments", body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert answer.error["allowed"] == ["meta.llama3-3-70b-instruct-v1:0"]
    assert world.call("GET", f"/deployments/{body['name']}").status == 404
    rehearsed = world.call("POST", "/deployments?dry_run=true", body)
    assert (rehearsed.status, rehearsed.json["ok"]) == (200, False)
    told: dict[str, Any] = rehearsed.json["problems"][-1]
    assert (told["param"], told["allowed"]) == (param, ["meta.llama3-3-70b-instruct-v1:0"])


def test_an_unknown_id_changes_nothing_of_what_serves(world: World) -> None:
    world.call("POST", "/deployments", spec_body())
    world.catalog.unknown = {"meta.lama3": []}
    answer = world.call("PATCH", "/deployments/support-llama", {"spill": {"model_id": "meta.lama3"}})
    assert (answer.status, answer.error["param"]) == (400, "spill.model_id")
    stands = world.call("GET", "/deployments/support-llama").json["spec"]["spill"]["model_id"]
    assert stands == SPILL_MODEL
