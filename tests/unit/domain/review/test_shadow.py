"""Shadow pricing: what a fleet would have cost for the traffic that Bedrock answered."""

import pytest

from spillway.domain.decision import Action, Code
from spillway.domain.pricing.price_book import HourlyPrice, PriceBook, Source
from spillway.domain.pricing.throughput import benchmarks
from spillway.domain.review.record import Shadow
from spillway.domain.review.shadow import HourOnBedrock, decision_of, shadow_of
from tests.builders import MODEL, NOW, a_deployment, a_price_book, a_spec

_WEEK = 168
# An instance costs $3.60 an hour and is planned with 80,000 of these tokens a minute, 4.8 million an hour.
_CAPACITY = {"instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 100_000}
_NOTHING = HourOnBedrock()


def on_bedrock(millions: float) -> HourOnBedrock:
    """An hour at $1 a million tokens."""
    return HourOnBedrock(100, round(millions * 1e6), 0, millions)


def shadow(hours: list[HourOnBedrock], model: str = MODEL, book: PriceBook | None = None, **capacity: object) -> Shadow:
    spec = a_spec(path="bedrock", model={"id": model}, capacity={**_CAPACITY, **capacity}, spill=None)
    return shadow_of(a_deployment(spec=spec), hours, book or a_price_book(), benchmarks(), "us-east-1", NOW)


def test_a_steady_load_above_an_instances_price_would_pay() -> None:
    # 168 hours at $4.80 on Bedrock; an instance that carries all of it costs 168 x $3.60 = $604.80. Until it is
    # worth a start, Bedrock answers: the patient rule takes an hour or two, at $1.20 more than the instance.
    found = shadow([on_bedrock(4.8)] * _WEEK)
    assert found.bedrock_usd == pytest.approx(806.4)
    assert found.fleet_usd is not None
    assert 604.8 < found.fleet_usd < 604.8 + 3 * 1.2
    assert (found.pays, found.instance_type, found.instances, found.hours) == (True, "g6e.xlarge", 1, _WEEK)
    assert found.tokens == 168 * 4_800_000
    assert 165 < found.instance_hours < 168


def test_a_load_below_it_would_never_have_woken_one() -> None:
    # $3 an hour, where an instance costs $3.60.
    found = shadow([on_bedrock(3.0)] * _WEEK)
    assert (found.pays, found.instances, found.instance_hours) == (False, 0, 0.0)
    assert found.fleet_usd == pytest.approx(found.bedrock_usd)
    assert found.spilled_share == pytest.approx(1.0)


def test_what_is_more_than_one_instance_carries_is_spilled_or_takes_two() -> None:
    # 9.6 million an hour fill two instances: $7.20 instead of $9.60.
    full = shadow([on_bedrock(9.6)] * _WEEK)
    assert full.instances == 2
    # A fifth more than one carries: the second would serve $0.96 an hour and cost $3.60.
    over = shadow([on_bedrock(5.76)] * _WEEK)
    assert over.instances == 1
    assert over.spilled_share == pytest.approx(1 / 6, abs=0.01)


def test_hours_without_traffic_count_as_such() -> None:
    days = [on_bedrock(6.0) if 8 <= hour % 24 < 20 else _NOTHING for hour in range(_WEEK)]
    found = shadow(days)
    assert found.pays is True
    # Half of the time there is nothing to serve.
    assert 80 < found.instance_hours < 90


def test_the_answer_is_a_decision_to_do_nothing_with_both_prices() -> None:
    pays, pays_not = shadow([on_bedrock(4.8)] * _WEEK), shadow([on_bedrock(3.0)] * _WEEK)
    deployment = a_deployment(desired=0)
    yes, no = decision_of(pays, deployment), decision_of(pays_not, deployment)
    assert yes is not None
    assert no is not None
    assert (yes.action, yes.reason.code, yes.desired) == (Action.HOLD, Code.FLEET_PAYS, 0)
    assert yes.reason.observed == pytest.approx(pays.fleet_usd, abs=1e-3)
    assert yes.reason.threshold == 806.4
    # $806.40 less about $605 over 168 hours.
    assert yes.usd_per_hour == pytest.approx(-1.2, abs=0.03)
    assert "Bedrock charged $806.40 for 806,400,000 tokens in 168 hours" in yes.reason.sentence
    assert (no.reason.code, no.usd_per_hour) == (Code.BEDROCK_PAYS, 0.0)
    assert "no g6e.xlarge would have paid in any of them" in no.reason.sentence


def test_an_unknown_price_has_no_answer_and_says_what_is_missing() -> None:
    unpriced = shadow([on_bedrock(3.0), HourOnBedrock(1, 10, 10, None)])
    assert (unpriced.bedrock_usd, unpriced.fleet_usd, unpriced.pays) == (None, None, None)
    assert "no price of" in unpriced.why
    nowhere = shadow([on_bedrock(3.0)], instance_types=["g5.48xlarge"])
    assert (nowhere.pays, decision_of(nowhere, a_deployment())) == (None, None)
    assert "no instance type is known" in nowhere.why
    unheard_of = shadow([on_bedrock(3.0)], model="nobody.knows-this-v1:0", instance_types=[])
    assert unheard_of.pays is None


def test_the_cheapest_of_the_wanted_types_is_taken() -> None:
    # The same throughput is stated of both.
    source = Source("a test", "2026-11-24")
    book = a_price_book(ec2={"g6e.xlarge": HourlyPrice(3.6, source), "g5.2xlarge": HourlyPrice(1.2, source)})
    found = shadow([on_bedrock(4.8)] * _WEEK, book=book, instance_types=["g6e.xlarge", "g5.2xlarge"])
    assert found.instance_type == "g5.2xlarge"
