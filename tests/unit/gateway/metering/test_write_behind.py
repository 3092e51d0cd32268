"""Usage counted together by a long-lived server."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from spillway.gateway.metering.write_behind import WriteBehindCounters
from spillway.gateway.request_record import UsageBucket
from tests.unit.gateway.doubles import FakeCounters

pytestmark = pytest.mark.usefixtures("virtual_time")
SECONDS = 10.0
HOUR = UsageBucket("llama", 494_313, "primary", "fleet", "key_1")
OTHER = HOUR._replace(key_id="key_2")


def a_counter(
    seconds: float = SECONDS,
) -> tuple[WriteBehindCounters[UsageBucket], FakeCounters, list[Mapping[str, Any]]]:
    table, lines = FakeCounters(), list[Mapping[str, Any]]()
    return WriteBehindCounters(table, seconds, lines.append), table, lines


async def test_requests_of_one_bucket_are_one_write() -> None:
    later, table, _ = a_counter()
    for tokens in (3, 4):
        await later.add(HOUR, {"requests": 1, "prompt_tokens": tokens}, 100 + tokens)
    await later.add(OTHER, {"requests": 1}, 100)
    assert table.added == []
    await asyncio.sleep(SECONDS + 1)
    assert sorted(table.added) == [
        (HOUR, {"requests": 2, "prompt_tokens": 7}, 104),
        (OTHER, {"requests": 1}, 100),
    ]


async def test_what_comes_after_a_write_is_written_too() -> None:
    later, table, _ = a_counter()
    for _ in range(3):
        await later.add(HOUR, {"requests": 1}, 100)
        await asyncio.sleep(SECONDS + 1)
    assert [added.counts for added in table.added] == [{"requests": 1}] * 3


async def test_a_server_that_stops_writes_what_is_left_at_once() -> None:
    later, table, _ = a_counter(seconds=3600)
    await later.add(HOUR, {"requests": 1}, 100)
    await asyncio.wait_for(later.close(), 1)
    assert table.added == [(HOUR, {"requests": 1}, 100)]


async def test_what_the_table_does_not_take_is_in_the_log() -> None:
    later, table, lines = a_counter()
    table.down = True
    await later.add(HOUR, {"requests": 2}, 100)
    await later.close()
    assert lines == [
        {
            "message": "usage not counted",
            "deployment": "llama",
            "hour": 494_313,
            "role": "primary",
            "path": "fleet",
            "key_id": "key_1",
            "counts": {"requests": 2},
            "detail": "down",
        }
    ]


async def test_stopping_without_traffic_is_nothing() -> None:
    later, table, _ = a_counter()
    await later.close()
    assert table.added == []
