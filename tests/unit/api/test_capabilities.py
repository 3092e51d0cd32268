"""What the targets can do is told before anything is made, and later."""

from tests.builders import spec_body
from tests.unit.api.conftest import World

SYSTEMLESS = "mistral.mixtral-8x7b-instruct-v0:1"


def test_what_is_not_shared_is_told_by_a_dry_run_and_at_once_and_later(world: World) -> None:
    rehearsed = world.call("POST", "/deployments?dry_run=true", spec_body()).json["capabilities"]
    assert "logprobs" in rehearsed["not_shared"]
    assert "tool_choice" not in rehearsed["not_shared"]
    assert rehearsed["primary"]["abilities"]["logprobs"] == "yes"
    assert rehearsed["spill"]["abilities"] == rehearsed["spill"]["abilities"] | {
        "logprobs": "no",
        "several_choices": "emulated",
        "tool_choice": "emulated",
    }
    assert world.call("POST", "/deployments", spec_body()).json["capabilities"] == rehearsed
    assert world.call("GET", "/deployments/support-llama").json["capabilities"] == rehearsed
    assert world.call("GET", "/deployments").json["items"][0]["capabilities"] == rehearsed


def test_another_spill_target_has_another_card(world: World) -> None:
    world.call("POST", "/deployments", spec_body())
    patch = {"spill": {"model_id": SYSTEMLESS}}
    rehearsed = world.call("PATCH", "/deployments/support-llama?dry_run=true", patch).json["capabilities"]
    assert rehearsed["spill"]["abilities"]["system_prompts"] == "no"
    changed = world.call("PATCH", "/deployments/support-llama", patch).json["capabilities"]
    assert changed == rehearsed
    alone = world.call("PATCH", "/deployments/support-llama", {"spill": None}).json["capabilities"]
    assert (alone["spill"], alone["not_shared"]) == (None, [])
