"""Which route follows from a deployment's state, and where a request goes by it."""

from typing import Any

import pytest

from spillway.domain.capabilities.card import UNKNOWN
from spillway.domain.capabilities.deployment_cards import cards_of
from spillway.domain.decision import Code
from spillway.domain.deployments.status import Status
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load
from spillway.domain.paths.bedrock_models import CalledModel
from spillway.domain.paths.targets import BedrockApi, BedrockTarget, billed_model
from spillway.domain.routing.route import Plan, RouteState, plan, route_from_json, route_to_json
from spillway.domain.routing.route_for_status import (
    is_still_lost,
    may_replace,
    retry_after_seconds,
    route_of,
    spill_target,
)
from tests.builders import NOW, SPILL_MODEL, a_capacity, a_deployment, a_route, a_spec

STATES = {
    Status.REQUESTED: (RouteState.WARMING, Code.REQUESTED),
    Status.PROVISIONING: (RouteState.WARMING, Code.STARTING),
    Status.WARMING: (RouteState.WARMING, Code.STARTING),
    Status.SERVING: (RouteState.READY, Code.READY),
    Status.DRAINING: (RouteState.DRAINING, Code.DRAINING),
    Status.ASLEEP: (RouteState.COLD, Code.ASLEEP),
    Status.WAKING: (RouteState.WARMING, Code.STARTING),
    Status.FAILED: (RouteState.FAILED, Code.DEPLOY_FAILED),
    Status.RETIRING: (RouteState.DRAINING, Code.RETIRED),
    Status.RETIRED: (RouteState.DRAINING, Code.RETIRED),
}


def test_every_status_has_a_route() -> None:
    assert STATES.keys() == set(Status)


@pytest.mark.parametrize("status", STATES)
def test_the_state_follows_the_status(status: Status) -> None:
    state, code = STATES[status]
    route = route_of(a_deployment(status=status, version=7))
    assert (route.state, route.code, route.spill_share, route.deployment_version) == (state, code, 0.0, 7)


@pytest.mark.parametrize(
    ("capacity", "load", "state", "share"),
    [
        (a_capacity(1), Load(), RouteState.READY, 0.0),
        (a_capacity(1), Load(waiting=8.0), RouteState.READY, 0.0),
        (a_capacity(1), Load(waiting=10.0), RouteState.SATURATED, 0.2),
        (a_capacity(2), Load(waiting=16.0), RouteState.READY, 0.0),
        (a_capacity(2), Load(waiting=32.0), RouteState.SATURATED, 0.5),
        (a_capacity(0, starting=1), Load(waiting=32.0), RouteState.WARMING, 0.0),
        (Capacity(), Load(), RouteState.WARMING, 0.0),
        (None, Load(waiting=32.0), RouteState.READY, 0.0),
        # A short queue doesn't move while the fullest instance has no room for one more.
        (a_capacity(2), Load(running=30.0, waiting=2.0, kv_cache_use=0.95), RouteState.SATURATED, 0.06),
        (a_capacity(2), Load(running=30.0, waiting=2.0, kv_cache_use=0.94), RouteState.READY, 0.0),
        (a_capacity(2), Load(running=30.0, waiting=0.0, kv_cache_use=1.0), RouteState.READY, 0.0),
        # The queue's own share is the larger one.
        (a_capacity(1), Load(running=30.0, waiting=16.0, kv_cache_use=1.0), RouteState.SATURATED, 0.5),
    ],
)
def test_a_serving_deployment_is_routed_by_what_was_seen(
    capacity: Capacity | None, load: Load, state: RouteState, share: float
) -> None:
    route = route_of(a_deployment(), capacity, load)
    assert (route.state, route.spill_share) == (state, share)


def test_a_route_carries_what_the_gateway_needs_to_know() -> None:
    spec = a_spec(thresholds={"cold_start_after_seconds": 1.5}, engine={"max_model_len": 4096})
    route = route_of(a_deployment(spec=spec, cold_start_seconds=211.2), version=3)
    assert (route.first_byte_seconds, route.retry_after_seconds, route.context_length) == (1.5, 212, 4096)
    assert (route.version, route.wakes) == (3, True)
    assert route.spill == BedrockTarget(SPILL_MODEL, "converse")
    cards = cards_of(spec)
    assert (route.primary_card, route.spill_card) == (cards.primary, cards.spill)
    assert [choice.card for choice in route.choices()] == [cards.primary, cards.spill]


def test_a_route_of_a_version_without_cards_is_read_as_one_that_knows_nothing() -> None:
    stored = route_to_json(route_of(a_deployment()))
    assert route_from_json(stored) == route_of(a_deployment())
    del stored["primary_card"], stored["spill_card"]
    assert {choice.card for choice in route_from_json(stored).choices()} == {UNKNOWN}


@pytest.mark.parametrize(("path", "wakes", "length"), [("jumpstart", True, None), ("bedrock", False, None)])
def test_what_has_no_instances_is_not_woken(path: str, wakes: bool, length: int | None) -> None:
    route = route_of(a_deployment(spec=a_spec(path=path)))
    assert (route.wakes, route.context_length) == (wakes, length)


def spill_of(model_id: str, called: CalledModel | None = None, **changes: Any) -> BedrockTarget | None:
    spec = a_spec(spill={"model_id": model_id, **changes})
    return spill_target(a_deployment(spec=spec, called={model_id: called}))


def test_the_users_choice_of_api_wins_over_the_models_own() -> None:
    assert spill_of(SPILL_MODEL, api="openai") == BedrockTarget(SPILL_MODEL, "openai")
    assert spill_target(a_deployment(spec=a_spec(spill=None))) is None


@pytest.mark.parametrize(
    ("model_id", "api"),
    [
        ("openai.gpt-oss-20b-1:0", "openai"),
        ("mistral.mistral-large-3-675b-instruct", "openai"),
        ("deepseek.v3.2", "openai"),
        ("mistral.mixtral-8x7b-instruct-v0:1", "converse"),
        ("deepseek.r1-v1:0", "converse"),
        ("moonshot.kimi-k2-thinking", "converse"),
        ("us.meta.llama4-scout-17b-instruct-v1:0", "converse"),
        ("mistral.nobody-knows-it-yet", None),
    ],
)
def test_the_api_is_the_models_not_its_providers(model_id: str, api: BedrockApi | None) -> None:
    assert spill_of(model_id) == BedrockTarget(model_id, api)


def test_a_model_is_called_by_the_profile_that_the_catalog_named() -> None:
    profile = CalledModel(f"us.{SPILL_MODEL}", SPILL_MODEL, ("us-east-1", "us-west-2"))
    target = spill_of(SPILL_MODEL, profile)
    assert target == BedrockTarget(f"us.{SPILL_MODEL}", "converse")
    assert a_deployment(called={SPILL_MODEL: profile}).spill_model == billed_model(target)


def test_an_application_profile_is_what_its_model_is() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"
    called = CalledModel(arn, "openai.gpt-oss-20b-1:0", ("us-east-1",))
    target = spill_of(arn, called)
    assert target == BedrockTarget(arn, "openai", "openai.gpt-oss-20b-1:0")
    assert billed_model(target) == "openai.gpt-oss-20b-1:0"
    deployment = a_deployment(spec=a_spec(spill={"model_id": arn}), called={arn: called})
    assert deployment.spill_model == "openai.gpt-oss-20b-1:0"


def test_a_start_that_was_never_measured_is_told_from_the_published_ones() -> None:
    assert retry_after_seconds(a_deployment(cold_start_seconds=None)) == 300


@pytest.mark.parametrize(("seen", "may"), [(4, False), (5, True), (6, True)])
def test_a_record_read_before_a_workflow_moved_it_may_not_replace_the_workflows_route(seen: int, may: bool) -> None:
    assert may_replace(a_route(deployment_version=5), a_deployment(version=seen)) is may


def roles(chosen: Plan) -> list[str]:
    return [choice.role for choice in chosen.choices]


@pytest.mark.parametrize(
    ("state", "order", "wake"),
    [
        (RouteState.READY, ["primary", "spill"], False),
        (RouteState.COLD, ["spill"], True),
        (RouteState.WARMING, ["spill"], False),
        (RouteState.DRAINING, ["spill"], False),
        (RouteState.FAILED, ["spill"], False),
    ],
)
def test_a_request_goes_by_the_routes_state(state: RouteState, order: list[str], wake: bool) -> None:
    chosen = plan(a_route(state=state), 0.0)
    assert (roles(chosen), chosen.wake) == (order, wake)


@pytest.mark.parametrize(
    ("draw", "order"),
    [
        (0.0, ["spill", "primary"]),
        (0.24, ["spill", "primary"]),
        (0.25, ["primary", "spill"]),
        (0.99, ["primary", "spill"]),
    ],
)
def test_a_saturated_primary_gives_away_its_share(draw: float, order: list[str]) -> None:
    assert roles(plan(a_route(state=RouteState.SATURATED, spill_share=0.25), draw)) == order


def test_targets_that_are_missing_are_left_out() -> None:
    assert roles(plan(a_route(spill=None), 0.0)) == ["primary"]
    assert roles(plan(a_route(primary=None), 0.0)) == ["spill"]
    asleep = plan(a_route(state=RouteState.COLD, spill=None), 0.0)
    assert (asleep.choices, asleep.wake) == ((), True)
    assert not plan(a_route(state=RouteState.COLD, wakes=False), 0.0).wake


@pytest.mark.parametrize(
    ("ready", "desired", "seconds_left", "lost"),
    [
        # AWS has said that it takes the only instance, which is still there.
        (1, 1, 1, True),
        (1, 1, 0, False),
        # It has gone, so whatever comes next is its replacement.
        (0, 1, 100, False),
        # Its replacement stands beside it.
        (2, 1, 100, False),
        # A second one was asked for meanwhile, and the workflow that waits for it will say so.
        (2, 2, 100, True),
    ],
)
def test_a_notice_counts_more_than_what_is_seen_until_it_has_run_out_or_a_replacement_is_proved(
    ready: int, desired: int, seconds_left: int, lost: bool
) -> None:
    route = a_route(state=RouteState.WARMING, lost_until=int(NOW.timestamp()) + seconds_left)
    assert is_still_lost(route, a_deployment(desired=desired), a_capacity(ready), NOW) is lost


def test_a_route_written_by_a_newer_version_can_be_read() -> None:
    route = a_route(version=3)
    assert route_from_json({**route_to_json(route), "colour": "red"}) == route


def test_the_route_says_what_was_seen_or_what_a_workflow_takes_for_granted() -> None:
    seen = route_of(a_deployment(desired=2), Capacity(desired=2, ready=1, starting=1))
    proved = route_of(a_deployment(desired=2))
    waking = route_of(a_deployment(desired=2, status=Status.WAKING))
    asleep = route_of(a_deployment(desired=0, status=Status.ASLEEP))
    assert [(one.ready, one.starting) for one in (seen, proved, waking, asleep)] == [(1, 1), (2, 0), (0, 2), (0, 0)]
