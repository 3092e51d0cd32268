"""Traffic that a plan can be made for, and credits that pay for it."""

from collections.abc import Iterator
from datetime import date

import pytest

from spillway.domain.credits import Credit, outlook
from spillway.domain.errors import InvalidRequest
from spillway.domain.planner.shape import examples, shape_of_curve, shape_of_log

_HEADER = "t_seconds,requests,prompt_tokens,completion_tokens"


def test_a_log_becomes_its_hours() -> None:
    rows = ["0,1,100,10", "1800,3,300,50", "3600,2,100,20", "10800,1,10,1", "14000,1,10,1"]
    shape = shape_of_log([_HEADER, *rows])
    assert [hour.requests for hour in shape.hours] == [4, 2, 0, pytest.approx(2 * 3600 / 3200)]
    # (1 x 100 + 3 x 300) / 4 and (1 x 10 + 3 x 50) / 4
    assert (shape.hours[0].prompt_tokens, shape.hours[0].completion_tokens) == (250, 40)


def test_minutes_after_the_last_whole_hour_belong_to_it() -> None:
    shape = shape_of_log([_HEADER, "0,3600,1,1", "3599,0,1,1", "3700,400,1,1"])
    (hour,) = shape.hours
    assert hour.requests == pytest.approx(4000 * 3600 / 3700)


def test_columns_are_found_by_name_and_others_are_ignored() -> None:
    shape = shape_of_log(["model,completion_tokens,prompt_tokens,requests,t_seconds", "x,1,2,3,0", "x,1,2,3,3599"])
    assert (shape.hours[0].prompt_tokens, shape.hours[0].completion_tokens) == (2, 1)


def test_a_long_log_is_read_row_by_row() -> None:
    def rows() -> Iterator[str]:
        yield _HEADER
        for second in range(0, 48 * 3600, 10):
            yield f"{second},1,100,20"

    shape = shape_of_log(rows())
    assert len(shape.hours) == 48
    assert shape.hours[5].requests == 360


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "lacks"),
        (["t_seconds,requests"], "lacks prompt_tokens, completion_tokens"),
        ([_HEADER], "no rows"),
        ([_HEADER, "0,1,1"], "row 2"),
        ([_HEADER, "0,1,1,1", "1,1,many,1"], "row 3"),
        ([_HEADER, "0,1,1,1", "1,-1,1,1"], "row 3 of the log: requests is -1"),
        ([_HEADER, "0,1,nan,1"], "row 2 of the log: prompt_tokens is nan"),
        ([_HEADER, "10,1,1,1", "9,1,1,1"], "row 3 of the log is earlier"),
        ([_HEADER, "0,1,1,1", "1e15,1,1,1"], "row 3 of the log is more than a year"),
    ],
)
def test_a_wrong_log_is_answered_with_its_row(rows: list[str], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        shape_of_log(rows)


def test_the_examples_are_days_or_weeks() -> None:
    for name, example in examples().items():
        assert len(example["requests_per_hour"]) in (24, 168), name
        assert example["source"], name


def test_lengths_are_means_over_requests() -> None:
    shape = shape_of_curve([1.0, 3.0] * 12, [100.0, 200.0] * 12, 10.0)
    assert (shape.prompt_tokens, shape.completion_tokens) == (175, 10)
    assert shape.requests_per_month == 48 * 730 / 24


_START = date(2026, 12, 1)
_USD_PER_DAY = 10.0


def test_credits_burn_those_that_expire_first() -> None:
    grants = (Credit(name="activate", usd=100), Credit(name="poc", usd=35, expires_on=date(2026, 12, 31)))
    found = outlook(grants, _USD_PER_DAY, _START)
    assert found.balance_usd == 135
    assert found.usd_per_day == pytest.approx(10)
    # Thirteen whole days; the fourteenth has $5 left.
    assert (found.runs_out_on, found.days_covered) == (date(2026, 12, 14), 13)
    assert [(grant.name, grant.empty_on) for grant in found.grants] == [
        ("poc", date(2026, 12, 4)),
        ("activate", date(2026, 12, 14)),
    ]


def test_what_expires_is_lost() -> None:
    found = outlook((Credit(name="short", usd=100, expires_on=date(2026, 12, 3)),), _USD_PER_DAY, _START)
    assert (found.runs_out_on, found.days_covered) == (date(2026, 12, 4), 3)
    (grant,) = found.grants
    assert grant.used_usd == pytest.approx(30)
    assert grant.unused_usd == pytest.approx(70)
    assert grant.empty_on is None


def test_credits_that_nothing_burns_do_not_run_out() -> None:
    assert outlook((Credit(name="activate", usd=1),), 0, _START).runs_out_on is None
