"""The share of what is common: an estimate that adds up, beside the exact parts and in none of them."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.costs.ledger import total
from spillway.domain.costs.shared_services import NOT_COUNTED, shared_parts
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.usage import HourOfTraffic, Hours, Traffic
from spillway.domain.pricing.price_book import PriceBook, Source, UnitPrice
from tests.builders import NOW, a_deployment, a_price_book, a_spec

NINE, HOUR = NOW.replace(minute=0), timedelta(hours=1)
SOURCE = Source("a test", "2026-11-24")
# A request costs 10 + 2 + 2 * 6 + 4/2 micro-dollars and nothing for its log and its answer; a gigabyte-second 100.
MICRO_USD = {
    "api_gateway_request": 10,
    "lambda_request": 2,
    "lambda_gb_second_arm64": 100,
    "dynamodb_write": 6,
    "dynamodb_read": 4,
    "cloudwatch_logs_gb": 0,
    "data_out_gb": 0,
}


def prices(**more: int) -> PriceBook:
    units = {**MICRO_USD, **more}
    return a_price_book(platform={name: UnitPrice(micro_usd / 1e6, SOURCE) for name, micro_usd in units.items()})


def used(key: str, requests: int, gb_seconds: float, hour: datetime = NINE) -> HourOfTraffic:
    traffic = Traffic(requests=requests, lambda_mb_ms=round(gb_seconds * 1024 * 1000))
    return HourOfTraffic(hour, "primary", "fleet", key, traffic)


def checks(runs: int = 60, gb_seconds: float = 0, hour: datetime = NINE) -> Hours:
    return Hours((HourOfTraffic(hour, "check", "lambda", "", used("", runs, gb_seconds).traffic),))


def there(name: str, **changes: Any) -> Deployment:
    return a_deployment(name, **{"created_at": NINE - 48 * HOUR, "updated_at": NINE - 48 * HOUR, **changes})


def test_requests_share_by_their_number_and_the_time_they_occupied() -> None:
    hours = {"aa": Hours((used("key_a", 3, 2.5), used("key_b", 1, 40)))}
    parts, unknown = shared_parts([there("aa")], hours, Hours(), prices())
    assert [(part.key, part.path, part.amounts.shared_micro_usd) for part in parts] == [
        ("key_a", "fleet", 3 * 26 + 250),
        ("key_b", "fleet", 26 + 4000),
    ]
    assert unknown == set(NOT_COUNTED)
    assert total([part.amounts for part in parts]).micro_usd == 0


def test_the_check_is_shared_by_those_that_were_there_in_the_hour() -> None:
    deployments = [
        there("aa"),
        there("bb", spec=a_spec(name="bb", path="bedrock")),
        there("cc", status=Status.RETIRED, updated_at=NINE + timedelta(minutes=5)),
        there("gone", status=Status.RETIRED, updated_at=NINE - timedelta(minutes=5)),
        there("later", created_at=NINE + HOUR),
    ]
    hours = {one.name: Hours() for one in deployments}
    # 60 runs and 10 GB-seconds: 120 + 1,000 micro-dollars for three, and one cannot be split.
    parts, _ = shared_parts(deployments, hours, checks(60, 10), prices())
    assert [
        (part.deployment, part.path, part.key, part.amounts.shared_micro_usd)
        for part in parts
        if part.amounts.shared_micro_usd
    ] == [
        ("aa", "fleet", "", 374),
        ("bb", "bedrock", "", 373),
        ("cc", "fleet", "", 373),
    ]


def test_the_load_balancer_is_shared_by_fleets_where_its_price_is_known() -> None:
    deployments = [there("aa"), there("bb"), there("cc", spec=a_spec(name="cc", path="bedrock"))]
    hours = {"aa": Hours()}
    parts, unknown = shared_parts(deployments, hours, checks(0), prices(load_balancer_hour=22_501))
    # Half of it; the other half is another deployment's, which was not asked for.
    assert total([part.amounts for part in parts]).shared_micro_usd == 11_251
    assert unknown == set(NOT_COUNTED)
    _, unknown = shared_parts(deployments, hours, checks(0), prices())
    assert any("load balancer" in name for name in unknown)


def test_what_was_not_metered_or_has_no_price_is_left_out_and_named() -> None:
    unmetered = {"aa": Hours((used("key_a", 3, 0),))}
    parts, unknown = shared_parts([there("aa")], unmetered, Hours(), prices())
    assert total([part.amounts for part in parts]).shared_micro_usd == 0
    assert any("not metered" in name for name in unknown)
    parts, unknown = shared_parts([there("aa")], {"aa": Hours()}, checks(), a_price_book())
    assert total([part.amounts for part in parts]).shared_micro_usd == 0
    assert any("the check's time" in name for name in unknown)


@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 5000))
def test_shares_of_all_add_up_to_the_whole(deployments: int, runs: int, gb_seconds: int) -> None:
    all_there = [there(f"a{number}") for number in range(deployments)]
    hours = {one.name: Hours() for one in all_there}
    parts, _ = shared_parts(all_there, hours, checks(runs, gb_seconds), prices(load_balancer_hour=22_500))
    assert total([part.amounts for part in parts]).shared_micro_usd == 2 * runs + 100 * gb_seconds + 22_500
