"""``PATCH``, ``DELETE``, ``wake`` and ``sleep``."""

from dataclasses import replace
from typing import Any

import pytest

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Retryable, Superseded
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.routing.route import RouteState
from tests.builders import a_deployment, a_route, a_spec
from tests.fakes import FakeDeployments
from tests.unit.api.conftest import World

ARN = "arn:aws:states:us-east-1:123456789012:execution:scale:other"


@pytest.fixture
def serving(world: World) -> World:
    world.deployments.items["support-llama"] = a_deployment()
    world.routes.items["support-llama"] = a_route(state=RouteState.SATURATED, spill_share=0.5, version=4)
    return world


def test_a_patch_changes_the_record_and_the_route_but_not_what_was_seen_of_the_fleet(serving: World) -> None:
    patch = {
        "thresholds": {"cold_start_after_seconds": 5, "idle_after_seconds": 1800},
        "spill": {"model_id": "openai.gpt-oss-20b-1:0"},
        "budget": {"usd_per_month": 100},
    }
    answer = serving.call("PATCH", "/deployments/support-llama", patch)
    assert answer.status == 202
    assert answer.headers["Location"] == "/live/deployments/support-llama"
    assert answer.json["spec"]["thresholds"]["queue_depth_per_instance"] == 8.0
    spec = serving.deployments.items["support-llama"].spec
    assert (spec.thresholds.idle_after_seconds, spec.capacity.max) == (1800, 4)
    assert spec.budget is not None
    route = serving.routes.items["support-llama"]
    assert (route.first_byte_seconds, route.spill) == (5, BedrockTarget("openai.gpt-oss-20b-1:0", "openai"))
    assert (route.state, route.spill_share) == (RouteState.SATURATED, 0.5)
    assert serving.workflows.executions == {}


def test_the_log_of_texts_is_off_until_it_is_switched_on_for_one_deployment(serving: World) -> None:
    assert serving.call("GET", "/deployments/support-llama").json["spec"]["request_log"] == {"text": False}
    answer = serving.call("PATCH", "/deployments/support-llama", {"request_log": {"text": True}})
    assert (answer.status, answer.json["spec"]["request_log"]) == (202, {"text": True})
    assert serving.routes.items["support-llama"].logs_text is True
    serving.call("PATCH", "/deployments/support-llama", {"request_log": None})
    assert serving.routes.items["support-llama"].logs_text is False


def test_null_takes_a_field_back_to_its_default(serving: World) -> None:
    serving.call("PATCH", "/deployments/support-llama", {"capacity": {"max": None}, "spill": None})
    spec = serving.deployments.items["support-llama"].spec
    assert (spec.capacity.max, spec.spill) == (1, None)
    assert spec.capacity.instance_types == ("g6e.xlarge", "g5.2xlarge")
    assert serving.routes.items["support-llama"].spill is None


def test_the_cost_of_waiting_takes_the_place_of_a_spill_target(serving: World) -> None:
    waiting = {"thresholds": {"waiting_usd_per_request": 0.25}}
    answer = serving.call("PATCH", "/deployments/support-llama", waiting)
    assert (answer.status, answer.error["param"]) == (400, "thresholds.waiting_usd_per_request")
    assert "only without a spill target" in answer.error["message"]
    answer = serving.call("PATCH", "/deployments/support-llama", {**waiting, "spill": None})
    assert answer.status == 202
    assert answer.json["spec"]["thresholds"]["waiting_usd_per_request"] == 0.25
    answer = serving.call("POST", "/deployments/support-llama/sleep")
    assert answer.status == 202
    for usd in (0, -1, "much", 1e9):
        answer = serving.call("PATCH", "/deployments/support-llama", {"thresholds": {"waiting_usd_per_request": usd}})
        assert (answer.status, answer.error["param"]) == (400, "thresholds.waiting_usd_per_request")


@pytest.mark.parametrize(
    ("larger", "param"),
    [
        ({"instance_type": "p5.48xlarge", "tokens_per_minute_per_instance": 100}, "tokens_per_minute_per_instance"),
        ({"instance_type": "m7i.large", "tokens_per_minute_per_instance": 900}, "instance_type"),
        ({"instance_type": "p5.48xlarge", "tokens_per_minute_per_instance": 900, "max": 0}, "max"),
        ({"instance_type": "p5.48xlarge"}, "tokens_per_minute_per_instance"),
    ],
)
def test_larger_instances_must_be_larger_and_exist(serving: World, larger: dict[str, Any], param: str) -> None:
    patch = {"capacity": {"tokens_per_minute_per_instance": 100, "larger": larger}}
    answer = serving.call("PATCH", "/deployments/support-llama", patch)
    assert (answer.status, answer.error["param"]) == (400, f"capacity.larger.{param}")
    good = {"instance_type": "p5.48xlarge", "tokens_per_minute_per_instance": 900}
    answer = serving.call("PATCH", "/deployments/support-llama", {"capacity": {**patch["capacity"], "larger": good}})
    assert (answer.status, answer.json["spec"]["capacity"]["larger"]) == (202, {**good, "max": 1})


def test_a_patch_that_changes_nothing_writes_nothing(serving: World) -> None:
    answer = serving.call("PATCH", "/deployments/support-llama", {"capacity": {"max": 4}, "name": "support-llama"})
    assert answer.status == 202
    assert serving.deployments.items["support-llama"].version == 1


@pytest.mark.parametrize(
    ("patch", "param"),
    [
        ({"name": "another"}, "name"),
        ({"model": {"id": "Qwen/Qwen3-8B"}}, "model.id"),
        ({"path": "bedrock"}, "path"),
        ({"engine": {"max_model_len": 4096}}, "engine.max_model_len"),
        ({"engine": {"tool_call_parser": "hermes"}}, "engine.tool_call_parser"),
        ({"engine": {"args": {"max-num-seqs": 8}}}, "engine.args.max-num-seqs"),
        ({"engine": None}, "engine"),
    ],
)
def test_what_cannot_change_says_why(serving: World, patch: dict[str, Any], param: str) -> None:
    answer = serving.call("PATCH", "/deployments/support-llama", patch)
    assert answer.status == 400
    assert answer.error["param"] == param
    assert "cannot be changed, because" in answer.error["message"]
    assert answer.error["allowed"] == ["capacity", "thresholds", "spill", "budget", "request_log"]
    assert serving.deployments.items["support-llama"].version == 1


def test_a_fleet_that_was_started_without_parsers_stays_so(serving: World) -> None:
    before = serving.deployments.items["support-llama"].spec.engine
    assert before.tool_call_parser is None
    answer = serving.call("PATCH", "/deployments/support-llama", {"capacity": {"max": 5}})
    assert answer.status == 202
    assert answer.json["spec"]["engine"]["tool_call_parser"] is None
    assert serving.deployments.items["support-llama"].spec.engine == before


@pytest.mark.parametrize(
    ("patch", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"capacity": {"min": 9}}, "capacity.min"),
        ({"capacity": {"instance_types": ["g9000.huge"]}}, "capacity.instance_types.0"),
        ({"capacity": 4}, "capacity"),
        ({"thresholds": {"idle_after_seconds": "soon"}}, "thresholds.idle_after_seconds"),
    ],
)
def test_a_patch_to_an_invalid_spec_is_rejected(serving: World, patch: dict[str, Any], param: str) -> None:
    answer = serving.call("PATCH", "/deployments/support-llama", patch)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert serving.deployments.items["support-llama"].version == 1


ENDPOINT = a_deployment(spec=a_spec(path="jumpstart", capacity={"max": 2}), desired=2, resources={"max_instances": "3"})


@pytest.mark.parametrize(
    ("capacity", "param"),
    [
        ({"max": 1}, None),
        # It was made for three, and lowered since.
        ({"max": 3}, None),
        ({"max": 4}, "capacity.max"),
        ({"instance_types": ["ml.g5.2xlarge"]}, "capacity.instance_types"),
    ],
)
def test_an_endpoint_stays_within_what_it_was_made_for(
    serving: World, capacity: dict[str, Any], param: str | None
) -> None:
    serving.deployments.items["support-llama"] = ENDPOINT
    answer = serving.call("PATCH", "/deployments/support-llama", {"capacity": capacity})
    if param is None:
        assert answer.status == 202
        return
    assert (answer.status, answer.error["param"]) == (400, param)
    assert "fixed at creation" in answer.error["message"]
    assert serving.deployments.items["support-llama"] == ENDPOINT


def test_the_maximum_of_an_endpoint_that_is_not_made_yet_is_that_of_its_spec(serving: World) -> None:
    serving.deployments.items["support-llama"] = replace(ENDPOINT, resources={}, status=Status.REQUESTED)
    assert serving.call("PATCH", "/deployments/support-llama", {"capacity": {"max": 3}}).status == 400


@pytest.mark.parametrize(
    "body", ["[]", "null", "7", "{", pytest.param('{"capacity":' * 950 + "1" + "}" * 950, id="deep object")]
)
def test_a_patch_that_is_no_object_is_rejected(serving: World, body: str) -> None:
    assert serving.call("PATCH", "/deployments/support-llama", body).status == 400


@pytest.mark.parametrize(
    ("status", "desired", "capacity", "wanted", "verb"),
    [
        (Status.SERVING, 4, {"max": 2}, 2, "scale"),
        (Status.SERVING, 1, {"min": 3}, 3, "scale"),
        (Status.ASLEEP, 0, {"min": 1}, 1, "wake"),
        (Status.SERVING, 2, {"max": 3}, None, ""),
        (Status.ASLEEP, 0, {"max": 3}, None, ""),
        (Status.WAKING, 1, {"min": 2}, None, ""),
        (Status.PROVISIONING, 1, {"min": 2}, None, ""),
    ],
)
def test_capacity_outside_the_new_bounds_is_brought_inside(
    serving: World, status: Status, desired: int, capacity: dict[str, int], wanted: int | None, verb: str
) -> None:
    serving.deployments.items["support-llama"] = a_deployment(status=status, desired=desired)
    answer = serving.call("PATCH", "/deployments/support-llama", {"capacity": capacity})
    assert answer.status == 202
    if wanted is None:
        assert serving.workflows.executions == {}
        return
    (started,) = serving.workflows.executions.items()
    assert started[0] == ("scale", f"support-llama-{verb}-2")
    assert (started[1]["desired"], started[1]["reason"]["code"]) == (wanted, "out_of_bounds")


def test_a_scale_that_cannot_be_started_is_left_to_the_check(serving: World) -> None:
    serving.workflows.failure = Retryable("throttled")
    assert serving.call("PATCH", "/deployments/support-llama", {"capacity": {"min": 3}}).status == 202
    assert serving.deployments.items["support-llama"].spec.capacity.min == 3


@pytest.mark.parametrize("status", [Status.FAILED, Status.RETIRING, Status.RETIRED])
def test_what_is_over_cannot_be_changed(serving: World, status: Status) -> None:
    serving.deployments.items["support-llama"] = a_deployment(status=status)
    answer = serving.call("PATCH", "/deployments/support-llama", {"capacity": {"max": 2}})
    assert answer.status == 409
    assert status in answer.error["message"]


class Contended(FakeDeployments):
    """Somebody else writes just before each of the first ``losses`` updates."""

    def __init__(self, losses: int) -> None:
        super().__init__(a_deployment())
        self.losses = losses

    def update(self, deployment: Deployment) -> Deployment:
        if self.losses:
            self.losses -= 1
            super().update(self.get(deployment.name))
            raise Superseded("changed")
        return super().update(deployment)


@pytest.mark.parametrize(("losses", "status"), [(2, 202), (3, 409)])
def test_a_change_at_the_same_moment_is_tried_again(world: World, losses: int, status: int) -> None:
    world.deployments = Contended(losses)
    assert world.call("PATCH", "/deployments/support-llama", {"capacity": {"max": 2}}).status == status


@pytest.mark.parametrize("status", [status for status in Status if status not in (Status.RETIRING, Status.RETIRED)])
def test_every_living_deployment_can_be_retired(serving: World, status: Status) -> None:
    serving.deployments.items["support-llama"] = a_deployment(status=status, version=7)
    answer = serving.call("DELETE", "/deployments/support-llama")
    assert answer.status == 202
    assert serving.workflows.executions == {
        ("retire", "support-llama-retire-7"): {"deployment": "support-llama", "path": "fleet"}
    }


def test_a_deployment_being_retired_is_a_conflict_and_a_retired_one_is_not_found(serving: World) -> None:
    serving.deployments.items["support-llama"] = a_deployment(status=Status.RETIRING, workflow=ARN)
    assert serving.call("DELETE", "/deployments/support-llama").status == 409
    serving.deployments.items["support-llama"] = a_deployment(status=Status.RETIRED)
    assert serving.call("DELETE", "/deployments/support-llama").status == 404
    assert serving.workflows.executions == {}


def test_a_retirement_that_failed_can_be_started_again(serving: World) -> None:
    serving.deployments.items["support-llama"] = a_deployment(status=Status.RETIRING, workflow=None)
    assert serving.call("DELETE", "/deployments/support-llama").status == 202


def test_waking_starts_one_workflow_however_often_it_is_asked(serving: World) -> None:
    serving.deployments.items["support-llama"] = a_deployment(status=Status.ASLEEP, desired=0, version=5)
    for _ in range(3):
        answer = serving.call("POST", "/deployments/support-llama/wake")
        assert answer.status == 202
        assert answer.json["workflow"].endswith("support-llama-wake-5")
    (started,) = serving.workflows.started("scale")
    assert (started["desired"], started["path"], started["reason"]["code"]) == (1, "fleet", "asked")


def test_sleeping_asks_for_no_instances(serving: World) -> None:
    assert serving.call("POST", "/deployments/support-llama/sleep").status == 202
    (started,) = serving.workflows.started("scale")
    assert started["desired"] == 0


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        (verb, status)
        for verb, possible in (("wake", Status.ASLEEP), ("sleep", Status.SERVING))
        for status in Status
        if status not in (possible, Status.RETIRED)
    ],
)
def test_a_move_that_is_not_possible_says_the_present_status(serving: World, verb: str, status: Status) -> None:
    serving.deployments.items["support-llama"] = a_deployment(status=status)
    answer = serving.call("POST", f"/deployments/support-llama/{verb}")
    assert answer.status == 409
    assert status in answer.error["message"]
    assert serving.workflows.executions == {}


@pytest.mark.parametrize(
    "spec",
    [a_spec(capacity={"min": 1}), a_spec(spill=None), a_spec(path="bedrock")],
    ids=["a minimum", "no spill target", "bedrock"],
)
def test_what_must_stay_up_does_not_sleep(serving: World, spec: Any) -> None:
    serving.deployments.items["support-llama"] = a_deployment(spec=spec)
    assert serving.call("POST", "/deployments/support-llama/sleep").status == 409
    assert serving.workflows.executions == {}
