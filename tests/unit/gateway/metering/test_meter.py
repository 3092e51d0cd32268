"""What a request's counters say of the time that it occupied."""

import pytest

from spillway.gateway.metering.meter import Meter
from spillway.gateway.request_record import Record
from tests.unit.gateway.doubles import FakeClock, FakeCounters, FakeTraffic


@pytest.mark.parametrize(("megabytes", "counted"), [(256, 256 * 2500), (0, None)], ids=["on Lambda", "on a server"])
async def test_the_memory_that_lambda_bills_is_metered_for_as_long_as_a_request_lasts(
    megabytes: int, counted: int | None
) -> None:
    counters, clock = FakeCounters(), FakeClock()
    meter = Meter(counters, FakeTraffic(), clock.now, clock.monotonic, lambda _: None, megabytes)
    await meter.settle(Record("req_1", "support-llama", "key_a", begun=clock.monotonic() - 2.5))
    assert counters.added[0].counts.get("lambda_mb_ms") == counted
