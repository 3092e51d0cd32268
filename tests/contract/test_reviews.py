"""What every store of reviews, and of credits, does."""

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.dynamodb.reviews_table import ReviewsTable
from spillway.domain.costs.credits import Credit, CreditLedger
from spillway.domain.review.record import Review, Shadow
from spillway.ports import Credits, Reviews
from tests.builders import NOW
from tests.fakes import FakeCredits, FakeReviews

if TYPE_CHECKING:
    from tests.contract.conftest import MakeTable

SHADOW = Shadow(NOW, 168, 1_000_000, 0.22, "a test", 0.2, "g6e.xlarge", 1, 0.5, 0.25)


@pytest.fixture(params=["memory", "dynamodb"])
def reviews(request: pytest.FixtureRequest) -> Reviews:
    if request.param == "memory":
        return FakeReviews()
    make: MakeTable = request.getfixturevalue("make_table")
    return ReviewsTable(request.getfixturevalue("dynamodb"), make("id"))


@pytest.fixture(params=["memory", "dynamodb"])
def ledgers(request: pytest.FixtureRequest) -> Credits:
    if request.param == "memory":
        return FakeCredits()
    make: MakeTable = request.getfixturevalue("make_table")
    return PricesTable(request.getfixturevalue("dynamodb"), make("id"))


def test_what_was_never_reviewed_is_left_out(reviews: Reviews) -> None:
    plain = Review(NOW)
    reviews.save("llama", plain)
    assert reviews.load(["llama", "other"]) == {"llama": plain}
    assert reviews.load([]) == {}


def test_the_last_review_is_kept_whole(reviews: Reviews) -> None:
    reviews.save("llama", Review(NOW))
    last = Review(NOW, frozenset({"fleet_pays", "cost_anomaly"}), SHADOW)
    unknown = Review(NOW, shadow=replace(SHADOW, bedrock_usd=None, fleet_usd=None, instance_type=None))
    reviews.save("llama", last)
    reviews.save("qwen", unknown)
    assert reviews.load(["llama", "qwen"]) == {"llama": last, "qwen": unknown}


def test_credits_are_replaced_as_a_whole(ledgers: Credits) -> None:
    assert ledgers.credits() is None
    first = CreditLedger((Credit(name="poc", usd=10_000.0, expires_on=date(2027, 3, 31)),), NOW, 12.5)
    ledgers.put_credits(first)
    assert ledgers.credits() == first
    second = CreditLedger((), NOW)
    ledgers.put_credits(second)
    assert ledgers.credits() == second
