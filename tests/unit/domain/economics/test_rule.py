"""The rule: what it starts and stops for, what it can't know, what it can't lose, and what it says."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.decision import Code, Reason
from spillway.domain.economics.layer import ALLOWANCE, WORST_FACTOR
from spillway.domain.economics.optimum import layer_optimum
from spillway.domain.economics.rule import State, Traffic, step
from spillway.domain.economics.scenario import Scenario

# A dollar a minute, five minutes to start; a full instance's tokens cost two dollars a minute.
SCENARIO = Scenario(60.0, 100.0, 300.0, 20_000.0, 20_000.0, max_instances=3)
FULL = 100.0
EPOCH_MINUTE = 1440 * 20_000


def decide(loads: list[float], scenario: Scenario = SCENARIO) -> list[tuple[int, Reason | None]]:
    state, found = State(), []
    for minute, load in enumerate(loads, start=EPOCH_MINUTE):
        state, wanted, reason = step(state, Traffic(load, scenario.spill_usd(load, 0)), scenario, minute)
        found.append((wanted, reason))
    return found


def paid(loads: list[float], sizes: list[int], start: int) -> float:
    """What one layer paid that had these sizes wished for after each minute."""
    usd, age = 0.0, 0
    for load, before in zip(loads, [0, *sizes[:-1]], strict=True):
        age = age + 1 if before else 0
        usd += bool(before) + (0.0 if age > start else 2 * load / FULL)
    return usd


def test_traffic_that_lasts_gets_an_instance_and_says_why_in_dollars() -> None:
    decisions = decide([FULL] * 60)
    at = next(minute for minute, (wanted, _) in enumerate(decisions) if wanted)
    reason = decisions[at][1]
    assert reason is not None
    assert (reason.code, reason.unit) == (Code.TRAFFIC_PAYS, "USD")
    assert reason.observed is not None
    assert reason.threshold is not None
    assert reason.observed >= reason.threshold > 0
    assert "$" in reason.sentence
    assert {wanted for wanted, _ in decisions[at:]} == {1}


def test_traffic_that_ends_gives_it_back() -> None:
    decisions = decide([FULL] * 60 + [0.0] * 30)
    assert decisions[-1][0] == 0
    [reason] = [reason for _, reason in decisions[60:] if reason is not None]
    assert reason.code is Code.TRAFFIC_FELL


def test_a_start_after_many_that_earned_comes_below_every_rules_threshold_and_says_so() -> None:
    reasons = [reason for _, reason in decide(([FULL] * 60 + [0.0] * 30) * 4) if reason is not None]
    starts = [
        (reason.observed or 0.0, reason.threshold or 0.0) for reason in reasons if reason.code is Code.TRAFFIC_PAYS
    ]
    assert all(observed >= threshold > 0 for observed, threshold in starts)
    # The most eager rule starts at half a start's five dollars.
    assert starts[-1][1] < 2.5


def test_traffic_that_never_pays_gets_none() -> None:
    assert {wanted for wanted, _ in decide([FULL * 0.4] * 3000)} == {0}


def test_each_layer_gets_its_own_instance_and_no_more_than_allowed() -> None:
    assert decide([FULL * 2] * 120)[-1][0] == 2
    assert decide([FULL * 9] * 120)[-1][0] == SCENARIO.max_instances


def test_a_floor_holds_whatever_the_traffic() -> None:
    state = State()
    assert step(state, Traffic(0.0, 0.0), SCENARIO, EPOCH_MINUTE, floor=2)[1] == 2
    assert step(state, Traffic(0.0, 0.0), SCENARIO, EPOCH_MINUTE + 1, floor=0)[1] == 0


LOADS = st.lists(st.sampled_from([0.0, 25.0, FULL, 2.5 * FULL]), min_size=1, max_size=60)


@given(prefix=LOADS, one=LOADS, other=LOADS, repeat=st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_what_comes_later_changes_nothing_before(
    prefix: list[float], one: list[float], other: list[float], repeat: int
) -> None:
    prefix = [load for load in prefix for _ in range(repeat)]
    assert decide(prefix + one)[: len(prefix)] == decide(prefix + other)[: len(prefix)]


@given(loads=LOADS, repeat=st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_a_state_goes_on_after_json_as_if_it_had_not_been_stored(loads: list[float], repeat: int) -> None:
    stored, kept = State(), State()
    for minute, load in enumerate([load for load in loads for _ in range(repeat)], start=EPOCH_MINUTE):
        traffic = Traffic(load, SCENARIO.spill_usd(load, 0))
        stored = State.from_json(json.loads(json.dumps(stored.to_json())))
        assert step(stored, traffic, SCENARIO, minute)[1:] == step(kept, traffic, SCENARIO, minute)[1:]


def an_adversary(seed: int) -> list[float]:
    """Traffic that comes and goes at the worst of times: just after each start, just after each stop."""
    rng, state, loads, load = random.Random(seed), State(), [], FULL
    wait = rng.randint(0, 12)
    left = wait
    for minute in range(EPOCH_MINUTE, EPOCH_MINUTE + 3000):
        loads.append(load)
        wanted = step(state, Traffic(load, SCENARIO.spill_usd(load, 0)), SCENARIO, minute)[1]
        if bool(wanted) == (load > 0):
            left -= 1
            if left < 0:
                load, left = (0.0 if wanted else FULL), wait
    return loads


@pytest.mark.parametrize("seed", range(20))
def test_not_even_an_adversary_drives_it_beyond_the_proved_factor(seed: int) -> None:
    loads = an_adversary(seed)
    spill = [2 * load / FULL for load in loads]
    usd = paid(loads, [wanted for wanted, _ in decide(loads)], SCENARIO.start_minutes)
    allowance = (ALLOWANCE + 6) * SCENARIO.start_usd
    assert usd <= WORST_FACTOR * layer_optimum(spill, 1.0, SCENARIO.start_minutes) + allowance


def test_the_forecast_starts_earlier_what_came_back_every_day() -> None:
    day = [0.0] * 600 + [FULL * 0.9] * 240 + [0.0] * 600
    wanted = [count for count, _ in decide(day * 6)]
    first = wanted.index(1)
    last = wanted.index(1, 1440 * 5) - 1440 * 5
    assert last < first
