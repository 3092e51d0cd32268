"""Which regions may answer is told in the answer to ``POST``, and kept."""

from tests.builders import SPILL_MODEL, spec_body
from tests.unit.api.conftest import World

PROFILE = "us.meta.llama3-3-70b-instruct-v1:0"
US = ("us-east-1", "us-east-2", "us-west-2")


def test_a_profile_names_its_regions_at_once_and_later(world: World) -> None:
    world.regions.regions = {PROFILE: US}
    made = world.call("POST", "/deployments", {"name": "catalog", "model": {"id": PROFILE}, "path": "bedrock"})
    assert made.json["serves_in"] == {PROFILE: list(US)}
    world.regions.regions = {}
    assert world.call("GET", "/deployments/catalog").json["serves_in"] == {PROFILE: list(US)}
    (listed,) = world.call("GET", "/deployments").json["items"]
    assert listed["serves_in"] == {PROFILE: list(US)}


def test_a_spill_target_names_its_own_and_a_changed_one_the_new_ones(world: World) -> None:
    world.regions.regions = {PROFILE: US, SPILL_MODEL: ("us-east-1",)}
    assert world.call("POST", "/deployments", spec_body()).json["serves_in"] == {SPILL_MODEL: ["us-east-1"]}
    patch = {"spill": {"model_id": PROFILE}}
    rehearsed = world.call("PATCH", "/deployments/support-llama?dry_run=true", patch)
    assert rehearsed.json["serves_in"] == {PROFILE: list(US)}
    changed = world.call("PATCH", "/deployments/support-llama", patch)
    assert changed.json["serves_in"] == {PROFILE: list(US)}
    world.regions.regions = {}
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
