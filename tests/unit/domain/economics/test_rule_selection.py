"""Rules on paper: what their starts have earned decides how soon the next one comes."""

import pytest

from spillway.domain.economics.rule_selection import OFF, RuleScores

START = 5
# The first rule starts at half and stops at a quarter of a start's price: 2.5 and 1.25 instance minutes.
EAGER = 0


def minutes_to_start(paper: RuleScores) -> int:
    for minute in range(1, 100):
        paper.see(1.0, START, 0)
        if paper.modes[EAGER] != OFF:
            return minute
    raise AssertionError("it never starts")


# Each start costs 5. Twenty minutes that save 1 and two that lose 1 until it stops make 13: more than two starts, the
# most that counts, so the next threshold is 2.5 / e^0.6 = 1.37. None and two make -7: 2.5 x e^(0.6 x 0.7) = 3.80.
@pytest.mark.parametrize(("busy", "after"), [(20, 2), (0, 4)])
def test_a_start_that_earned_makes_the_next_one_easier_and_one_that_lost_harder(busy: int, after: int) -> None:
    paper = RuleScores()
    assert minutes_to_start(paper) == 3
    for gain in [1.0] * (START + busy) + [-1.0] * 2:
        paper.see(gain, START, 0)
    assert paper.modes[EAGER] == OFF
    assert minutes_to_start(paper) == after


def test_what_starts_lost_is_forgotten_as_later_ones_earn() -> None:
    paper = RuleScores()
    for busy in (0, 0, 0, 20, 20, 20, 20, 20, 20):
        minutes_to_start(paper)
        for gain in [1.0] * (START + busy) + [-1.0] * 2:
            paper.see(gain, START, 0)
    assert minutes_to_start(paper) <= 2
