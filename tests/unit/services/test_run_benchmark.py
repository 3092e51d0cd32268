"""The benchmark workflow's steps: each closes what it must, gives back what it took, and may be repeated."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.benchmarks.counts import Tally, tally_to_json
from spillway.domain.benchmarks.record import End, State, Verdict
from spillway.domain.benchmarks.worker_orders import order_from_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Superseded
from spillway.domain.observations.usage import HourOfTraffic, Traffic
from spillway.domain.paths.targets import FleetTarget
from spillway.domain.pricing.price_book import Source, UnitPrice
from spillway.services.events.benchmark_steps import read_benchmark_step
from spillway.services.run_benchmark import RunBenchmark
from tests.builders import NOW, a_deployment, a_price_book
from tests.fakes import FakeBenchmarks, FakeDeployments, FakeEvents, FakeUsageLog
from tests.measuring_builders import a_benchmark, a_histogram, a_tally

NAME, ID = "support-llama", "00000003-1"
ARN = "arn:aws:states:us-east-1:123456789012:execution:spillway-benchmark:support-llama-benchmark-00000003-1"
CAPACITY = {"desired": 1, "ready": 1, "starting": 0, "instance_type": "g6e.xlarge"}


class World:
    """``second`` is the clock that steps go by."""

    def __init__(self, deployment: Deployment | None = None, **changes: Any) -> None:
        self.deployments = FakeDeployments(deployment or a_deployment(version=3))
        self.records = FakeBenchmarks(a_benchmark(state=State.REQUESTED, begun=None, begun_at=None, **changes))
        self.events, self.usage = FakeEvents(), FakeUsageLog()
        self.second = 1000.0
        self.platform = {"lambda_gb_second_arm64": UnitPrice(1e-5, Source("a test", "2026-11"))}

    def step(self, step: str, **event: Any) -> dict[str, Any]:
        run = RunBenchmark(
            deployments=self.deployments,
            records=self.records,
            events=self.events,
            usage=self.usage,
            prices=lambda: a_price_book(platform=self.platform),
            region="us-east-1",
            now=lambda: NOW + timedelta(minutes=5),
            moment=lambda: self.second,
        )
        looked = {} if step == "fail" else {"capacity": CAPACITY}
        base = {"step": step, "deployment": NAME, "benchmark": ID, "execution": ARN, **looked}
        return run.run(read_benchmark_step({**base, **event}))

    def measured(self, number: int, *tallies: Tally, **event: Any) -> dict[str, Any]:
        self.second += 74
        return self.step("evaluate", number=number, tallies=[tally_to_json(one) for one in tallies], **event)

    @property
    def record(self) -> Any:
        return self.records.get(NAME, ID)

    @property
    def deployment(self) -> Deployment:
        return self.deployments.get(NAME)


def test_it_claims_the_deployment_and_orders_the_first_level() -> None:
    world = World()
    plan = world.step("begin")
    assert (world.deployment.workflow, world.deployment.is_benchmarked) == (ARN, True)
    assert world.deployment.is_claimed(NOW + timedelta(minutes=5))
    assert (world.record.state, world.record.running_concurrency, world.record.begun) == (State.RUNNING, 4, 1000.0)
    assert (plan["go"], plan["number"]) == (True, 1)
    (order,) = map(order_from_json, plan["orders"])
    # Four seconds for workers to come up and ten for streams to begin.
    assert (order.streams, order.measure_from, order.measure_until) == (4, 1014.0, 1074.0)
    assert order.target == FleetTarget(NAME)
    assert world.step("begin") == plan


def test_level_by_level_to_the_result_that_becomes_the_capacity() -> None:
    world = World()
    world.step("begin")
    second = world.measured(1, a_tally(100))
    assert (second["go"], second["number"], world.record.running_concurrency) == (True, 2, 8)
    third = world.measured(2, a_tally(90), a_tally(90))
    assert third["number"] == 3
    last = world.measured(3, a_tally(61), a_tally(61), a_tally(61))
    assert last == {"go": False, "state": State.DONE}
    record = world.record
    assert (record.end, record.became_capacity, record.ended_at) == (End.SATURATED, True, NOW + timedelta(minutes=5))
    assert [step.tokens_per_minute for step in record.steps] == [66_000, 118_800, 120_780]
    assert (record.best.concurrency, record.best.is_at_least, record.seconds_used) == (16, False, 222.0)
    measured = world.deployment.measured
    assert measured is not None
    assert (measured.tokens_per_minute, measured.benchmark, measured.engine) == (120_780, ID, "vllm-0.32.0")
    assert (measured.prompt_tokens, measured.completion_tokens, measured.ttft_p95_ms) == (100, 10, 2000)
    assert world.deployment.workflow is None
    assert world.deployment.tokens_per_minute_per_instance == 120_780
    assert [(kind, detail["tokens_per_minute_per_instance"]) for kind, _, detail in world.events.published] == [
        ("BenchmarkEnded", 120_780)
    ]

    assert record.users_tokens == 0


@pytest.mark.parametrize(("tokens", "is_at_least"), [(5_000, False), (20_000, True)])
def test_users_who_had_their_part_make_it_at_least(tokens: int, is_at_least: bool) -> None:
    def used(**by_role: int) -> list[HourOfTraffic]:
        hour = NOW.replace(minute=0)
        return [
            HourOfTraffic(hour, role, "fleet", "key", Traffic(prompt_tokens=prompt)) for role, prompt in by_role.items()
        ]

    world = World()
    world.usage.by_hour[NAME] = used(primary=1_000_000)
    world.step("begin")
    world.step("begin")
    # Two levels of a minute each: 132,000 tokens are the benchmark's own.
    world.usage.by_hour[NAME] = used(primary=1_000_000 + tokens, spill=9_000_000)
    world.measured(1, a_tally(100))
    world.measured(2, a_tally(100))
    assert (world.record.end, world.record.users_tokens) == (End.SATURATED, tokens)
    assert world.record.best.is_at_least is is_at_least
    assert (world.deployment.measured is None) is is_at_least


def test_per_instance_is_by_the_instances_that_were_ready() -> None:
    world = World()
    two = {**CAPACITY, "ready": 2}
    world.step("begin", capacity=two)
    world.measured(1, a_tally(100), capacity=two)
    world.measured(2, a_tally(100), capacity=two)
    assert world.record.best.tokens_per_minute_per_instance == 33_000


def test_a_repeat_of_a_judged_step_counts_nothing_twice() -> None:
    world = World()
    world.step("begin")
    first = world.measured(1, a_tally(100))
    world.second -= 74
    assert world.measured(1, a_tally(100)) == first
    assert len(world.record.steps) == 1


def test_a_repeat_of_the_end_gives_back_what_a_first_try_did_not() -> None:
    world = World()
    world.step("begin")
    claimed = world.deployment
    world.measured(1, a_tally(100, ttft=3.0), a_tally(100), capacity={**CAPACITY, "ready": 0})
    assert world.record.end is End.CAPACITY_CHANGED
    ended = world.record
    world.deployments.items[NAME] = claimed
    assert world.measured(1, a_tally(100)) == {"go": False, "state": ended.state}
    assert world.record == ended
    assert world.deployment.workflow is None


def test_instances_that_come_or_go_end_it_and_spoil_their_level() -> None:
    world = World()
    world.step("begin")
    world.measured(1, a_tally(100))
    world.measured(2, a_tally(180), capacity={**CAPACITY, "ready": 2})
    assert (world.record.end, world.record.state) == (End.CAPACITY_CHANGED, State.DONE)
    assert [step.verdict for step in world.record.steps] == [Verdict.GOOD, Verdict.INCOMPLETE]
    assert (world.record.best.concurrency, world.record.best.is_at_least) == (4, True)
    assert world.deployment.measured is None


def test_the_stop_button_keeps_what_was_measured_and_changes_no_capacity() -> None:
    world = World()
    world.step("begin")
    world.measured(1, a_tally(100))
    world.records.ask_to_stop(NAME, ID, NOW)
    assert world.measured(2, a_tally(150, stopped=True, seconds=20.0)) == {"go": False, "state": State.STOPPED}
    assert (world.record.end, len(world.record.steps), world.record.best.concurrency) == (End.STOPPED, 2, 4)
    assert (world.deployment.workflow, world.deployment.measured) == (None, None)


def test_a_lost_worker_fails_it() -> None:
    world = World()
    world.step("begin")
    world.second += 74
    world.step("evaluate", number=1, tallies=[tally_to_json(a_tally(100)), {"lost": 1, "lengths": []}])
    assert (world.record.state, world.record.end, world.record.best) == (State.FAILED, End.FAILED, None)
    assert "brought nothing back" in world.record.reason


def test_a_lost_worker_at_a_later_level_leaves_what_was_found_before() -> None:
    world = World()
    world.step("begin")
    world.measured(1, a_tally(100))
    world.measured(2, a_tally(100), Tally([], lost=1))
    assert (world.record.state, world.record.best.concurrency) == (State.FAILED, 4)
    assert world.deployment.workflow is None


@pytest.mark.parametrize(
    ("deployment", "says"),
    [
        (a_deployment(status=Status.ASLEEP), "is asleep"),
        (
            a_deployment(workflow="arn:aws:states:us-east-1:1:execution:spillway-scale:x", updated_at=NOW),
            "at work on it",
        ),
    ],
)
def test_what_cannot_be_measured_any_more_closes_the_record_and_touches_nothing(
    deployment: Deployment, says: str
) -> None:
    world = World(deployment)
    assert world.step("begin")["go"] is False
    assert (world.record.state, says in world.record.reason) == (State.FAILED, True)
    assert world.deployment == deployment


def test_a_price_that_is_unknown_for_what_really_runs_ends_it() -> None:
    world = World()
    assert world.step("begin", capacity={**CAPACITY, "instance_type": "g5.2xlarge"})["go"] is False
    assert "The price of g5.2xlarge is unknown" in world.record.reason
    assert world.deployment.workflow is None


def test_a_failure_is_recorded_and_the_deployment_given_back() -> None:
    world = World()
    world.step("begin")
    world.measured(1, a_tally(100))
    error = {"Error": "States.Timeout", "Cause": ""}
    for _ in range(2):
        assert world.step("fail", error=error) == {"go": False, "state": State.FAILED}
    assert (world.record.end, world.record.reason, world.record.best.concurrency) == (
        End.FAILED,
        "States.Timeout: ",
        4,
    )
    assert (world.deployment.workflow, world.deployment.measured) == (None, None)


def test_a_clean_up_closes_after_another_execution() -> None:
    world = World()
    world.step("begin")
    other = ARN.replace("support-llama-benchmark", "support-llama-recover-1")
    world.step("fail", execution=other, replaces=ARN, error={"Error": "ABORTED", "Cause": "ended from outside"})
    assert world.record.reason == "ABORTED: ended from outside"
    assert world.deployment.workflow is None


def test_a_deployment_that_somebody_else_has_taken_stays_theirs() -> None:
    world = World()
    world.step("begin")
    taken = replace(world.deployment, workflow="arn:aws:states:us-east-1:1:execution:spillway-retire:x")
    world.deployments.items[NAME] = taken
    with pytest.raises(Superseded):
        world.measured(1, a_tally(100))
    world.step("fail", error={"Error": "Superseded", "Cause": ""})
    assert world.record.state is State.FAILED
    assert world.deployment == taken


def test_a_change_of_the_spec_meanwhile_is_kept() -> None:
    world = World()
    world.step("begin")
    changed = a_deployment().spec.model_copy(update={"budget": None, "thresholds": world.deployment.spec.thresholds})
    world.deployments.update(replace(world.deployment, spec=changed))
    world.measured(1, a_tally(100))
    world.measured(2, a_tally(100))
    assert world.deployment.workflow is None
    assert world.deployment.measured is not None


def test_costs_are_counted_by_time_and_end_it() -> None:
    # $3.60 an hour is a tenth of a cent a second, and a worker's gigabyte a hundredth of that.
    world = World(spec=a_benchmark().spec.model_copy(update={"max_usd": 0.2}))
    world.step("begin")
    world.measured(1, a_tally(100))
    assert world.record.steps[0].usd == pytest.approx(74 * 0.00101)
    world.measured(2, a_tally(190))
    assert world.record.usd_used == pytest.approx(2 * 74 * 0.00101)
    assert (world.record.end, world.record.best.is_at_least) == (End.COST_USED_UP, True)
    assert world.deployment.measured is None


def test_an_unknown_price_stays_unknown() -> None:
    world = World()
    world.platform = {}
    world.step("begin")
    world.measured(1, a_tally(100))
    assert (world.record.usd_used, world.record.steps[0].usd) == (None, None)


def test_latency_over_the_bound_is_the_limit() -> None:
    world = World()
    world.step("begin")
    world.measured(1, a_tally(100))
    plan = world.measured(2, a_tally(150, first_token_seconds=a_histogram(3.0, 100)))
    assert world.record.running_concurrency == 6
    world.measured(plan["number"], a_tally(120))
    world.measured(4, a_tally(130, first_token_seconds=a_histogram(3.0, 100)))
    assert (world.record.end, world.record.best.concurrency) == (End.LATENCY, 6)
    assert world.deployment.tokens_per_minute_per_instance == 79_200
