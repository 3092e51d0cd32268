"""The floor: what must stay up, by minimum, warm windows and the lack of a spill target."""

from datetime import UTC, datetime
from typing import Any

import pytest

from spillway.domain.deployments.schedule import floor_at
from tests.builders import a_spec

TUESDAY_NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def capacity(*windows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"min": 0, "max": 4, "warm_windows": list(windows), **changes}


def window(days: str, start: str, end: str, zone: str = "UTC", least: int = 1) -> dict[str, Any]:
    return {"days": days.split(), "from": start, "to": end, "time_zone": zone, "min": least}


@pytest.mark.parametrize(
    ("changes", "floor"),
    [
        ({"capacity": capacity()}, 0),
        ({"capacity": capacity(min=2)}, 2),
        # Without a spill target nobody else could answer.
        ({"capacity": capacity(), "spill": None}, 1),
        ({"capacity": capacity(), "spill": None, "path": "jumpstart"}, 1),
        ({"capacity": capacity(), "spill": None, "path": "bedrock"}, 0),
        ({"capacity": capacity(min=3), "spill": None}, 3),
        # Unless the user says what waiting costs.
        ({"capacity": capacity(), "spill": None, "thresholds": {"waiting_usd_per_request": 0.1}}, 0),
        ({"capacity": capacity(min=2), "spill": None, "thresholds": {"waiting_usd_per_request": 0.1}}, 2),
        # The highest of all that asks for something counts.
        ({"capacity": capacity(window("tue", "08:00", "20:00", least=3), min=2)}, 3),
        ({"capacity": capacity(window("tue", "08:00", "20:00"), window("tue", "11:00", "13:00", least=2))}, 2),
        ({"capacity": capacity(window("wed", "08:00", "20:00", least=3), min=2)}, 2),
    ],
)
def test_the_floor_is_the_most_that_anything_asks_for(changes: dict[str, Any], floor: int) -> None:
    assert floor_at(a_spec(**changes), TUESDAY_NOON) == floor


# 24 November 2026 is a Tuesday. Germany moves its clocks on 29 March (02:00 → 03:00) and 25 October (03:00 → 02:00).
@pytest.mark.parametrize(
    ("opening", "now", "is_open"),
    [
        # The start belongs to the window, the end does not.
        (window("tue", "08:00", "20:00"), "2026-11-24T07:59:59+00:00", False),
        (window("tue", "08:00", "20:00"), "2026-11-24T08:00:00+00:00", True),
        (window("tue", "08:00", "20:00"), "2026-11-24T19:59:59+00:00", True),
        (window("tue", "08:00", "20:00"), "2026-11-24T20:00:00+00:00", False),
        (window("wed", "08:00", "20:00"), "2026-11-24T12:00:00+00:00", False),
        # Days and hours are those of the window's own time zone.
        (window("tue", "08:00", "20:00", "Europe/Berlin"), "2026-11-24T06:59:00+00:00", False),
        (window("tue", "08:00", "20:00", "Europe/Berlin"), "2026-11-24T07:00:00+00:00", True),
        (window("wed", "00:00", "08:00", "Asia/Tokyo"), "2026-11-24T15:00:00+00:00", True),
        (window("tue", "00:00", "08:00", "Asia/Tokyo"), "2026-11-24T15:00:00+00:00", False),
        # Summer time: eight o'clock in Berlin is another hour in UTC.
        (window("fri", "08:00", "20:00", "Europe/Berlin"), "2026-03-27T06:30:00+00:00", False),
        (window("mon", "08:00", "20:00", "Europe/Berlin"), "2026-03-30T06:30:00+00:00", True),
        # The hour that does not exist on the day of the change, and the one that comes twice.
        (window("sun", "02:30", "03:30", "Europe/Berlin"), "2026-03-29T00:59:00+00:00", False),
        (window("sun", "02:30", "03:30", "Europe/Berlin"), "2026-03-29T01:00:00+00:00", True),
        (window("sun", "02:30", "03:00", "Europe/Berlin"), "2026-10-25T00:30:00+00:00", True),
        (window("sun", "02:30", "03:00", "Europe/Berlin"), "2026-10-25T01:30:00+00:00", True),
        (window("sun", "02:30", "03:00", "Europe/Berlin"), "2026-10-25T02:00:00+00:00", False),
        # Past midnight: the span belongs to the day on which it starts.
        (window("mon", "22:00", "06:00"), "2026-11-23T21:59:00+00:00", False),
        (window("mon", "22:00", "06:00"), "2026-11-23T22:00:00+00:00", True),
        (window("mon", "22:00", "06:00"), "2026-11-24T05:59:00+00:00", True),
        (window("mon", "22:00", "06:00"), "2026-11-24T06:00:00+00:00", False),
        (window("mon", "22:00", "06:00"), "2026-11-23T05:00:00+00:00", False),
        (window("sun", "22:00", "06:00"), "2026-11-23T05:00:00+00:00", True),
        # The same time twice is a whole day.
        (window("mon", "09:00", "09:00"), "2026-11-24T08:59:00+00:00", True),
        (window("mon", "09:00", "09:00"), "2026-11-24T09:00:00+00:00", False),
    ],
)
def test_a_window_is_open_by_its_own_clock(opening: dict[str, Any], now: str, is_open: bool) -> None:
    spec = a_spec(capacity=capacity(opening))
    assert floor_at(spec, datetime.fromisoformat(now)) == int(is_open)
