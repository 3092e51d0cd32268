"""The price book: its snapshot, what is read over it, and the user's own prices over both."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from spillway.adapters.observe.price_list import PriceList
from spillway.domain.alerts.alert import Alert
from spillway.domain.errors import Retryable
from spillway.domain.paths.path import Path
from spillway.domain.pricing.price_book import HourlyPrice, Source, price_book, price_book_of
from spillway.domain.pricing.price_layers import TOKEN_TABLES, Override, PriceTable, Reading, StoredPrices
from spillway.domain.pricing.throughput import benchmarks
from spillway.domain.pricing.updates import compare, current, names_in, numbers, plausible
from spillway.services.refresh_prices import RefreshPrices
from tests.builders import NOW, a_deployment, a_spec
from tests.fakes import FakeAlerts, FakeDeployments, FakePrices
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.price_list import install

LLAMA = "meta.llama3-1-8b-instruct-v1:0"


class _Source:
    """Answers with the snapshot's prices, one per cent up, without the names of a table that was lost."""

    def __init__(self, lost: PriceTable | None = None) -> None:
        self.lost = lost
        self.asked: dict[PriceTable, Sequence[str]] = {}

    def read(self, table: PriceTable, names: Sequence[str], now: datetime) -> Reading:
        self.asked[table] = names
        book = price_book()
        known: dict[str, tuple[float, ...]] = {}
        if table is PriceTable.EC2:
            known = {name: (price.usd_per_hour * 1.01,) for name, price in book.ec2.items() if name in names}
        elif table is PriceTable.SAGEMAKER:
            known = {name: (price.usd_per_hour * 1.01,) for name, price in book.sagemaker.items() if name in names}
        elif table in TOKEN_TABLES:
            known = {name: numbers(price) for name, price in names_in(book, table).items()}
        if table is self.lost:
            known = dict(list(known.items())[: len(known) // 3])
        return Reading(table, known, "a test", now)


class _Nothing(_Source):
    """Has nothing of one table."""

    def read(self, table: PriceTable, names: Sequence[str], now: datetime) -> Reading:
        return (
            super().read(table, () if table is self.lost else names, now)
            if table is not self.lost
            else Reading(table, {}, "a test", now)
        )


def _refresh(source: _Source, prices: FakePrices, alerts: FakeAlerts, **changes: Any) -> RefreshPrices:
    spec = a_spec(capacity={"min": 0, "max": 1, "instance_types": ["ml.x9.huge"]})
    service = RefreshPrices(
        stack="spillway",
        deployments=FakeDeployments(a_deployment(spec=spec)),
        prices=prices,
        source=source,
        alerts=alerts,
        snapshot=price_book(),
        benchmarks=benchmarks(),
        now=lambda: NOW,
    )
    return replace(service, **changes)


def test_what_is_read_goes_over_the_snapshot_with_its_own_date() -> None:
    source, prices, alerts = _Source(), FakePrices(), FakeAlerts()
    refreshed = _refresh(source, prices, alerts).run()
    assert refreshed.refused == ()
    assert refreshed.stored.keys() == {"ec2", "sagemaker", "bedrock", "flex", "batch", "priority"}
    book = current(price_book(), prices.load())
    before, after = price_book().ec2["g5.xlarge"], book.ec2["g5.xlarge"]
    assert after.usd_per_hour == pytest.approx(before.usd_per_hour * 1.01)
    assert (after.source.source, after.source.as_of) == ("a test", "2026-11-24")
    assert alerts.sent == []


def test_types_in_use_are_asked_for() -> None:
    source = _Source()
    _refresh(source, FakePrices(), FakeAlerts()).run()
    assert "x9.huge" in source.asked[PriceTable.EC2]
    assert {"ml.x9.huge", "ml.g5.xlarge"} <= set(source.asked[PriceTable.SAGEMAKER])
    assert "inf2.xlarge" in source.asked[PriceTable.SPOT]


def test_a_refresh_that_would_lose_more_than_half_is_refused_and_alerted() -> None:
    prices, alerts = FakePrices(), FakeAlerts()
    refreshed = _refresh(_Source(lost=PriceTable.EC2), prices, alerts).run()
    assert refreshed.refused == ("ec2",)
    assert refreshed.stored.keys() == {"sagemaker", "bedrock", "flex", "batch", "priority"}
    (alert,) = alerts.sent
    assert (alert.topic, alert.why.code, alert.why.unit) == ("cost", "prices_refused", "prices")
    assert alert.why.observed is not None
    assert alert.why.threshold is not None
    assert alert.why.observed < alert.why.threshold
    book = current(price_book(), prices.load())
    assert book.ec2 == price_book().ec2


def _priced(table: PriceTable, **usd: tuple[float, ...]) -> FakePrices:
    prices = FakePrices()
    prices.put_reading(
        Reading(table, {name.replace("_", "."): numbers for name, numbers in usd.items()}, "before", NOW)
    )
    return prices


def test_a_price_in_use_that_moved_is_told_with_old_and_new_and_others_are_not() -> None:
    prices, alerts = _priced(PriceTable.EC2, g5_xlarge=(2.0,), g6_xlarge=(9.0,)), FakeAlerts()
    user = a_deployment(spec=a_spec(capacity={"min": 0, "max": 1, "instance_types": ["g5.xlarge"]}))
    _refresh(_Source(), prices, alerts, deployments=FakeDeployments(user)).run()
    listed = price_book().ec2["g5.xlarge"].usd_per_hour * 1.01
    (alert,) = alerts.sent
    assert (alert.topic, alert.severity, alert.why.code) == ("cost", "info", "price_changed")
    assert alert.why.observed == pytest.approx(listed / 2.0 - 1, abs=1e-4)
    assert alert.usd_per_hour == pytest.approx(listed - 2.0)
    assert f"$2 became ${listed:g} an hour, by a test of 2026-11-24" in alert.why.sentence
    assert user.name in alert.why.sentence


@pytest.mark.parametrize("written", ["g5.xlarge", "ml.g5.xlarge"])
def test_an_endpoints_price_that_moved_is_told_however_its_type_is_written(written: str) -> None:
    prices, alerts = _priced(PriceTable.SAGEMAKER, ml_g5_xlarge=(2.0,)), FakeAlerts()
    user = a_deployment(spec=a_spec(path="jumpstart", capacity={"min": 1, "max": 1, "instance_types": [written]}))
    _refresh(_Source(), prices, alerts, deployments=FakeDeployments(user)).run()
    assert [alert.id for alert in alerts.sent] == ["prices/sagemaker/ml.g5.xlarge/2026-11-24/event"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"path": "jumpstart", "capacity": {"min": 1, "max": 1}}, "ml.g6e.xlarge"),
        (
            {
                "path": "fleet",
                "capacity": {
                    "instance_types": ["g6.xlarge"],
                    "tokens_per_minute_per_instance": 1000,
                    "larger": {"instance_type": "g6e.xlarge", "tokens_per_minute_per_instance": 5000},
                },
            },
            "g6e.xlarge",
        ),
    ],
)
def test_the_price_of_a_default_or_larger_type_is_in_use_too(changes: dict[str, Any], named: str) -> None:
    table = PriceTable.SAGEMAKER if named.startswith("ml.") else PriceTable.EC2
    prices, alerts = FakePrices(), FakeAlerts()
    prices.put_reading(Reading(table, {named: (9.0,)}, "before", NOW))
    _refresh(_Source(), prices, alerts, deployments=FakeDeployments(a_deployment(spec=a_spec(**changes)))).run()
    assert [alert.id for alert in alerts.sent] == [f"prices/{table}/{named}/2026-11-24/event"]


def test_the_type_that_the_hub_chose_is_in_use() -> None:
    prices, alerts = _priced(PriceTable.SAGEMAKER, ml_g5_xlarge=(2.0,)), FakeAlerts()
    spec = a_spec(path="jumpstart", capacity={"min": 1, "max": 1})
    user = a_deployment(spec=spec, resources={"instance_type": "ml.g5.xlarge"})
    _refresh(_Source(), prices, alerts, deployments=FakeDeployments(user)).run()
    assert [alert.id for alert in alerts.sent] == ["prices/sagemaker/ml.g5.xlarge/2026-11-24/event"]


class _AwayOnce(FakeAlerts):
    """Fails the first time it is asked to send."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = True

    def send(self, alert: Alert) -> None:
        if self.is_away:
            self.is_away = False
            raise Retryable("away")
        super().send(alert)


def test_a_move_that_could_not_be_told_is_told_by_the_repeat_and_not_again() -> None:
    prices, alerts = _priced(PriceTable.EC2, g5_xlarge=(2.0,)), _AwayOnce()
    user = a_deployment(spec=a_spec(capacity={"min": 0, "max": 1, "instance_types": ["g5.xlarge"]}))
    service = _refresh(_Source(), prices, alerts, deployments=FakeDeployments(user))
    with pytest.raises(Retryable):
        service.run()
    service.run()
    service.run()
    assert [alert.id for alert in alerts.sent] == ["prices/ec2/g5.xlarge/2026-11-24/event"]


def test_a_tier_that_the_list_has_nothing_of_keeps_its_prices_without_an_alarm() -> None:
    prices, alerts = FakePrices(), FakeAlerts()
    refreshed = _refresh(_Nothing(PriceTable.FLEX), prices, alerts).run()
    assert ("flex" in refreshed.stored, refreshed.refused, alerts.sent) == (False, (), [])
    assert current(price_book(), prices.load()).flex == price_book().flex
    (alert,) = _refused(_Nothing(PriceTable.BEDROCK))
    assert alert.id == "prices/bedrock/2026-11-24/event"


def _refused(source: _Source) -> list[Alert]:
    alerts = FakeAlerts()
    _refresh(source, FakePrices(), alerts).run()
    return alerts.sent


def test_a_models_price_that_moved_is_told_to_who_spills_to_it() -> None:
    prices, alerts = FakePrices(), FakeAlerts()
    prices.put_reading(Reading(PriceTable.BEDROCK, {LLAMA: (0.22, 0.44)}, "before", NOW))
    user = a_deployment(spec=a_spec(spill={"model_id": LLAMA}))
    _refresh(_Source(), prices, alerts, deployments=FakeDeployments(user)).run()
    assert [alert.what for alert in alerts.sent] == [f"spillway: the price of {LLAMA} fell by 50%."]


def test_a_users_own_price_has_not_moved_because_the_list_differs() -> None:
    prices, alerts = FakePrices(), FakeAlerts()
    prices.put_overrides([Override(PriceTable.EC2, discount=0.4)], NOW)
    user = a_deployment(spec=a_spec(capacity={"min": 0, "max": 1, "instance_types": ["g5.xlarge"]}))
    _refresh(_Source(), prices, alerts, deployments=FakeDeployments(user)).run()
    assert alerts.sent == []


def test_a_fleets_type_has_its_price_however_it_is_written() -> None:
    book = replace(price_book(), spot={"g5.xlarge": HourlyPrice(0.4, Source("a test", "2026-11"))})
    for name in ("g5.xlarge", "ml.g5.xlarge"):
        assert book.instance(Path.FLEET, name, "us-east-1") == book.ec2["g5.xlarge"]
        assert book.instance(Path.JUMPSTART, name, "us-east-1") == book.sagemaker["ml.g5.xlarge"]
        spot = a_spec(capacity={"min": 0, "max": 1, "instance_types": [name], "market": "spot"})
        assert book.instance_of(spot, "us-east-1") == book.spot["g5.xlarge"]


def test_exactly_half_is_not_refused() -> None:
    names = ["g5.xlarge", "g5.2xlarge", "g6.xlarge", "g6.2xlarge", "x9.huge"]
    reading = Reading(PriceTable.EC2, {"g5.xlarge": (1.0,), "g6.xlarge": (1.0,)}, "a test", NOW)
    comparison = compare(price_book(), reading, names)
    assert (comparison.known, comparison.lost, comparison.is_refused) == (4, ("g5.2xlarge", "g6.2xlarge"), False)


def test_a_spot_price_of_next_to_nothing_is_none() -> None:
    reading = Reading(PriceTable.SPOT, {"g5.xlarge": (0.00001,), "g6.xlarge": (0.24,)}, "a test", NOW)
    assert plausible(price_book(), reading).usd == {"g6.xlarge": (0.24,)}


def test_a_region_without_a_snapshot_has_the_prices_that_are_read_there_and_no_others() -> None:
    source, prices, alerts = _Source(), FakePrices(), FakeAlerts()
    shipped = price_book_of("eu-central-1")
    tables = [table for table in PriceTable if names_in(shipped, table)]
    assert (shipped.region, tables, shipped.import_units) == ("eu-central-1", [], price_book().import_units)
    refreshed = _refresh(source, prices, alerts, snapshot=shipped).run()
    assert (refreshed.refused, alerts.sent) == ((), [])
    assert "g5.xlarge" in source.asked[PriceTable.EC2]
    assert LLAMA in source.asked[PriceTable.BEDROCK]
    book = current(shipped, prices.load())
    found = book.instance(Path.FLEET, "g5.xlarge", "eu-central-1")
    assert found is not None
    assert found.usd_per_hour == pytest.approx(price_book().ec2["g5.xlarge"].usd_per_hour * 1.01)
    assert book.tokens(LLAMA, "eu-central-1") is not None
    assert (book.imports, dict(book.platform)) == (None, {})


def test_the_price_book_of_the_snapshots_own_region_is_the_snapshot() -> None:
    assert price_book_of("us-east-1") is price_book()


def test_models_in_use_that_the_snapshot_lacks_are_asked_for() -> None:
    source = _Source()
    user = a_deployment(spec=a_spec(spill={"model_id": "eu.meta.llama9-1b-v1:0"}))
    _refresh(source, FakePrices(), FakeAlerts(), deployments=FakeDeployments(user)).run()
    assert "eu.meta.llama9-1b-v1:0" in source.asked[PriceTable.BEDROCK]


def test_overrides_go_over_everything_in_their_order() -> None:
    book = price_book()
    stored = StoredPrices(
        readings=[Reading(PriceTable.EC2, {"g5.xlarge": (2.0,)}, "a test", NOW)],
        overrides=[
            Override(PriceTable.EC2, discount=0.25),
            Override(PriceTable.EC2, "g6.xlarge", usd=(0.5,), note="contract 7"),
            Override(PriceTable.BEDROCK, LLAMA, usd=(0.1, 0.3)),
            Override(PriceTable.SPOT, "g5.xlarge", usd=(0.4,)),
            Override(PriceTable.FLEX, discount=0.5),
            Override(PriceTable.PRIORITY, LLAMA, usd=(0.4, 0.5, 0.1)),
            Override(PriceTable.IMPORTS, "unit_minute", usd=(0.05,)),
            Override(PriceTable.PLATFORM, "lambda_gb_second_arm64", discount=0.17),
            Override(PriceTable.PLATFORM, "load_balancer_hour", usd=(0.03,)),
        ],
        overridden_at=NOW,
    )
    found = current(book, stored)
    assert found.ec2["g5.xlarge"].usd_per_hour == 1.5
    assert found.ec2["g6.xlarge"].usd_per_hour == 0.5
    assert "contract 7" in found.ec2["g6.xlarge"].source.source
    assert found.ec2["g5.2xlarge"].usd_per_hour == pytest.approx(book.ec2["g5.2xlarge"].usd_per_hour * 0.75)
    assert (found.bedrock[LLAMA].prompt_usd, found.bedrock[LLAMA].completion_usd) == (0.1, 0.3)
    assert found.spot["g5.xlarge"].usd_per_hour == 0.4
    assert "x9.huge" not in found.ec2
    assert found.flex["zai.glm-4.7"].prompt_usd == book.flex["zai.glm-4.7"].prompt_usd / 2
    assert found.priority[LLAMA].cached_usd == 0.1
    assert found.imports is not None
    # The stored unit keeps its list price.
    assert (found.imports.unit_minute.usd, found.imports.unit_month.usd) == (0.05, 1.95)
    assert found.platform["lambda_gb_second_arm64"].usd == pytest.approx(1.33334e-5 * 0.83)
    assert found.platform["load_balancer_hour"].source.source == "your own price"


def test_every_price_of_the_snapshot_has_a_source_and_a_date() -> None:
    book = price_book()
    tables = [names_in(book, table) for table in PriceTable if table is not PriceTable.SPOT]
    for table in [*tables, book.import_units]:
        assert table
        for name, price in table.items():
            assert price.source.source, name
            assert price.source.as_of, name
    assert book.imports is not None
    assert (book.imports.unit_minute.usd, book.imports.unit_month.usd) == (0.05718, 1.95)
    assert book.spot == {}


@pytest.fixture
def price_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceList]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    cloud = MotoCloud()
    url = cloud.start()
    install(cloud.front)
    try:
        pricing = boto3.client("pricing", region_name="us-east-1", endpoint_url=url)
        yield PriceList(pricing, boto3.client("ec2", region_name="us-east-1", endpoint_url=url), "us-east-1")
        pricing.close()
    finally:
        cloud.stop()


def test_the_price_list_is_read_as_aws_writes_it(price_list: PriceList) -> None:
    book = price_book()
    ec2 = price_list.read(PriceTable.EC2, ["g5.xlarge", "inf2.xlarge", "x9.huge"], NOW)
    assert dict(ec2.usd) == {name: (book.ec2[name].usd_per_hour,) for name in ("g5.xlarge", "inf2.xlarge")}
    hosting = price_list.read(PriceTable.SAGEMAKER, ["ml.g5.xlarge"], NOW)
    assert dict(hosting.usd) == {"ml.g5.xlarge": (book.sagemaker["ml.g5.xlarge"].usd_per_hour,)}
    tokens = price_list.read(PriceTable.BEDROCK, sorted(book.bedrock), NOW)
    price = book.bedrock[LLAMA]
    assert tokens.usd[LLAMA] == (price.prompt_usd, price.completion_usd)
    # What can't be told apart by its name is left out, but that is far from half.
    assert len(tokens.usd) > len(book.bedrock) * 0.6


def _a_product(usage: str, usd: str, unit: str = "1K tokens") -> dict[str, Any]:
    attributes = {"model": "Llama 3.1 8B Instruct", "usagetype": usage, "regionCode": "us-east-1"}
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return {"product": {"attributes": attributes}, "terms": {"OnDemand": {"t": {"priceDimensions": {"d": dimension}}}}}


class _Pricing:
    def __init__(self, products: list[dict[str, Any]]) -> None:
        self.products = products

    def get_paginator(self, _operation: str) -> "_Pricing":
        return self

    def paginate(self, **_params: Any) -> list[dict[str, Any]]:
        return [{"PriceList": [json.dumps(one) for one in self.products]}]


def test_each_tier_is_taken_from_its_own_usage_types() -> None:
    products = [
        _a_product("USE1-Llama3-1-8B-input-tokens", "0.00022"),
        _a_product("USE1-Llama3-1-8B-output-tokens", "0.22", "1M tokens"),
        _a_product("USE1-Llama3-1-8B-input-tokens-batch", "0.00011"),
        _a_product("USE1-Llama3-1-8B-output-tokens-batch", "0.00012"),
        _a_product("USE1-Llama3-1-8B-input-tokens-cache-read", "0.00002"),
        _a_product("USE1-Llama3-1-8B-output-tokens-flex", "0.00011"),
        _a_product("USE1-Llama3-1-8B-ProvisionedThroughput-input", "20", "Hrs"),
    ]
    with mock_aws():
        ec2 = boto3.client("ec2", region_name="us-east-1")
    source = PriceList(_Pricing(products), ec2, "us-east-1")
    assert source.read(PriceTable.BEDROCK, [LLAMA], NOW).usd == {LLAMA: (0.22, 0.22)}
    assert source.read(PriceTable.BATCH, [LLAMA], NOW).usd == {LLAMA: (0.11, 0.12)}
    # Of flex there is one side alone.
    assert source.read(PriceTable.FLEX, [LLAMA], NOW).usd == {}
    assert source.read(PriceTable.PLATFORM, ["lambda_request"], NOW).usd == {}


def test_two_prices_of_one_thing_are_no_price() -> None:
    products = [_a_product("input", "0.1"), _a_product("input", "0.2"), _a_product("output", "0.1")]
    with mock_aws():
        ec2 = boto3.client("ec2", region_name="us-east-1")
    assert PriceList(_Pricing(products), ec2, "us-east-1").read(PriceTable.BEDROCK, [LLAMA], NOW).usd == {}
