"""What is kept of a deployment's traffic, whichever way it is weighed."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spillway.domain.economics.import_windows.copies import Imported
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.pricing.price_book import Source, TokenPrice
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import remember
from tests.builders import a_capacity, a_deployment, a_spec

START = datetime(2026, 11, 24, 12, 58, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LARGER = {"instance_type": "g6e.12xlarge", "tokens_per_minute_per_instance": 500}
CAPACITY = {"max": 3, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 100, "larger": LARGER}


@pytest.mark.parametrize("weighed", [{}, {"larger_usd_per_hour": 180.0}, {"imported": Imported()}])
def test_a_look_leaves_what_the_last_one_kept_as_it_was_for_a_look_that_repeats_it(weighed: dict[str, Any]) -> None:
    fleet = a_deployment(spec=a_spec(capacity=CAPACITY), cold_start_seconds=300.0)
    price = TokenPrice(20_000.0, 20_000.0, Source("test", "2026-11"))
    snapshot = Snapshot(fleet, a_capacity(1), Load(), Memory(), 60.0, price, **weighed)
    for at in range(8):
        now = START + at * MINUTE
        snapshot = replace(snapshot, load=Load(tuple(Minute(now - back * MINUTE, 1, 250) for back in (2, 3, 4))))
        kept = deepcopy(snapshot.memory)
        found = remember(snapshot, now)
        assert snapshot.memory == kept
        assert remember(snapshot, now) == found
        snapshot = replace(snapshot, memory=found)
