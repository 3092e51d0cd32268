"""What is asked of Cost Explorer, checked against botocore's model, and what its answers mean."""

from datetime import date
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from spillway.adapters.observe.cost_explorer import ENDPOINT_REGION, CostExplorer
from spillway.domain.costs.aws_bill import Billed
from spillway.domain.errors import Retryable

STACK_ONLY = {"Tags": {"Key": "spillway:stack", "Values": ["spillway"], "MatchOptions": ["EQUALS"]}}
WITH_DEPLOYMENT = {
    "And": [STACK_ONLY, {"Tags": {"Key": "spillway:deployment", "Values": ["llama"], "MatchOptions": ["EQUALS"]}}]
}
FIRST, END = date(2026, 11, 21), date(2026, 11, 24)


def asked(**more: Any) -> dict[str, Any]:
    return {
        "TimePeriod": {"Start": "2026-11-21", "End": "2026-11-24"},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost", "AmortizedCost"],
        "Filter": STACK_ONLY,
        **more,
    }


def a_day(day: int, unblended: str, amortized: str, *, estimated: bool = False, unit: str = "USD") -> dict[str, Any]:
    return {
        "TimePeriod": {"Start": f"2026-11-{day}", "End": f"2026-11-{day + 1}"},
        "Total": {
            "UnblendedCost": {"Amount": unblended, "Unit": unit},
            "AmortizedCost": {"Amount": amortized, "Unit": unit},
        },
        "Groups": [],
        "Estimated": estimated,
    }


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> tuple[CostExplorer, Stubber]:
    client = boto3.client("ce", ENDPOINT_REGION, aws_access_key_id="t", aws_secret_access_key="t")
    return CostExplorer(client, "spillway"), Stubber(client)


def test_days_come_page_by_page(stubbed: tuple[CostExplorer, Stubber]) -> None:
    bills, stub = stubbed
    pages: list[dict[str, Any]] = [
        {"ResultsByTime": [a_day(21, "44.6640000000", "40.1")], "NextPageToken": "more"},
        {"ResultsByTime": [a_day(22, "0", "0"), a_day(23, "1.5", "1.25", estimated=True)]},
    ]
    stub.add_response("get_cost_and_usage", pages[0], asked())
    stub.add_response("get_cost_and_usage", pages[1], asked(NextPageToken="more"))
    with stub:
        assert bills.days(FIRST, END, None) == {
            date(2026, 11, 21): Billed(44.664, 40.1, is_final=True),
            date(2026, 11, 22): Billed(0.0, 0.0, is_final=True),
            date(2026, 11, 23): Billed(1.5, 1.25, is_final=False),
        }
    stub.assert_no_pending_responses()


def test_one_deployment_is_asked_for_by_both_tags(stubbed: tuple[CostExplorer, Stubber]) -> None:
    bills, stub = stubbed
    stub.add_response("get_cost_and_usage", {"ResultsByTime": []}, asked(Filter=WITH_DEPLOYMENT))
    with stub:
        assert bills.days(FIRST, END, "llama") == {}


@pytest.mark.parametrize("code", ["AccessDeniedException", "DataUnavailableException", "LimitExceededException"])
def test_whatever_keeps_aws_from_saying_is_one_error(stubbed: tuple[CostExplorer, Stubber], code: str) -> None:
    bills, stub = stubbed
    stub.add_client_error("get_cost_and_usage", code, "no")
    with stub, pytest.raises(Retryable, match=code):
        bills.days(FIRST, END, None)


def test_another_currency_is_not_taken_for_dollars(stubbed: tuple[CostExplorer, Stubber]) -> None:
    bills, stub = stubbed
    stub.add_response("get_cost_and_usage", {"ResultsByTime": [a_day(21, "7", "7", unit="CNY")]}, asked())
    with stub, pytest.raises(Retryable, match="CNY"):
        bills.days(FIRST, END, None)
