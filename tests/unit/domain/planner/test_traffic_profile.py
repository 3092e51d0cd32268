"""Traffic that a plan can be made for, and credits that pay for it."""

from collections.abc import Iterator
from datetime import date

import pytest

from spillway.domain.costs.credits import Credit, outlook
from spillway.domain.economics.traffic_log import read_log
from spillway.domain.errors import InvalidRequest
from spillway.domain.planner.traffic_profile import examples, profile_of_curve, profile_of_log

_HEADER = "t_seconds,requests,prompt_tokens,completion_tokens"


def test_a_log_becomes_its_hours() -> None:
    rows = ["0,1,100,10", "1800,3,900,150", "3600,2,200,40", "10800,1,10,1", "14000,1,10,1"]
    shape = profile_of_log([_HEADER, *rows])
    # The last minute is the 233rd, so that the fourth hour has 54 of them.
    assert [hour.requests for hour in shape.hours] == [4, 2, 0, pytest.approx(2 * 60 / 54)]
    # (100 + 900) / 4 and (10 + 150) / 4: a row's tokens are those of all its requests.
    assert (shape.hours[0].prompt_tokens, shape.hours[0].completion_tokens) == (250, 40)


def test_minutes_after_the_last_whole_hour_belong_to_it() -> None:
    shape = profile_of_log([_HEADER, "0,3600,1,1", "3599,0,1,1", "3700,400,1,1"])
    (hour,) = shape.hours
    assert hour.requests == pytest.approx(4000 * 60 / 62)


def test_windows_of_an_hour_or_more_are_hours_with_their_own_requests() -> None:
    hourly = profile_of_log([_HEADER, *(f"{3600 * hour},{hour + 1},10,10" for hour in range(24))])
    assert [hour.requests for hour in hourly.hours] == pytest.approx(range(1, 25))
    longer = profile_of_log([_HEADER, "0,20,10,10", "7200,40,10,10"])
    assert [hour.requests for hour in longer.hours] == pytest.approx([10, 10, 20, 20])


def test_hours_with_next_to_no_requests_have_none() -> None:
    shape = profile_of_log([_HEADER, "0,5e-324,1e12,1e12", "3600,0,5,5", "7200,10,10,10", "10740,10,10,10"])
    assert [hour.tokens for hour in shape.hours] == [0, 0, 40]


def test_columns_are_found_by_name_and_others_are_ignored() -> None:
    shape = profile_of_log(["model,completion_tokens,prompt_tokens,requests,t_seconds", "x,3,6,3,0", "x,3,6,3,3599"])
    assert (shape.hours[0].prompt_tokens, shape.hours[0].completion_tokens) == (2, 1)


def test_requests_are_added_up_by_the_minute() -> None:
    trace = read_log([_HEADER, "3,1,10,1", "3,1,20,2", "64.5,1,30,3", "200,1,40,4"], "log")
    assert list(trace.prompt_tokens) == [30, 30, 0, 40]
    assert list(trace.requests) == [2, 1, 0, 1]


def test_windows_of_minutes_are_spread_and_missing_ones_are_empty() -> None:
    trace = read_log([_HEADER, "0,10,100,10", "120,10,200,10", "360,10,400,10"], "log")
    assert list(trace.prompt_tokens) == [50, 50, 100, 100, 0, 0, 200, 200]


def test_a_long_log_is_read_row_by_row() -> None:
    def rows() -> Iterator[str]:
        yield _HEADER
        for second in range(0, 48 * 3600, 10):
            yield f"{second},1,100,20"

    shape = profile_of_log(rows())
    assert len(shape.hours) == 48
    assert shape.hours[5].requests == 360


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "row 1 .* lacks"),
        (["t_seconds,requests"], "row 1 .* lacks prompt_tokens, completion_tokens"),
        ([f"{_HEADER},requests"], "row 1 .* names more than once requests"),
        ([_HEADER], "no rows"),
        ([_HEADER, "0,1,1"], "row 2 of the log: 3 columns where the header has 4"),
        ([_HEADER, "0,1,1,1,1"], "row 2 of the log: 5 columns"),
        ([_HEADER, "0,1,1,1", "1,1,many,1"], "row 3 of the log: prompt_tokens is 'many'"),
        ([_HEADER, "0,1,1,1", "", "1,-1,1,1"], "row 4 of the log: requests is '-1'"),
        ([_HEADER, "0,1,nan,1"], "row 2 of the log: prompt_tokens is 'nan'"),
        ([_HEADER, "0,1,1,inf"], "row 2 of the log: completion_tokens is 'inf'"),
        ([_HEADER, "0,1e308,1e308,1"], "row 2 of the log: requests is '1e308'"),
        ([_HEADER, "1764000000000,1,1,1"], "row 2 of the log: t_seconds is '1764000000000'"),
        ([_HEADER, "0,1,1," + "1" * 140_000], "row 2 of the log: cannot be read: field larger"),
        ([_HEADER, "10,1,1,1", "9,1,1,1"], "row 3 of the log: t_seconds 9 comes after 10: .* sorted"),
        ([_HEADER, "9,5,1,1", "9,1,1,1"], "row 3 of the log: a second window at t_seconds 9: .* overlap"),
        ([_HEADER, "0,1,1,1", "4e7,1,1,1"], "row 3 of the log: t_seconds 40000000 is more than 366 days"),
        ([_HEADER, "7,1,1,1", "7,1,1,1"], "all of the log's rows are of one moment"),
    ],
)
def test_a_wrong_log_is_answered_with_its_row(rows: list[str], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        profile_of_log(rows)
    assert caught.value.param == "traffic.log"


def test_the_examples_are_days_or_weeks() -> None:
    for name, example in examples().items():
        assert len(example["requests_per_hour"]) in (24, 168), name
        assert example["source"], name


def test_lengths_are_means_over_requests() -> None:
    shape = profile_of_curve([1.0, 3.0] * 12, [100.0, 200.0] * 12, 10.0)
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
