"""``?dry_run=true``: what a call would do, with nothing done."""

import copy
from typing import Any

import pytest

from spillway.domain.deployments.findings import Findings, Problem
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Retryable, TimedOut
from tests.builders import MODEL, SPILL_MODEL, a_deployment, a_route, spec_body
from tests.unit.api.conftest import Answer, World

NAME = "support-llama"
QUOTA = Problem("4 x g6e.xlarge need 16 vCPUs, and the on-demand quota is 0", "capacity_unavailable")


def stored(world: World) -> dict[str, Any]:
    """Everything that a call could have written."""
    kept = (world.deployments, world.routes, world.keys, world.benchmarks, world.decisions, world.usage)
    return copy.deepcopy({str(number): vars(each) for number, each in enumerate(kept)})


def dry(world: World, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    """Make a dry run, and see that nothing is made, started or kept by it."""
    before, answered = stored(world), dict(world.once.__dict__)
    answer = world.call(method, f"{path}?dry_run=true", body, **more)
    assert stored(world) == before
    assert world.workflows.executions == {}
    assert world.once.__dict__ == answered
    return answer


@pytest.fixture
def serving(world: World) -> World:
    world.deployments.items[NAME] = a_deployment()
    world.routes.items[NAME] = a_route()
    return world


def test_a_post_says_what_would_be_made_of_which_spec_at_which_price(world: World) -> None:
    world.rehearsals.findings["fleet"] = Findings((), ("Auto Scaling group spillway-support-llama",))
    answer = dry(world, "POST", "/deployments", spec_body(capacity={"min": 2, "max": 4}))
    assert answer.status == 200, answer.text
    shown = answer.json
    assert (shown["dry_run"], shown["would"], shown["ok"], shown["problems"]) == (True, "create", True, [])
    # Every default, as the record would have it.
    assert shown["spec"] == world.call("POST", "/deployments", spec_body(capacity={"min": 2, "max": 4})).json["spec"]
    assert (shown["workflow"], shown["desired"], shown["changes"]) == ("deploy", 2, [])
    assert shown["resources"] == ["Auto Scaling group spillway-support-llama"]
    price = shown["price"]
    assert price["usd_per_hour_at_least"] == pytest.approx(2 * price["usd_per_hour_per_instance"])
    assert price["usd_per_hour_at_most"] == pytest.approx(4 * price["usd_per_hour_per_instance"])


def test_on_bedrock_the_price_is_that_of_tokens(world: World) -> None:
    price = dry(world, "POST", "/deployments", {"name": "catalog", "model": {"id": MODEL}, "path": "bedrock"}).json[
        "price"
    ]
    assert (price["usd_per_million_prompt_tokens"], price["usd_per_hour_per_instance"]) == (0.22, None)


def test_a_price_that_is_unknown_is_shown_as_unknown(world: World) -> None:
    spot = spec_body(capacity={"market": "spot"})
    assert dry(world, "POST", "/deployments", spot).json["price"] is None


def test_what_the_drivers_find_is_told_in_the_shape_of_errors_and_the_spill_target_is_looked_at_too(
    world: World,
) -> None:
    missing = Problem("Bedrock has no model 'x'", "invalid_request", "model.id", ("a",))
    world.rehearsals.findings = {"fleet": Findings((QUOTA,), ()), "bedrock": Findings((missing,), ())}
    shown = dry(world, "POST", "/deployments", spec_body()).json
    assert shown["ok"] is False
    assert shown["problems"] == [
        {"message": QUOTA.message, "param": None, "code": "capacity_unavailable", "allowed": None},
        {"message": missing.message, "param": "spill.model_id", "code": "invalid_request", "allowed": ["a"]},
    ]
    assert [(spec.path, spec.model.id) for spec in world.rehearsals.asked] == [
        ("fleet", MODEL),
        ("bedrock", SPILL_MODEL),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/deployments", spec_body(capacity={"max": 0})),
        ("POST", "/deployments", spec_body(capacity={"instance_types": ["g9000.huge"]})),
        ("POST", "/deployments", spec_body()),
        ("PATCH", f"/deployments/{NAME}", {"name": "another"}),
        ("PATCH", f"/deployments/{NAME}", {"capacity": {"max": 0}}),
        ("PATCH", "/deployments/nobody", {"capacity": {"max": 2}}),
        ("DELETE", "/deployments/nobody", None),
    ],
)
def test_what_the_call_refuses_its_dry_run_refuses_in_the_same_words(
    serving: World, method: str, path: str, body: Any
) -> None:
    refused = dry(serving, method, path, body)
    assert (refused.status, refused.error) == (lambda real: (real.status, real.error))(serving.call(method, path, body))
    assert refused.status in (400, 404, 409)
    assert serving.rehearsals.asked == []


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("method", "body"), [("PATCH", {"capacity": {"max": 2}}), ("DELETE", None)])
def test_a_state_that_forbids_the_call_forbids_its_dry_run(
    world: World, status: Status, method: str, body: Any
) -> None:
    world.deployments.items[NAME] = a_deployment(status=status)
    world.routes.items[NAME] = a_route()
    rehearsed = dry(world, method, f"/deployments/{NAME}", body)
    real = world.call(method, f"/deployments/{NAME}", body)
    assert (rehearsed.status == 200) is (real.status == 202), f"{rehearsed.text} {real.text}"


def test_a_retired_name_is_free_and_a_failed_one_is_not(world: World) -> None:
    world.deployments.items[NAME] = a_deployment(status=Status.RETIRED)
    assert dry(world, "POST", "/deployments", spec_body()).status == 200
    world.deployments.items[NAME] = a_deployment(status=Status.FAILED)
    assert dry(world, "POST", "/deployments", spec_body()).error["code"] == "name_in_use"


def test_a_patch_says_what_would_change_and_whether_instances_would(serving: World) -> None:
    patch = {"capacity": {"min": 3, "max": 6}, "budget": {"usd_per_month": 100}}
    shown = dry(serving, "PATCH", f"/deployments/{NAME}", patch).json
    assert shown["would"] == "change"
    changes = {each["field"]: (each["before"], each["after"]) for each in shown["changes"]}
    assert changes["capacity.max"] == (4, 6)
    assert changes["capacity.min"] == (0, 3)
    assert changes["budget.usd_per_month"] == (None, 100.0)
    assert changes.keys() == {"capacity.min", "capacity.max", "budget.usd_per_month", "budget.alert_at"}
    assert (shown["workflow"], shown["desired"]) == ("scale", 3)
    assert serving.call("PATCH", f"/deployments/{NAME}", patch).json["spec"] == shown["spec"]
    assert serving.workflows.started("scale")[0]["desired"] == 3


def test_a_patch_that_changes_nothing_says_so(serving: World) -> None:
    shown = dry(serving, "PATCH", f"/deployments/{NAME}", {"capacity": {"max": 4}}).json
    assert (shown["changes"], shown["workflow"], shown["desired"]) == ([], None, 1)


def test_a_delete_says_what_would_be_released(serving: World) -> None:
    serving.rehearsals.findings["fleet"] = Findings((QUOTA,), ("Auto Scaling group spillway-support-llama",))
    shown = dry(serving, "DELETE", f"/deployments/{NAME}").json
    assert (shown["would"], shown["workflow"], shown["desired"]) == ("retire", "retire", 0)
    assert shown["resources"] == ["Auto Scaling group spillway-support-llama"]
    # What would keep it from being made does not keep it from ending.
    assert (shown["ok"], shown["price"]) == (True, None)


def test_an_idempotency_key_is_not_used_up(world: World) -> None:
    headers = {"Idempotency-Key": "again-1"}
    assert dry(world, "POST", "/deployments", spec_body(), headers=headers).status == 200
    assert world.call("POST", "/deployments", spec_body(name="other"), headers=headers).status == 202


def test_checks_that_take_too_long_are_a_time_out_and_those_that_aws_refuses_unavailable(world: World) -> None:
    world.rehearsals.failure = TimedOut("the checks of path fleet took longer than 12 s")
    late = dry(world, "POST", "/deployments", spec_body())
    assert (late.status, late.error["code"]) == (504, "timed_out")
    assert "longer than 12 s" in late.error["message"]
    world.rehearsals.failure = Retryable("ThrottlingException: slow down")
    refused = dry(world, "POST", "/deployments", spec_body())
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("value", ["false", "0"])
def test_false_is_a_call_in_earnest(world: World, value: str) -> None:
    assert world.call("POST", f"/deployments?dry_run={value}", spec_body()).status == 202


@pytest.mark.parametrize("value", ["", "maybe", "2"])
def test_what_is_neither_true_nor_false_does_nothing(world: World, value: str) -> None:
    answer = world.call("POST", f"/deployments?dry_run={value}", spec_body())
    assert (answer.status, answer.error["param"]) == (400, "dry_run")
    assert world.nothing_changed()
