"""Ladders: what the rule climbs and steps down for, what it can't lose, and that nobody beats the optimum."""

import random
from array import array
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.decision import Code, Reason
from spillway.domain.economics.ladders.optimum import optimum_usd
from spillway.domain.economics.ladders.replay import policies_of, replay
from spillway.domain.economics.ladders.rule import State, step
from spillway.domain.economics.ladders.rungs import Ladder, Rung
from spillway.domain.economics.ladders.simulation import Climber
from spillway.domain.economics.optimum import layer_optimum
from spillway.domain.economics.rule import Traffic
from spillway.domain.economics.trace import Trace

# Tokens cost two dollars a hundred; a small instance a dollar a minute for 100, a large one three for 500.
SMALL, LARGE = Rung("small", 60.0, 100.0, 180.0), Rung("large", 180.0, 500.0, 300.0)
LADDER = Ladder((SMALL, LARGE), 20_000.0, 20_000.0)
NONE, ONE_SMALL, ONE_LARGE = range(3)


def decide(loads: list[float], ladder: Ladder = LADDER) -> list[tuple[int, Reason | None]]:
    state, found = State.of(ladder), []
    for load in loads:
        state, place, reason = step(state, Traffic(load, ladder.spill_usd(load, 0)), ladder)
        found.append((place, reason))
    return found


def a_trace(loads: list[float]) -> Trace:
    return Trace(array("d", [1.0] * len(loads)), array("d", loads), array("d", bytes(8 * len(loads))))


# --------------------------------------------------------------------------------------------------------- what it does


@pytest.mark.parametrize(("load", "place"), [(40.0, NONE), (90.0, ONE_SMALL), (230.0, ONE_LARGE), (400.0, ONE_LARGE)])
def test_traffic_that_lasts_ends_on_the_rung_that_serves_it_cheapest(load: float, place: int) -> None:
    assert decide([load] * 600)[-1][0] == place


def test_it_climbs_with_the_traffic_and_steps_down_again_and_says_why_in_dollars() -> None:
    moves = [
        (place, reason) for place, reason in decide([90.0] * 60 + [450.0] * 60 + [90.0] * 60 + [0.0] * 60) if reason
    ]
    assert [place for place, _ in moves] == [ONE_SMALL, ONE_LARGE, ONE_SMALL, NONE]
    codes = [reason.code for _, reason in moves]
    assert codes == [Code.TRAFFIC_PAYS, Code.TRAFFIC_PAYS, Code.TRAFFIC_FELL, Code.TRAFFIC_FELL]
    for _, reason in moves:
        assert reason.observed is not None
        assert reason.threshold is not None
        assert reason.observed >= reason.threshold > 0
        assert (reason.unit, "$" in reason.sentence) == ("USD", True)
    assert moves[1][1].sentence.startswith("1 x small and tokens beyond it cost $")
    # There: five minutes of the large one; back: three of the small one.
    assert moves[1][1].threshold == pytest.approx(5 * 3 + 3 * 1)


@given(
    prefix=st.lists(st.sampled_from([0.0, 90.0, 450.0]), min_size=1, max_size=30),
    one=st.lists(st.sampled_from([0.0, 90.0, 450.0]), max_size=30),
    other=st.lists(st.sampled_from([0.0, 90.0, 450.0]), max_size=30),
)
@settings(deadline=None, max_examples=60)
def test_what_comes_later_changes_nothing_before(prefix: list[float], one: list[float], other: list[float]) -> None:
    prefix = [load for load in prefix for _ in range(5)]
    assert decide(prefix + one)[: len(prefix)] == decide(prefix + other)[: len(prefix)]


# ------------------------------------------------------------------------------------------------------------- moving


def test_the_small_instances_answer_until_the_large_one_does() -> None:
    climber = Climber(LADDER, place=ONE_SMALL)
    climber.want(ONE_LARGE)
    for _ in range(5):
        assert climber.place == ONE_SMALL
        assert climber.capacity == 600.0
        climber.serve(100.0, 2.0, 1.0)
    assert (climber.place, climber.capacity) == (ONE_LARGE, 500.0)
    # Both were billed, and nothing was spilled.
    assert climber.usd == pytest.approx(5 * 1 + 5 * 3)
    assert climber.spilled_tokens == 0


def test_a_start_goes_on_until_what_is_wished_for_needs_none() -> None:
    climber = Climber(LADDER, place=ONE_SMALL)
    climber.want(ONE_LARGE)
    climber.serve(0.0, 0.0, 0.0)
    climber.want(ONE_LARGE)
    assert climber.left == 4
    climber.want(ONE_SMALL)
    assert (climber.left, climber.capacity) == (0, 100.0)
    climber.want(ONE_LARGE)
    climber.want(NONE)
    assert (climber.place, climber.left, climber.capacity) == (NONE, 0, 0.0)


def test_what_is_given_back_costs_nothing_from_the_next_minute_on() -> None:
    climber = Climber(LADDER, place=ONE_LARGE)
    climber.want(NONE)
    climber.serve(50.0, 1.0, 2.0)
    assert (climber.usd, climber.cold_requests) == (1.0, 2.0)


# ------------------------------------------------------------------------------------------------------ the optimum


def by_brute_force(loads: list[float], ladder: Ladder) -> float:
    """The cheapest of all that a climber can be told, minute by minute: to step down, to start something, or both."""
    frontier = [Climber(ladder)]
    places = range(len(ladder.places))
    for load in loads:
        best: dict[tuple[int, int, int], Climber] = {}
        for before in frontier:
            for first in places:
                for second in places:
                    climber = replace(before)
                    climber.want(first)
                    climber.want(second)
                    climber.serve(load, ladder.spill_usd(load, 0), 0.0)
                    known = best.setdefault((climber.place, climber.target, climber.left), climber)
                    if climber.usd < known.usd:
                        best[climber.place, climber.target, climber.left] = climber
        frontier = list(best.values())
    return min(climber.usd for climber in frontier)


@given(
    loads=st.lists(st.sampled_from([0.0, 60.0, 100.0, 250.0, 500.0]), min_size=1, max_size=14),
    repeat=st.integers(1, 3),
    counts=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    starts=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
@settings(deadline=None, max_examples=60)
def test_the_optimum_is_the_best_of_all_sequences_of_moves(
    loads: list[float], repeat: int, counts: tuple[int, int], starts: tuple[int, int]
) -> None:
    small = replace(SMALL, max_instances=counts[0], cold_start_seconds=60 * starts[0])
    large = replace(LARGE, max_instances=counts[1], cold_start_seconds=60 * starts[1])
    ladder = replace(LADDER, rungs=(small, large))
    loads = [load for load in loads for _ in range(repeat)]
    usd = [ladder.spill_usd(load, 0) for load in loads]
    assert optimum_usd(loads, usd, ladder) == pytest.approx(by_brute_force(loads, ladder))


@given(loads=st.lists(st.sampled_from([0.0, 50.0, 100.0]), max_size=40))
@settings(deadline=None)
def test_a_ladder_of_one_instance_has_a_layers_optimum(loads: list[float]) -> None:
    ladder = replace(LADDER, rungs=(SMALL,))
    usd = [ladder.spill_usd(load, 0) for load in loads]
    assert optimum_usd(loads, usd, ladder) == pytest.approx(layer_optimum(usd, 1.0, 3))


def a_random_case(seed: int) -> tuple[list[float], Ladder]:
    rng = random.Random(seed)
    level, loads = 0.0, []
    for _ in range(rng.randint(1, 200)):
        if rng.random() < 0.1:
            level = rng.choice([0.0, 0.0, 30.0, 100.0, 250.0, 900.0])
        loads.append(level * rng.uniform(0.3, 1.7))
    rungs, capacity, price = [], 60.0, 40.0
    for number in range(rng.randint(1, 3)):
        rungs.append(Rung(f"rung-{number}", price, capacity, rng.uniform(0, 600), rng.randint(1, 3)))
        capacity, price = capacity * rng.uniform(1.2, 5), price * rng.uniform(0.8, 4)
    return loads, Ladder(tuple(rungs), rng.uniform(1e3, 3e4), 0.0, rng.choice([1, 1, 3]))


def test_no_policy_is_cheaper_than_the_optimum_on_five_hundred_random_cases() -> None:
    for seed in range(500):
        loads, ladder = a_random_case(seed)
        best = optimum_usd(loads, [ladder.spill_usd(load, 0) for load in loads], ladder)
        for outcome in replay(a_trace(loads), ladder, policies_of(ladder)):
            assert outcome.usd >= best * (1 - 1e-9), (seed, outcome.policy)


# ------------------------------------------------------------------------------------------------------ the worst case


def an_adversary(seed: int, ladder: Ladder, minutes: int = 4000) -> list[float]:
    """Traffic that is, just after each move, what the new place is worst at, most of the time."""
    rng, state, loads = random.Random(seed), State.of(ladder), []
    levels = [0.0, *(place.capacity for place in ladder.places[1:])]
    here, load = NONE, levels[-1]
    for _ in range(minutes):
        loads.append(load)
        _, there, _ = step(state, Traffic(load, ladder.spill_usd(load, 0)), ladder)
        if there != here or rng.random() < 0.01:
            others = [level for level in levels if level != ladder.places[there].capacity]
            here, load = there, rng.choice(others)
    return loads


def with_instant_starts(loads: list[float], ladder: Ladder) -> tuple[float, float, float]:
    """What the places chosen would cost if starts were instant, the least possible then, and the dearest start."""
    state, usd = State.of(ladder), 0.0
    for load in loads:
        before = state.place
        _, there, _ = step(state, Traffic(load, ladder.spill_usd(load, 0)), ladder)
        place = ladder.places[there]
        usd += ladder.move_usd(before, there) + place.usd_per_minute
        usd += ladder.spill_usd(max(0.0, load - place.capacity), 0)
    return usd, state.least, max(place.start_usd for place in ladder.places)


@pytest.mark.parametrize("seed", range(20))
def test_the_theorem_holds_against_an_adversary_and_by_chance(seed: int) -> None:
    for loads, ladder in ((an_adversary(seed, LADDER), LADDER), a_random_case(seed)):
        usd, least, dearest = with_instant_starts(loads, ladder)
        places = len(ladder.places)
        assert usd <= (2 * places - 1) * least + 2 * places * dearest


@pytest.mark.parametrize("seed", range(20))
def test_an_adversary_does_not_get_beyond_that_factor_with_real_starts_either(seed: int) -> None:
    loads = an_adversary(seed, LADDER)
    [outcome] = replay(a_trace(loads), LADDER, ["spillway"])
    assert outcome.over_optimum is not None
    assert outcome.over_optimum <= 2 * len(LADDER.places) - 1


# -------------------------------------------------------------------------------------------------------- bad ladders


@pytest.mark.parametrize(
    ("rungs", "says"),
    [
        ((), "rungs has 0 entries: it must have from 1 to 8"),
        ((LARGE, SMALL), "rungs.1.tokens_per_minute_per_instance is 100: rungs go from small to large"),
        ((SMALL, replace(LARGE, name="small")), "a name each"),
        ((SMALL, replace(LARGE, max_instances=99)), "may have 99 at most"),
    ],
)
def test_rungs_that_make_no_ladder_are_refused(rungs: tuple[Rung, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Ladder(rungs)
