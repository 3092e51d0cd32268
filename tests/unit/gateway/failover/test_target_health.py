"""Targets in trouble come last for a while, and what may be tried again has its limit."""

from dataclasses import dataclass, field

import pytest

from spillway.domain.decision import Code
from spillway.domain.paths.targets import BedrockTarget, FleetTarget
from spillway.domain.routing.route import Choice
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.failover.retry_budget import ALWAYS_ALLOWED, RetryBudget
from spillway.gateway.failover.target_health import FAILURES_IN_A_ROW, LONGEST_SECONDS, PROBE_SECONDS, TargetHealth
from tests.unit.gateway.doubles import FakeClock

FLEET, BEDROCK = FleetTarget("a"), BedrockTarget("m", "openai")
CHOICES = (Choice(FLEET, "primary", "ready"), Choice(BEDROCK, "spill", "ready"))
FULL = UpstreamUnavailable(Code.ENGINE_SATURATED, "429")
DOWN = UpstreamUnavailable(Code.PRIMARY_FAILED, "refused")


@dataclass
class Watched:
    """A health whose cool-downs last exactly as long as their base, on a clock that the test moves."""

    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.health = TargetHealth(self.clock.monotonic, lambda: 0.5)

    def first(self) -> str:
        return self.health.order(CHOICES)[0].role

    def after(self, seconds: float) -> str:
        self.clock.moment += seconds
        return self.first()


def test_a_full_engine_comes_last_at_once_and_says_why() -> None:
    watched = Watched()
    watched.health.failed(FLEET, FULL)
    assert [(choice.role, choice.code) for choice in watched.health.order(CHOICES)] == [
        ("spill", "engine_saturated"),
        ("primary", "ready"),
    ]
    assert watched.health.seconds_left(FLEET) == 1.0


def test_other_failures_eject_only_in_a_row() -> None:
    watched = Watched()
    for _ in range(FAILURES_IN_A_ROW - 1):
        watched.health.failed(FLEET, DOWN)
    assert watched.first() == "primary"
    watched.health.answered(FLEET, watched.clock.moment)
    watched.health.failed(FLEET, DOWN)
    assert watched.first() == "primary"
    for _ in range(FAILURES_IN_A_ROW - 1):
        watched.health.failed(FLEET, DOWN)
    assert watched.first() == "spill"


def test_one_probe_at_a_time_goes_after_the_cool_down() -> None:
    watched = Watched()
    watched.health.failed(FLEET, FULL)
    assert [watched.after(0.9), watched.after(0.2), watched.first()] == ["spill", "primary", "spill"]
    watched.health.answered(FLEET, watched.clock.moment)
    assert [watched.first(), watched.first()] == ["primary", "primary"]


def test_a_probe_that_never_ends_makes_way_for_another() -> None:
    watched = Watched()
    watched.health.failed(FLEET, FULL)
    assert watched.after(1.1) == "primary"
    assert [watched.after(PROBE_SECONDS - 0.1), watched.after(0.2)] == ["spill", "primary"]


def test_each_failed_probe_doubles_the_cool_down_up_to_a_limit() -> None:
    watched = Watched()
    lengths = []
    for _ in range(8):
        watched.health.failed(FLEET, FULL)
        lengths.append(watched.health.seconds_left(FLEET))
        assert watched.after(lengths[-1] + 0.1) == "primary"
    assert lengths == [1, 2, 4, 8, 16, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]


def test_failures_of_requests_sent_before_do_not_prolong_it() -> None:
    watched = Watched()
    for _ in range(50):
        watched.health.failed(FLEET, FULL)
    assert watched.health.seconds_left(FLEET) == 1.0


def test_an_answer_to_a_request_sent_before_the_trouble_proves_nothing() -> None:
    watched = Watched()
    sent = watched.clock.moment
    watched.clock.moment += 1
    watched.health.failed(FLEET, FULL)
    watched.health.answered(FLEET, sent)
    assert watched.first() == "spill"


@pytest.mark.parametrize(("asked", "seconds"), [(7, 7), (600, LONGEST_SECONDS), (None, 1)])
def test_an_upstreams_own_wait_counts_within_reason(asked: int | None, seconds: float) -> None:
    watched = Watched()
    watched.health.failed(FLEET, UpstreamUnavailable(Code.ENGINE_SATURATED, "429", retry_after_seconds=asked))
    assert watched.health.seconds_left(FLEET) == seconds


def test_the_ends_of_cool_downs_are_spread() -> None:
    lengths = []
    for draw in (0.0, 0.999):
        health = TargetHealth(FakeClock().monotonic, lambda draw=draw: draw)  # type: ignore[misc]
        health.failed(FLEET, FULL)
        lengths.append(round(health.seconds_left(FLEET), 2))
    assert lengths == [0.5, 1.5]


def test_nothing_is_refused_when_all_are_in_trouble_or_there_is_one_only() -> None:
    watched = Watched()
    watched.health.failed(FLEET, FULL)
    watched.health.failed(BEDROCK, FULL)
    assert watched.health.order(CHOICES) == CHOICES
    assert watched.health.order(CHOICES[:1]) == CHOICES[:1]


def test_a_fifth_of_the_requests_may_be_tried_again() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        assert budget.allows(5.0, retry=False)
    assert sum(budget.allows(5.5, retry=True) for _ in range(1000)) == 200
    assert not budget.allows(14.9, retry=True)
    assert budget.allows(15.0, retry=True)


def test_little_traffic_has_retries_too_and_they_come_back() -> None:
    budget = RetryBudget()
    assert sum(budget.allows(100.0, retry=True) for _ in range(1000)) == ALWAYS_ALLOWED
    assert sum(budget.allows(10_000.0, retry=True) for _ in range(1000)) == ALWAYS_ALLOWED
