"""Imported models: what a copy bills, when its windows pay, and that nobody beats the optimum."""

import random
from array import array
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spillway.domain.decision import Code, Reason
from spillway.domain.economics.import_windows.copies import Copy, Imported
from spillway.domain.economics.import_windows.optimum import layer_optimum
from spillway.domain.economics.import_windows.replay import POLICIES, replay
from spillway.domain.economics.import_windows.rule import State, step
from spillway.domain.economics.trace import Trace

# A window of five minutes costs ten dollars; a hundred tokens, which a copy serves a minute, four.
IMPORTED = Imported(1.0, 2, 5, 100.0, 120.0, 2, 40_000.0, 40_000.0)
FULL = 4.0


def decide(spill: list[float], imported: Imported = IMPORTED) -> list[tuple[bool, Reason | None]]:
    state, found = State(Copy(imported)), []
    for usd in spill:
        state, is_used, reason = step(state, usd)
        found.append((is_used, reason))
    return found


def cost(spill: list[float], uses: list[bool], imported: Imported = IMPORTED) -> float:
    """What a layer costs that was sent to its copy in these minutes."""
    copy, elsewhere = Copy(imported), 0.0
    for usd, used in zip(spill, uses, strict=True):
        elsewhere += 0.0 if copy.serve(usd > 0, used=used) else usd
    return elsewhere + copy.windows * imported.window_usd


def by_the_rule(spill: list[float], imported: Imported = IMPORTED) -> float:
    wanted = [is_used for is_used, _ in decide(spill, imported)]
    return cost(spill, [False, *wanted[:-1]], imported) if spill else 0.0


def proved_factor(imported: Imported, most_usd_per_minute: float) -> float:
    """The bound of docs/policy-proof.md on cost over the optimum; ``most_usd_per_minute``: a layer's dearest minute."""
    return 3 + (imported.start_minutes + 1) * most_usd_per_minute / imported.window_usd


def test_the_price_of_a_window_is_the_price_books() -> None:
    # $0.05718 a unit and minute, two units a copy of Llama 3.1 8B, five minutes.
    assert Imported().window_usd == pytest.approx(0.5718)


def test_a_request_starts_a_copy_that_answers_once_it_is_ready_and_bills_whole_windows() -> None:
    copy = Copy(IMPORTED)
    assert [copy.serve(True, used=True) for _ in range(3)] == [False, False, True]
    assert (copy.starts, copy.windows, copy.paid) == (1, 1, 4)
    assert [copy.serve(True, used=True) for _ in range(4)] == [True] * 4
    assert (copy.windows, copy.paid) == (1, 0)
    # The next request opens the next window, without a start.
    assert copy.serve(True, used=True)
    assert (copy.starts, copy.windows) == (1, 2)


def test_a_copy_without_requests_for_a_window_has_to_start_again() -> None:
    copy = Copy(IMPORTED)
    for _ in range(3):
        copy.serve(True, used=True)
    for _ in range(4):
        copy.serve(False, used=True)
    assert copy.is_warm
    copy.serve(False, used=True)
    assert not copy.is_warm
    copy.serve(True, used=True)
    assert (copy.starts, copy.windows) == (2, 1)


def test_traffic_that_would_have_paid_a_window_opens_one_and_says_so_in_dollars() -> None:
    decisions = decide([FULL] * 30)
    at = next(minute for minute, (is_used, _) in enumerate(decisions) if is_used)
    # Three minutes at four dollars are the first to reach ten.
    assert at == 2
    reason = decisions[at][1]
    assert reason == Reason(
        Code.TRAFFIC_PAYS,
        "The last 3 minutes' tokens cost $12.0000; a window of the imported model costs $10.0000.",
        12.0,
        10.0,
        "USD",
    )
    assert all(is_used for is_used, _ in decisions[at:])


def test_a_window_that_did_not_pay_is_not_followed_by_another() -> None:
    decisions = decide([FULL] * 5 + [1.0] * 20)
    assert decisions[-1][0] is False
    [_, (_, reason)] = [found for found in decisions if found[1] is not None]
    assert reason is not None
    assert (reason.code, reason.threshold) == (Code.TRAFFIC_FELL, 10.0)
    assert reason.observed is not None
    assert reason.observed < 10


def test_thin_traffic_never_opens_one() -> None:
    assert not any(is_used for is_used, _ in decide([1.9] * 500))


def test_traffic_that_ends_before_the_copy_is_ready_opens_no_window() -> None:
    spill = [FULL] * 3 + [0.0] * 20
    assert decide(spill)[-1][0] is False
    assert by_the_rule(spill) == 12.0


LOADS = st.lists(st.sampled_from([0.0, 0.0, 1.0, FULL]), max_size=12)


@given(prefix=LOADS, one=LOADS, other=LOADS, repeat=st.integers(1, 8))
@settings(deadline=None, max_examples=60)
def test_what_comes_later_changes_nothing_before(
    prefix: list[float], one: list[float], other: list[float], repeat: int
) -> None:
    prefix = [usd for usd in prefix for _ in range(repeat)]
    assert decide(prefix + one)[: len(prefix)] == decide(prefix + other)[: len(prefix)]


def by_brute_force(spill: list[float], imported: Imported) -> float:
    """The cheapest of all ways to send each minute's requests here or there, on a real copy's bill."""
    frontier = {(0, 0, 0, False): (0.0, Copy(imported))}
    for usd in spill:
        after: dict[tuple[int, int, int, bool], tuple[float, Copy]] = {}
        for spent, before in frontier.values():
            for used in (False, True):
                copy = replace(before)
                answered = copy.serve(usd > 0, used=used)
                total = spent + (copy.windows - before.windows) * imported.window_usd + (0.0 if answered else usd)
                key = (copy.starting, copy.paid, copy.idle, copy.is_warm)
                if key not in after or total < after[key][0]:
                    after[key] = (total, copy)
        frontier = after
    return min(spent for spent, _ in frontier.values())


@given(
    spill=st.lists(st.sampled_from([0.0, 0.0, 1.0, FULL, 30.0]), max_size=24),
    window=st.integers(1, 5),
    start=st.integers(1, 4),
)
# Here it pays to leave a free request out, for a start that costs less than a window.
@example(spill=[1.0, 30.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 30.0], window=3, start=1)
@settings(deadline=None, max_examples=300)
def test_the_optimum_is_the_best_of_all_ways(spill: list[float], window: int, start: int) -> None:
    imported = replace(IMPORTED, window_minutes=window, cold_start_seconds=60 * start)
    assert layer_optimum(spill, imported) == pytest.approx(by_brute_force(spill, imported))


def a_random_trace(seed: int) -> tuple[Trace, Imported]:
    rng = random.Random(seed)
    level, tokens = 0.0, array("d")
    for _ in range(rng.randint(1, 200)):
        if rng.random() < 0.15:
            level = rng.choice([0.0, 0.0, 30.0, 100.0, 250.0])
        tokens.append(level * rng.uniform(0.3, 1.7) * (rng.random() < 0.8))
    imported = replace(
        IMPORTED,
        usd_per_unit_minute=rng.uniform(0.3, 3),
        window_minutes=rng.randint(1, 7),
        cold_start_seconds=rng.uniform(0, 300),
        max_copies=rng.randint(1, 4),
    )
    return Trace(array("d", [1.0] * len(tokens)), tokens, array("d", bytes(8 * len(tokens)))), imported


def test_no_policy_is_cheaper_than_the_optimum_and_the_rule_keeps_its_factor_on_a_thousand_random_cases() -> None:
    for seed in range(1000):
        trace, imported = a_random_trace(seed)
        full_usd = imported.spill_usd(imported.tokens_per_minute_per_copy, 0.0)
        for outcome in replay(trace, imported, POLICIES):
            if outcome.over_optimum is None:
                continue
            assert outcome.over_optimum >= 1 - 1e-9, (seed, outcome.policy)
            if outcome.policy == "spillway":
                assert outcome.over_optimum <= proved_factor(imported, full_usd), seed


@pytest.mark.parametrize("seed", range(20))
def test_an_adversary_does_not_get_beyond_the_proved_factor(seed: int) -> None:
    """Traffic comes while the copy is not used, and goes as soon as a window is paid, or just after it has paid."""
    rng = random.Random(seed)
    state, spill, usd = State(Copy(IMPORTED)), [], FULL
    for _ in range(3000):
        spill.append(usd)
        _, is_used, _ = step(state, usd)
        usd = FULL if not is_used or not state.copy.is_warm or (state.saved < 10 and seed % 2) else 0.0
        if rng.random() < 0.02 * (seed // 4):
            usd = FULL - usd
    assert by_the_rule(spill) <= proved_factor(IMPORTED, FULL) * layer_optimum(spill, IMPORTED)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"window_minutes": 0}, "window_minutes must be above zero"),
        ({"usd_per_unit_minute": -1.0}, "usd_per_unit_minute is -1.0"),
        ({"max_copies": 101}, "max_copies is 101: it must be at most 100"),
        ({"tokens_per_minute_per_copy": float("nan")}, "tokens_per_minute_per_copy is nan"),
    ],
)
def test_numbers_that_make_no_copy_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(IMPORTED, **change)
