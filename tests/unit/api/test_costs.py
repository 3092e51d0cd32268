"""``GET /costs``."""

import csv
import io
from datetime import UTC, date, datetime

import pytest

from spillway.domain.costs.aws_bill import Billed
from spillway.domain.errors import Retryable
from spillway.domain.observations.usage import HourOfTraffic, Traffic
from spillway.domain.pricing.price_book import price_book
from tests.builders import SPILL_MODEL, a_deployment, an_instance_time
from tests.fakes import FakeBills
from tests.unit.api.conftest import World


@pytest.fixture
def used(world: World) -> World:
    world.deployments.items["support-llama"] = a_deployment()
    world.deployments.items["other"] = a_deployment("other")
    world.usage.put_instance_times([an_instance_time(seconds=3600, warm_up_seconds=360)])
    hour = datetime(2026, 11, 24, 9, tzinfo=UTC)
    world.usage.by_hour["support-llama"] = [
        HourOfTraffic(hour, "primary", "fleet", "key_a", Traffic(4, 0, 900_000, 0, 100_000)),
        HourOfTraffic(hour, "spill", "bedrock", "key_a", Traffic(2, 0, 1_000_000, 0, 500_000)),
    ]
    return world


def test_the_months_cost_is_shown_by_deployment(used: World) -> None:
    answer = used.call("GET", "/costs")
    assert answer.status == 200
    report = answer.json
    price = price_book().bedrock[SPILL_MODEL]
    spilled = price.prompt_usd + price.completion_usd / 2
    assert (report["from"], report["to"]) == ("2026-11-01T00:00:00Z", "2026-11-24T10:00:00Z")
    (row,) = report["rows"]
    assert row["group"] == "support-llama"
    assert (row["usd"], row["spill_usd"]) == (pytest.approx(1.861 + spilled), pytest.approx(spilled))
    assert (row["instance_seconds"], row["warm_up_seconds"], row["warm_up_usd"]) == (3600, 360, 0.1861)
    assert row["usd_per_million_tokens"] == pytest.approx((1.861 + spilled) / 2.5)
    assert row["elsewhere_usd"]["bedrock"] == pytest.approx(1.9 * price.prompt_usd + 0.6 * price.completion_usd)
    assert {**row, "group": "total"} == report["total"]
    assert {source["as_of"] for source in report["prices"]} >= {price.source.as_of}


def test_the_share_of_common_services_is_an_estimate_of_its_own(used: World) -> None:
    hour = datetime(2026, 11, 24, 9, tzinfo=UTC)
    used.usage.add_check(hour, 512 * 1000 * 60)
    before = used.call("GET", "/costs").json["total"]["usd"]
    used.usage.by_hour["other"] = [
        HourOfTraffic(hour, "primary", "fleet", "key_b", Traffic(1000, lambda_mb_ms=256 * 10_000 * 1000))
    ]
    report = used.call("GET", "/costs").json
    shares = {row["group"]: row["shared_usd"] for row in report["rows"]}
    units = {name: price.usd for name, price in price_book().platform.items()}
    # Half of 60 looks of a second at half a gigabyte each; a thousand requests of ten seconds at a quarter each.
    look = (60 / 60 * units["lambda_request"] + 30 * units["lambda_gb_second_arm64"]) / 2
    assert shares["support-llama"] == pytest.approx(look, abs=2e-6)
    # By hand from list prices: $39.2 for a million of them.
    assert shares["other"] == pytest.approx(look + 0.0392, rel=0.01)
    assert report["total"]["usd"] == before
    assert report["total"]["shared_usd"] == pytest.approx(sum(shares.values()))
    assert any("DynamoDB" in name for name in report["shared_leaves_out"])
    alone = used.call("GET", "/costs?deployment=other").json
    assert alone["total"]["shared_usd"] == shares["other"]


def test_groups_come_as_csv_too(used: World) -> None:
    answer = used.call("GET", "/costs?group_by=path&format=csv&from=2026-11-24")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["group"] for row in rows] == ["bedrock", "fleet"]
    assert (rows[1]["usd"], rows[1]["warm_up_usd"]) == ("1.861000", "0.186100")
    assert (rows[1]["utilisation"], rows[1]["elsewhere_bedrock_usd"]) == ("", "")


def test_only_the_asked_for_deployment_and_hours_count(used: World) -> None:
    assert used.call("GET", "/costs?deployment=other").json["total"]["usd"] == 0.0
    later = used.call("GET", "/costs?from=2026-11-24T10:00:00Z&to=2026-11-24T12:00:00Z").json
    assert (later["rows"], later["total"]["usd"]) == ([], 0.0)
    part = used.call("GET", "/costs?from=2026-11-24T09:59:00Z&to=2026-11-24T09:59:30Z&group_by=hour").json
    assert [row["group"] for row in part["rows"]] == ["2026-11-24T09Z"]


def test_a_report_at_the_very_beginning_of_a_month_is_of_the_month_that_ended(world: World) -> None:
    world.now = datetime(2026, 12, 1, tzinfo=UTC)
    report = world.call("GET", "/costs").json
    assert (report["from"], report["to"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("from=yesterday", "from"),
        ("from=2026-13-01", "from"),
        ("to=nan", "to"),
        ("from=2026-11-25&to=2026-11-24", "from"),
        ("from=2020-01-01", "from"),
        ("from=2026-01-01&group_by=hour", "from"),
        ("group_by=colour", "group_by"),
        ("format=xml", "format"),
        ("from=0001-01-01T00:00:00%2B14:00", "from"),
    ],
)
def test_a_question_that_makes_no_sense_is_rejected(world: World, query: str, param: str) -> None:
    answer = world.call("GET", f"/costs?{query}")
    assert (answer.status, answer.error["param"]) == (400, param), answer.text


def test_an_unknown_deployment_is_not_found(world: World) -> None:
    assert world.call("GET", "/costs?deployment=nobody").status == 404


YESTERDAY = date(2026, 11, 23)


@pytest.fixture
def billed(used: World) -> World:
    """Two hours of yesterday, a dollar each and one by a spilled request, and a bill of that day alone."""
    used.bills = FakeBills({YESTERDAY: Billed(2.05, 1.9, is_final=False)})
    nine = datetime(2026, 11, 23, 9, tzinfo=UTC)
    hours = [nine, nine.replace(hour=10)]
    used.usage.put_instance_times([an_instance_time(hour=hour, seconds=3600, usd_per_hour=1.0) for hour in hours])
    used.usage.by_hour["support-llama"].append(
        HourOfTraffic(nine, "spill", "bedrock", "key_a", Traffic(2, 0, 1_000_000, 0, 0))
    )
    return used


def test_whole_past_days_of_instances_are_set_beside_aws_bill(billed: World) -> None:
    report = billed.call("GET", "/costs?bill=true&from=2026-11-22T12:00:00Z&deployment=support-llama").json
    assert billed.bills is not None
    # The half day at the beginning and today are no whole past days.
    assert billed.bills.asked == [(YESTERDAY, date(2026, 11, 24), "support-llama")]
    assert report["bill"] == {
        "problem": None,
        "days": [
            {
                "day": "2026-11-23",
                "instances_usd": 2.0,
                "unblended_usd": 2.05,
                "amortized_usd": 1.9,
                "difference_usd": 0.05,
                "is_final": False,
            }
        ],
    }


def test_a_day_without_a_bill_is_unknown_and_not_free(billed: World) -> None:
    days = billed.call("GET", "/costs?bill=true&from=2026-11-22&to=2026-11-24").json["bill"]["days"]
    assert [(one["day"], one["unblended_usd"], one["difference_usd"]) for one in days] == [
        ("2026-11-22", None, None),
        ("2026-11-23", 2.05, 0.05),
    ]


def test_costs_are_told_also_when_aws_does_not_tell_its_bill(billed: World) -> None:
    assert billed.bills is not None
    billed.bills.failure = Retryable("AccessDeniedException: no")
    answer = billed.call("GET", "/costs?bill=true")
    assert (answer.status, answer.json["bill"]) == (200, {"days": [], "problem": "AccessDeniedException: no"})
    assert answer.json["rows"]


def test_the_bill_is_asked_for_only_on_demand_and_only_where_there_are_days_of_it(billed: World) -> None:
    assert billed.bills is not None
    assert billed.call("GET", "/costs").json["bill"] is None
    today = billed.call("GET", "/costs?bill=true&from=2026-11-24").json["bill"]
    assert (today["days"], billed.bills.asked) == ([], [])
    assert "whole day" in today["problem"]


def test_where_it_is_switched_off_asking_for_the_bill_says_how_to_switch_it_on(used: World) -> None:
    answer = used.call("GET", "/costs?bill=true")
    assert (answer.status, answer.json["error"]["param"]) == (400, "bill")
    assert "CompareWithBill" in answer.json["error"]["message"]
