"""One look: what it reads, decides and leaves behind, also when it overlaps, repeats, comes late or fails."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from spillway.domain.alerts.alert import Alert, AlertState
from spillway.domain.decision import Action, Code, Decision
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.observations.usage import CHECKS, InstanceTime
from spillway.domain.paths.targets import ImportedTarget
from spillway.domain.pricing.price_book import HourlyPrice, ImportPrices, Source, UnitPrice
from spillway.domain.routing.route import Route, RouteState
from spillway.domain.scaling.check_state import Memory
from spillway.services.check import LEASE, Check, Looked
from tests.builders import NOW, a_capacity, a_deployment, a_price_book, a_route, a_spec, an_instance
from tests.fakes import (
    FakeAlerts,
    FakeCapacityReader,
    FakeDecisions,
    FakeDeployments,
    FakeEvents,
    FakeLoadReader,
    FakeMemories,
    FakeRoutes,
    FakeUsageLog,
    FakeWorkflows,
)

NAME = "support-llama"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NINE = NOW.replace(minute=0)
IDLE = Memory(last_request_at=NOW - timedelta(hours=1), checked_at=NOW - MINUTE, code=Code.STEADY)


class World:
    """Serving fleets of one instance each, with routes and a memory of the last look."""

    def __init__(self, *deployments: Deployment, memory: Memory | None = None) -> None:
        self.now = NOW
        names = [each.name for each in deployments]
        self.deployments = FakeDeployments(*deployments)
        self.routes = FakeRoutes(*(a_route(name, version=1, deployment_version=1) for name in names))
        self.decisions, self.memories, self.usage = FakeDecisions(), FakeMemories(), FakeUsageLog()
        self.memories.items = dict.fromkeys(names, memory or Memory(last_request_at=NOW, checked_at=NOW - MINUTE))
        self.loads = FakeLoadReader()
        self.capacities = FakeCapacityReader(dict.fromkeys(names, a_capacity(1)))
        self.workflows, self.alerts, self.events = FakeWorkflows(), FakeAlerts(), FakeEvents()
        self.service = Check(
            deployments=self.deployments,
            routes=self.routes,
            decisions=self.decisions,
            memories=self.memories,
            instance_times=self.usage,
            loads=self.loads,
            capacities=self.capacities,
            workflows=self.workflows,
            alerts=self.alerts,
            events=self.events,
            prices=a_price_book,
            region="us-east-1",
            now=lambda: self.now,
        )

    def look(self, minutes: float = 0, owner: str = "me") -> Looked | None:
        self.now += minutes * MINUTE
        return self.service.run(owner)

    def noted(self, name: str = NAME) -> list[Decision]:
        return [decision for _, decision in self.decisions.items.get(name, [])]


def since_yesterday(name: str = NAME, **changes: Any) -> Deployment:
    yesterday = NOW - timedelta(days=1)
    return a_deployment(name, **{"created_at": yesterday, "updated_at": yesterday, **changes})


@pytest.fixture
def world() -> World:
    return World(since_yesterday())


def failing(error: Exception, for_name: str) -> Callable[..., None]:
    def fail(*arguments: Any) -> None:
        if any(for_name in str(argument) for argument in arguments):
            raise error

    return fail


# -------------------------------------------------------------------------------------------------------- one at a time


@pytest.mark.parametrize(("after", "looks"), [(LEASE - timedelta(seconds=1), False), (LEASE, True)])
def test_a_check_does_nothing_while_another_is_at_work(world: World, after: timedelta, looks: bool) -> None:
    world.memories.acquire("another", NOW, NOW + LEASE)
    world.now = NOW + after
    looked = world.look()
    assert (looked is not None) is looks
    assert (world.memories.items[NAME].checked_at == world.now) is looks


def test_the_lease_is_given_back_also_by_a_check_that_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.look()
    assert world.memories.lease is None

    def fail(*_: object) -> None:
        raise Retryable("throttled")

    monkeypatch.setattr(world.loads, "read", fail)
    with pytest.raises(Retryable):
        world.look(1)
    assert world.memories.lease is None


def test_an_account_without_deployments_is_a_quick_look() -> None:
    assert World().look() == Looked(deployments=0, actions=0, alerts=0)


def test_a_record_that_cannot_be_read_stops_nobody_and_is_counted() -> None:
    world = World(since_yesterday("broken"), since_yesterday(), memory=IDLE)
    world.deployments.unreadable = {"broken"}
    assert world.look() == Looked(deployments=1, actions=1, alerts=0, unreadable=1)


# --------------------------------------------------------------------------------------------------------------- acting


def test_an_idle_fleet_is_put_to_sleep_by_one_workflow_however_often_it_is_seen() -> None:
    world = World(since_yesterday(version=4), memory=IDLE)
    assert world.look() == Looked(deployments=1, actions=1, alerts=0)
    world.look()
    world.look(1)
    ((workflow, execution),) = world.workflows.executions
    (payload,) = world.workflows.started(workflow)
    assert (workflow, execution) == ("scale", "support-llama-sleep-4")
    assert (payload["deployment"], payload["path"], payload["desired"]) == (NAME, "fleet", 0)
    assert payload["reason"]["code"] == Code.IDLE
    assert world.events.published[0][:2] == ("DecisionTaken", NAME)


def test_the_next_version_of_a_deployment_is_acted_on_anew() -> None:
    world = World(since_yesterday(version=4), memory=IDLE)
    world.look()
    world.deployments.items[NAME] = since_yesterday(version=6)
    world.look(1)
    assert len(world.workflows.executions) == 2


def test_holding_still_is_noted_only_when_its_reason_changes(world: World) -> None:
    world.look()
    world.look(1)
    # That everything just goes on was no news at the first look.
    assert world.noted() == []
    world.capacities.capacities[NAME] = Capacity()
    world.look(1)
    world.look(1)
    world.capacities.capacities[NAME] = a_capacity(1)
    world.look(1)
    world.look(1)
    assert [decision.reason.code for decision in world.noted()] == [Code.CAPACITY_LOST, Code.STEADY]


def test_trouble_is_noted_at_the_first_look() -> None:
    world = World(since_yesterday(), memory=Memory())
    world.capacities.capacities = {}
    world.look()
    assert [decision.reason.code for decision in world.noted()] == [Code.CAPACITY_LOST]


def test_a_workflow_that_cannot_be_started_now_is_started_by_the_next_check() -> None:
    world = World(since_yesterday(), memory=IDLE)
    world.workflows.failure = Retryable("throttled")
    assert world.look() == Looked(deployments=1, actions=0, alerts=0)
    assert world.events.published == []
    world.workflows.failure = None
    assert world.look(1) == Looked(deployments=1, actions=1, alerts=0)


def test_what_is_retired_is_not_looked_at() -> None:
    world = World(since_yesterday(status=Status.RETIRED))
    assert world.look() == Looked(deployments=0, actions=0, alerts=0)


# ------------------------------------------------------------------------------------------------------------ the route


@pytest.mark.parametrize(
    ("capacity", "load", "state"),
    [
        (a_capacity(1), Load(), RouteState.READY),
        (a_capacity(1), Load(waiting=32.0), RouteState.SATURATED),
        (a_capacity(0, starting=1), Load(), RouteState.WARMING),
        (None, Load(), RouteState.WARMING),
    ],
)
def test_a_serving_deployments_route_follows_what_was_seen(
    world: World, capacity: Capacity | None, load: Load, state: RouteState
) -> None:
    world.capacities.capacities = {} if capacity is None else {NAME: capacity}
    world.loads.loads[NAME] = load
    world.look()
    assert world.routes.items[NAME].state is state


def test_a_fleet_on_its_models_default_types_is_watched_like_any_other() -> None:
    world = World(since_yesterday(spec=a_spec(capacity={})))
    world.capacities.capacities = {}
    world.look()
    assert world.routes.items[NAME].state is RouteState.WARMING


def test_a_primary_that_aws_takes_away_stays_off_the_route_until_its_notice_has_run_out(world: World) -> None:
    until = int((NOW + 4 * MINUTE).timestamp())
    lost = a_route(version=1, deployment_version=1, state=RouteState.WARMING, code=Code.SPOT_NOTICE, lost_until=until)
    world.routes.items[NAME] = lost
    world.look()
    world.look(3)
    assert world.routes.items[NAME] == lost
    world.look(1)
    assert (world.routes.items[NAME].state, world.routes.items[NAME].lost_until) == (RouteState.READY, 0)


def test_once_the_lost_instance_has_gone_its_replacement_is_taken_at_once(world: World) -> None:
    until = int((NOW + 4 * MINUTE).timestamp())
    world.routes.items[NAME] = a_route(
        version=1, deployment_version=1, state=RouteState.WARMING, code=Code.SPOT_NOTICE, lost_until=until
    )
    world.capacities.capacities[NAME] = a_capacity(0, starting=1)
    world.look()
    assert world.routes.items[NAME].code == Code.CAPACITY_LOST
    world.capacities.capacities[NAME] = a_capacity(1)
    world.look(1)
    assert world.routes.items[NAME].state is RouteState.READY


def test_a_route_that_is_right_is_not_written_again(world: World) -> None:
    world.look()
    written = world.routes.items[NAME]
    world.look(1)
    assert world.routes.items[NAME] is written


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.SERVING, Status.RETIRED}))
def test_in_every_other_state_the_route_is_the_workflows(status: Status) -> None:
    world = World(since_yesterday(status=status))
    world.look()
    assert world.routes.items[NAME] == a_route(version=1, deployment_version=1)


def test_bedrock_is_ready_whatever_instances_are_written_into_the_request() -> None:
    world = World(since_yesterday(spec=a_spec(path="bedrock")))
    world.capacities.capacities = {}
    world.look()
    assert world.routes.items[NAME].state is RouteState.READY


def test_a_workflow_that_moves_on_while_the_check_reads_keeps_its_route(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    draining = a_route(version=2, deployment_version=2, state=RouteState.DRAINING)
    read = world.capacities.read

    def move_on(deployments: Sequence[Deployment], now: datetime) -> Any:
        world.routes.items[NAME] = draining
        return read(deployments, now)

    monkeypatch.setattr(world.capacities, "read", move_on)
    world.look()
    assert world.routes.items[NAME] == draining


# ----------------------------------------------------------------------------------------------------- memory and money


def test_every_look_is_remembered_and_counted_once(world: World) -> None:
    world.loads.loads[NAME] = Load((Minute(NOW - MINUTE, requests=3),), running=0.0)
    world.look()
    world.look(1)
    # It has run since yesterday, and so for 31 minutes of this hour; the estimate goes on from the look before.
    assert world.usage.hours(NAME, NINE, NINE + HOUR).instances[0].use.seconds == 31 * 60
    memory = world.memories.items[NAME]
    assert (memory.checked_at, memory.last_request_at) == (NOW + MINUTE, NOW)
    assert memory.usd_this_month == pytest.approx(0.12)


def test_a_repeat_at_the_same_moment_counts_nothing(world: World) -> None:
    world.look()
    once = (dict(world.memories.items), dict(world.usage.times))
    world.look()
    assert (world.memories.items, world.usage.times) == once


def seconds_by_hour(world: World) -> dict[int, int]:
    hours = world.usage.hours(NAME, NINE - 24 * HOUR, NINE + 24 * HOUR).instances
    return {(one.hour - NINE) // HOUR: one.use.seconds for one in hours}


def test_what_began_and_ended_between_two_looks_is_counted_and_so_is_what_still_drains(world: World) -> None:
    draining = an_instance(1, answers=False)
    short = an_instance(2, launched_at=NOW - 50 * SECOND, runs=False, ended_at=NOW - 20 * SECOND)
    # In nobody's group any more, but EC2 still tells of both. 30 seconds are billed as a minute.
    world.capacities.capacities[NAME] = a_capacity(0, instances=(draining, short))
    world.look()
    world.look(1)
    assert seconds_by_hour(world) == {0: 31 * 60 + 60}


def test_a_gap_of_hours_between_two_looks_loses_nothing_of_what_runs(world: World) -> None:
    world.look()
    world.look(3 * 60)
    # 9:00 to 12:30; the hours before were counted by earlier looks, or would have been.
    assert seconds_by_hour(world) == {0: 3600, 1: 3600, 2: 3600, 3: 1800}
    assert world.memories.items[NAME].usd_this_month == pytest.approx(3.6 / 60 + 3 * 3.6)


def test_the_first_look_counts_from_the_launch(world: World) -> None:
    world.memories.items.clear()
    world.deployments.items[NAME] = replace(world.deployments.items[NAME], created_at=NOW - 2 * HOUR)
    world.capacities.capacities[NAME] = a_capacity(instances=(an_instance(launched_at=NOW - 90 * MINUTE),))
    world.look()
    assert seconds_by_hour(world) == {-1: 3600, 0: 1800}


def test_a_look_that_is_told_of_no_instances_leaves_their_time_to_the_next_one(world: World) -> None:
    world.look()
    world.capacities.capacities[NAME] = a_capacity(instances=None)
    world.look(1)
    assert seconds_by_hour(world) == {0: 30 * 60}
    world.capacities.capacities[NAME] = a_capacity()
    world.look(1)
    assert seconds_by_hour(world) == {0: 32 * 60}
    assert world.memories.items[NAME].usd_this_month == pytest.approx(3 * 3.6 / 60)


def test_a_retired_deployments_last_instances_are_counted_and_nothing_else_is_done(world: World) -> None:
    world.look()
    retired = replace(world.deployments.items[NAME], status=Status.RETIRED, updated_at=NOW + 20 * SECOND)
    world.deployments.items[NAME] = retired
    world.capacities.capacities[NAME] = Capacity(instances=(an_instance(runs=False, ended_at=NOW + 10 * SECOND),))
    assert world.look(1) == Looked(deployments=0, actions=0, alerts=0)
    assert seconds_by_hour(world) == {0: 30 * 60 + 10}


def test_a_look_meters_what_it_occupies_of_lambda_unless_another_is_at_work(world: World) -> None:
    readings = iter([10.0, 12.5, 20.0, 20.5, 30.0])
    world.service = replace(world.service, megabytes=512, monotonic=lambda: next(readings))
    world.look()
    world.look(1)
    world.memories.acquire("another", world.now, world.now + LEASE)
    assert world.look() is None
    (metered,) = world.usage.hours(CHECKS, NINE, NINE + HOUR).traffic
    assert (metered.traffic.requests, metered.traffic.lambda_mb_ms) == (2, 512 * 3000)


@pytest.mark.parametrize("deployments", [(), (since_yesterday(status=Status.RETIRED),)], ids=["none", "retired"])
def test_a_look_that_nobody_shares_is_not_metered(deployments: tuple[Deployment, ...]) -> None:
    world = World(*deployments)
    world.service = replace(world.service, megabytes=512)
    world.look()
    assert world.usage.hours(CHECKS, NINE, NINE + HOUR).traffic == ()


def test_a_look_that_failed_is_metered_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.service = replace(world.service, megabytes=512)
    monkeypatch.setattr(world.loads, "read", failing(Retryable("throttled"), ""))
    with pytest.raises(Retryable):
        world.look()
    (metered,) = world.usage.hours(CHECKS, NINE, NINE + HOUR).traffic
    assert metered.traffic.requests == 1


def test_a_look_that_cannot_be_metered_is_a_look_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.service = replace(world.service, megabytes=512)
    monkeypatch.setattr(world.usage, "add_check", failing(Retryable("throttled"), ""))
    assert world.look() is not None


def test_the_time_until_an_instance_answers_is_its_warm_up(world: World) -> None:
    starting = an_instance(launched_at=NOW - 30 * SECOND, answers=False)
    for minute, answers in enumerate((False, False, True, True)):
        world.capacities.capacities[NAME] = a_capacity(instances=(replace(starting, answers=answers),))
        world.look(min(minute, 1))
    use = world.usage.hours(NAME, NINE, NINE + HOUR).instances[0].use
    # Seen answering two minutes after the first look; $3.60 an hour is 1,000 micro-dollars a second.
    assert (use.seconds, use.warm_up_seconds, use.warm_up_micro_usd) == (210, 150, 150_000)


@pytest.mark.parametrize(
    ("counted", "since"),
    [(2 * MINUTE, 4 * MINUTE), (10 * MINUTE, 10 * MINUTE), (timedelta(days=3), 15 * MINUTE), (None, 4 * MINUTE)],
)
def test_minutes_are_read_from_where_the_last_look_ended(
    counted: timedelta | None, since: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(since_yesterday(), memory=replace(IDLE, counted_until=NOW - counted if counted else None))
    asked: list[datetime] = []

    def read(_wanted: object, start: datetime, _now: datetime) -> dict[str, Load]:
        asked.append(start)
        return {}

    monkeypatch.setattr(world.loads, "read", read)
    world.look()
    assert asked == [NOW - since]


def test_a_name_that_was_used_before_starts_with_an_empty_memory() -> None:
    old = replace(IDLE, usd_this_month=99.0, month="2026-11", open_alerts=frozenset({"capacity_lost"}))
    world = World(a_deployment(created_at=NOW, updated_at=NOW), memory=replace(old, checked_at=NOW - timedelta(days=9)))
    assert world.look() == Looked(deployments=1, actions=0, alerts=0)
    assert world.memories.items[NAME].usd_this_month == 0.0


def test_a_lasting_state_is_alerted_once_and_once_when_it_ends(world: World) -> None:
    world.capacities.capacities = {}
    for _ in range(3):
        world.look(1)
    world.capacities.capacities = {NAME: a_capacity(1)}
    for _ in range(3):
        world.look(1)
    assert [alert.state for alert in world.alerts.sent] == [AlertState.OPEN, AlertState.CLOSED]


# -------------------------------------------------------------------------------------------------------------- failure


NAMES = ["model-a", "model-b", "model-c"]


def lost(*names: str) -> World:
    """Fleets that have all lost their instances, so that each has a route, a decision and an alert to write."""
    world = World(*(since_yesterday(name) for name in names))
    world.capacities.capacities = {}
    return world


def told(alerts: Sequence[Alert]) -> list[str]:
    return sorted(alert.deployment for alert in alerts)


@pytest.mark.parametrize(("port", "method"), [("routes", "put"), ("decisions", "add"), ("alerts", "send")])
def test_a_failure_of_one_deployment_is_left_to_the_next_check_and_stops_no_other(
    port: str, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = lost(*NAMES)
    real = getattr(getattr(world, port), method)
    fail = failing(Retryable("throttled"), "model-b")

    def sometimes(*arguments: Any) -> None:
        fail(*arguments)
        real(*arguments)

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(getattr(world, port), method, sometimes)
        assert world.look() == Looked(deployments=3, actions=0, alerts=2, failed=1)
    assert told(world.alerts.sent) == ["model-a", "model-c"]
    assert world.memories.items["model-b"].open_alerts == frozenset()
    assert "left to the next check" in caplog.text
    assert world.look(1) == Looked(deployments=3, actions=0, alerts=1)
    assert told(world.alerts.sent) == NAMES
    # The time that the failed look did not count is counted now.
    assert world.memories.items["model-b"].checked_at == NOW + MINUTE


def test_an_unexpected_failure_is_raised_once_all_others_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lost(*NAMES)
    real: Callable[[Route], None] = world.routes.put
    fail = failing(PermissionError("denied"), "model-b")

    def sometimes(route: Route) -> None:
        fail(route)
        real(route)

    monkeypatch.setattr(world.routes, "put", sometimes)
    with pytest.raises(ExceptionGroup) as caught:
        world.look()
    (error,) = caught.value.exceptions
    assert isinstance(error, PermissionError)
    assert error.__notes__ == ["while looking at deployment model-b"]
    assert told(world.alerts.sent) == ["model-a", "model-c"]
    assert {name for name in NAMES if world.memories.items[name].open_alerts} == {"model-a", "model-c"}
    assert world.memories.lease is None


def test_what_was_alerted_is_remembered_before_anything_else_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    world = lost(NAME)
    world.capacities.capacities = {NAME: a_capacity(0, starting=1)}

    def fail(_: Sequence[InstanceTime]) -> None:
        raise Retryable("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(world.usage, "put_instance_times", fail)
        with pytest.raises(Retryable):
            world.look()
    world.look(1)
    assert len(world.alerts.sent) == 1
    # And what could not be stored is part of what the next look stores.
    assert seconds_by_hour(world) == {0: 31 * 60}


def test_that_larger_instances_would_pay_is_noted_beside_the_decision() -> None:
    larger = {"instance_type": "g6e.12xlarge", "tokens_per_minute_per_instance": 10_000_000, "max": 1}
    capacity = {"max": 1, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 1000, "larger": larger}
    world = World(since_yesterday(spec=a_spec(capacity=capacity), cold_start_seconds=300.0))
    prices = a_price_book()
    dear = HourlyPrice(36.0, prices.ec2["g6e.xlarge"].source)
    world.service = replace(world.service, prices=lambda: replace(prices, ec2={**prices.ec2, "g6e.12xlarge": dear}))
    for _ in range(30):
        # Of nine million tokens a minute, one small instance carries next to nothing.
        recent = tuple(Minute(world.now - back * MINUTE, 9, 9_000_000, 0, 0) for back in range(1, 4))
        world.loads.loads[NAME] = Load(recent)
        world.look(1)
    noted = [decision for decision in world.noted() if decision.reason.code is Code.LARGER_PAYS]
    assert [(decision.action, decision.usd_per_hour) for decision in noted] == [(Action.HOLD, 0.0)]
    assert "g6e.12xlarge would now serve this traffic for $" in noted[0].reason.sentence


def an_import() -> Deployment:
    model = {"id": "Qwen/Qwen3-8B", "weights": "s3://weights/qwen3"}
    target = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef123456", 2)
    return a_deployment(
        spec=a_spec(path="import", model=model, capacity=None), target=target, created_at=NOW - 60 * MINUTE
    )


def test_an_imported_model_is_used_while_its_windows_cost_less_than_the_spill_target() -> None:
    world = World(an_import())
    source = Source("a test", "2026-11-24")
    prices = replace(a_price_book(), imports=ImportPrices(UnitPrice(0.06, source), UnitPrice(7.3, source)))
    world.service = replace(world.service, prices=lambda: prices)
    # A window costs 60 cents. For six minutes the spill target takes 20 cents a minute, then nothing comes.
    busy = [Minute(NOW + at * MINUTE, 1, bedrock_prompt_tokens=200_000) for at in range(6)]
    states = []
    for minute in range(16):
        world.now = NOW + minute * MINUTE
        world.loads.loads = {NAME: Load(tuple(one for one in reversed(busy) if one.at < world.now))}
        world.look()
        states.append(world.routes.items[NAME].state)
    changes = [state for at, state in enumerate(states) if at == 0 or states[at - 1] is not state]
    assert changes == [RouteState.COLD, RouteState.READY, RouteState.COLD]
    assert [decision.reason.code for decision in world.noted()] == [
        Code.TRAFFIC_FELL,
        Code.TRAFFIC_PAYS,
        Code.TRAFFIC_FELL,
    ]
    assert "a window of the imported model costs $0.6000" in world.routes.items[NAME].reason
    assert world.workflows.executions == {}
