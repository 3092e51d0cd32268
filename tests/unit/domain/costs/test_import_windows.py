"""What an imported model costs: five-minute windows from the first answer on, and its storage."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.costs.import_windows import windows_of
from spillway.domain.costs.running_estimate import add_up
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.paths.targets import ImportedTarget
from spillway.domain.pricing.price_book import MODEL_UNIT, STORED_UNIT, ImportPrices, PriceBook, Source, UnitPrice
from spillway.domain.scaling.check_state import Memory
from tests.builders import NOW, a_deployment, a_price_book, a_spec

MINUTE = timedelta(minutes=1)
SOURCE = Source("a test", "2026-11-24")
# A unit costs 6 cents a minute, and $7.30 a month of storage: a cent an hour.
IMPORTS = ImportPrices(UnitPrice(0.06, SOURCE), UnitPrice(7.3, SOURCE))
START = NOW - 60 * MINUTE


def an_import(**changes: Any) -> Deployment:
    spec = a_spec(path="import", model={"id": "Qwen/Qwen3-8B", "weights": "s3://weights/qwen3"}, capacity=None)
    target = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef123456", 2)
    return a_deployment(spec=spec, **{"target": target, "created_at": START, **changes})


def a_book() -> PriceBook:
    return replace(a_price_book(), imports=IMPORTS)


def answered(*minutes: int) -> Load:
    """Minutes after the start in which it answered."""
    return Load(tuple(Minute(START + at * MINUTE, 1, primary_requests=1) for at in reversed(minutes)))


@pytest.mark.parametrize(
    ("minutes", "begun"),
    [
        ((), []),
        ((3,), [3]),
        ((3, 4, 7), [3]),
        ((3, 8), [3, 8]),
        ((3, 7, 12, 13), [3, 12]),
        ((0, 1, 2, 3, 4, 5, 6), [0, 5]),
    ],
)
def test_a_window_begins_with_the_first_answer_after_the_last_ones_end(
    minutes: tuple[int, ...], begun: list[int]
) -> None:
    found = windows_of(answered(*minutes), START, NOW, None)
    assert found == [START + at * MINUTE for at in begun]


def test_a_request_that_nobody_answered_opens_none() -> None:
    load = Load((Minute(START, requests=5, bedrock_prompt_tokens=100),))
    assert windows_of(load, START, NOW, None) == []


def test_what_is_paid_for_already_opens_no_new_one() -> None:
    assert windows_of(answered(3, 4, 6), START, NOW, START + 5 * MINUTE) == [START + 6 * MINUTE]


def test_looks_of_every_minute_count_each_window_once_and_storage_by_the_second() -> None:
    deployment, load = an_import(), answered(10, 11, 12, 13, 14, 15, 30)
    memory, kept = Memory(checked_at=START, counted_until=START, month="2026-11"), {}
    for look in range(1, 60):
        now = START + look * MINUTE
        spent = add_up(deployment, Capacity(), load, memory, a_book(), "us-east-1", now)
        memory = replace(spent.memory, checked_at=now)
        kept.update({(one.instance_type, one.hour, one.instance): one for one in spent.instance_times})
    windows = [one for (kind, _, _), one in kept.items() if kind == MODEL_UNIT]
    # At 10, 15 and 30 minutes: two units for five minutes at 6 cents each, 60 cents a window.
    assert [(one.seconds, one.micro_usd) for one in windows] == [(600, 600_000)] * 3
    stored = [one for (kind, _, _), one in kept.items() if kind == STORED_UNIT]
    # Two units for 59 minutes, in the hours of 8:30 to 9:00 and of 9:00 to 9:29.
    assert [one.seconds for one in stored] == [2 * 30 * 60, 2 * 29 * 60]
    assert memory.usd_this_month == pytest.approx(1.8 + 0.02 * 59 / 60)
    assert not memory.has_unpriced


def test_unknown_units_or_prices_are_unknown_and_not_free() -> None:
    target = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef123456")
    memory = Memory(checked_at=START, counted_until=START, month="2026-11")
    no_units = add_up(an_import(target=target), Capacity(), answered(10), memory, a_book(), "us-east-1", NOW)
    no_price = add_up(an_import(), Capacity(), answered(10), memory, a_price_book(), "us-east-1", NOW)
    importing = add_up(an_import(target=None), Capacity(), answered(), memory, a_book(), "us-east-1", NOW)
    assert not importing.memory.has_unpriced
    assert no_units.memory.has_unpriced
    assert no_price.memory.has_unpriced
    assert {one.unpriced_seconds for one in no_price.instance_times if one.instance_type == MODEL_UNIT} == {600}
