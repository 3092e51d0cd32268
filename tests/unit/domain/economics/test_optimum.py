"""The optimum is what trying everything finds, and nobody ever beats it."""

import random
from array import array
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.economics.optimum import layer_optimum, optimum_usd
from spillway.domain.economics.replay import POLICIES, replay
from spillway.domain.economics.scenario import Scenario
from spillway.domain.economics.trace import Trace


def by_brute_force(spill: list[float], price: float, start: int) -> float:
    """The cheapest of all sequences of wishes, an instance carrying the load once it was wished for long enough."""
    best = float("inf")
    for wishes in product((False, True), repeat=len(spill)):
        usd, age = 0.0, 0
        for wished, cost in zip(wishes, spill, strict=True):
            age = age + 1 if wished else 0
            usd += (price if wished else 0.0) + (0.0 if age > start else cost)
        best = min(best, usd)
    return best


@given(
    spill=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]), max_size=9),
    price=st.sampled_from([0.5, 1.0, 2.0]),
    start=st.integers(1, 4),
)
@settings(deadline=None)
def test_the_optimum_of_a_layer_is_the_best_of_all_sequences(spill: list[float], price: float, start: int) -> None:
    assert layer_optimum(spill, price, start) == pytest.approx(by_brute_force(spill, price, start))


def of_fleets(tokens: list[float], scenario: Scenario) -> float:
    """The cheapest of all sequences of fleet sizes, instances kept apart by nothing but their age."""
    best = float("inf")
    for sizes in product(range(scenario.max_instances + 1), repeat=len(tokens)):
        ages: list[int] = []
        usd = 0.0
        for size, load in zip(sizes, tokens, strict=True):
            ages = [age + 1 for age in ages[:size]] + [1] * (size - len(ages))
            ready = sum(age > scenario.start_minutes for age in ages)
            usd += size * scenario.usd_per_instance_minute
            usd += scenario.spill_usd(max(0.0, load - ready * scenario.tokens_per_minute_per_instance), 0)
        best = min(best, usd)
    return best


@given(tokens=st.lists(st.sampled_from([0.0, 50.0, 100.0, 150.0, 300.0]), max_size=6), start=st.integers(1, 2))
@settings(deadline=None)
def test_the_layers_optimum_is_that_of_whole_fleets(tokens: list[float], start: int) -> None:
    scenario = Scenario(60.0, 100.0, start * 60.0, 25_000.0, 25_000.0, max_instances=2)
    usd = [scenario.spill_usd(load, 0) for load in tokens]
    assert optimum_usd(tokens, usd, scenario) == pytest.approx(of_fleets(tokens, scenario))


def a_random_case(seed: int) -> tuple[Trace, Scenario]:
    rng = random.Random(seed)
    minutes = rng.randint(1, 120)
    level, tokens = 0.0, array("d")
    for _ in range(minutes):
        if rng.random() < 0.1:
            level = rng.choice([0.0, 0.0, 30.0, 100.0, 250.0, 900.0])
        tokens.append(level * rng.uniform(0.3, 1.7))
    low = rng.choice([0, 0, 1])
    scenario = Scenario(
        usd_per_instance_hour=rng.uniform(1, 100),
        tokens_per_minute_per_instance=rng.choice([50.0, 100.0, 400.0]),
        cold_start_seconds=rng.uniform(0, 900),
        prompt_usd_per_million=rng.uniform(1e3, 3e4),
        min_instances=low,
        max_instances=rng.randint(max(1, low), 6),
        check_interval_minutes=rng.choice([1, 1, 3]),
    )
    return Trace(array("d", [1.0] * minutes), tokens, array("d", bytes(8 * minutes)), rng.randint(0, 3000)), scenario


def test_no_policy_is_cheaper_than_the_optimum_on_a_thousand_random_cases() -> None:
    for seed in range(1000):
        trace, scenario = a_random_case(seed)
        best = optimum_usd(trace.tokens(), trace.spill_usd(scenario), scenario)
        for outcome in replay(trace, scenario, POLICIES):
            assert outcome.usd >= best * (1 - 1e-9), (seed, outcome.policy)
