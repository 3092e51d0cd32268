"""Realised cost: what it is made of, and that every grouping of it adds up exactly."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.costs.ledger import shared, total
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.usage import CHECKS, HourOfInstances, HourOfTraffic, Hours, InstanceUse, Traffic
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.pricing.price_book import PriceBook, Source, TokenPrice, UnitPrice
from spillway.domain.pricing.throughput import benchmarks
from spillway.services.show_costs import CostReport, GroupBy, ShowCosts
from tests.builders import NOW, SPILL_MODEL, a_deployment, a_price_book, a_spec
from tests.fakes import FakeDeployments, FakeUsageLog

_DAY = datetime(2026, 11, 23, tzinfo=UTC)
_GROUPINGS: tuple[GroupBy, ...] = ("deployment", "path", "key", "day", "hour")


class _Log(FakeUsageLog):
    def __init__(self, **hours: Hours) -> None:
        super().__init__()
        self.all = hours

    def hours(self, deployment: str, since: datetime, until: datetime) -> Hours:
        hours = self.all.get(deployment, Hours())
        return Hours(
            tuple(one for one in hours.traffic if since <= one.hour < until),
            tuple(one for one in hours.instances if since <= one.hour < until),
        )


def _report(
    hours: Hours,
    group_by: GroupBy = "hour",
    *,
    days: int = 3,
    deployment: Deployment | None = None,
    prices: PriceBook | None = None,
    checks: int = 0,
) -> CostReport:
    """The report of ``hours`` of one deployment beside another; so many runs of the check were in the first hour."""
    deployments = FakeDeployments(
        deployment or a_deployment("support", created_at=_DAY), a_deployment("quiet", created_at=_DAY)
    )
    run = HourOfTraffic(_DAY, "check", "lambda", "", Traffic(checks))
    log = _Log(support=hours, **({CHECKS: Hours((run,))} if checks else {}))
    book = prices or a_price_book()
    costs = ShowCosts(deployments, log, lambda: book, benchmarks(), "us-east-1", lambda: NOW)
    return costs.report(_DAY, _DAY + timedelta(days=days), group_by, None)


_hours = st.builds(lambda hour: _DAY + timedelta(hours=hour), st.integers(0, 60))
_counts = st.integers(0, 3_000_000)
_traffic = st.builds(
    lambda answered, **fields: HourOfTraffic(role=answered[0], path=answered[1], **fields),
    answered=st.sampled_from((("primary", "fleet"), ("spill", "bedrock"))),
    hour=_hours,
    key=st.sampled_from(("key_a", "key_b", "key_c")),
    traffic=st.builds(
        Traffic,
        requests=st.integers(1, 500),
        failed=st.just(0),
        prompt_tokens=_counts,
        cached_tokens=st.just(0),
        completion_tokens=_counts,
    ),
)
_instances = st.builds(
    HourOfInstances,
    hour=_hours,
    path=st.just("fleet"),
    instance_type=st.sampled_from(("g6e.xlarge", "g5.2xlarge")),
    use=st.integers(0, 14_400).flatmap(
        lambda seconds: st.builds(
            InstanceUse,
            st.just(seconds),
            st.integers(20_000_000, 50_000_000),
            st.integers(0, 1),
            st.integers(0, seconds),
            st.integers(0, 20_000_000),
        )
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_traffic, max_size=25), st.lists(_instances, max_size=25))
def test_every_grouping_adds_up_to_the_same_total_to_the_micro_dollar(
    traffic: list[HourOfTraffic], instances: list[HourOfInstances]
) -> None:
    hours = Hours(tuple(traffic), tuple(instances))
    # A run of the check is 7 micro-dollars, for two deployments; requests have no price here.
    platform = {name: UnitPrice(7e-6, Source("a test", "")) for name in ("lambda_request", "lambda_gb_second_arm64")}
    prices = a_price_book(platform=platform)
    reports = [_report(hours, group_by, prices=prices, checks=3) for group_by in _GROUPINGS]
    tokens = [one.traffic for one in traffic if one.path == "bedrock"]
    # The price book's: a dollar a million prompt tokens, two a million completion tokens.
    by_hand = sum(one.prompt_tokens + 2 * one.completion_tokens for one in tokens)
    by_hand += sum(entry.use.micro_usd for entry in instances)
    served = [one.traffic for one in traffic if one.path == "fleet"]
    for report in reports:
        assert total([group.amounts for group in report.groups]) == report.total.amounts
        assert report.total.amounts.micro_usd == by_hand
        assert report.total.amounts.instance_seconds == sum(entry.use.seconds for entry in instances)
        amounts = report.total.amounts
        assert amounts.shared_micro_usd == 3 * 7
        assert amounts.warm_up_micro_usd == sum(entry.use.warm_up_micro_usd for entry in instances)
        assert 0 <= amounts.idle_micro_usd <= amounts.micro_usd - amounts.warm_up_micro_usd - amounts.spill_micro_usd
        assert amounts.served_tokens <= sum(one.prompt_tokens + one.completion_tokens for one in served)


@given(st.integers(0, 10**12), st.lists(st.integers(1, 10**9), min_size=1, max_size=20))
def test_shares_are_whole_and_add_up(amount: int, weights: list[int]) -> None:
    shares = shared(amount, weights)
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - amount * weight / sum(weights)) <= 1


def _nine(key: str, used: Traffic, path: str = "fleet", role: str = "primary") -> HourOfTraffic:
    return HourOfTraffic(_DAY + timedelta(hours=9), role, path, key, used)


def test_a_day_is_what_it_is_by_hand() -> None:
    hours = Hours(
        (
            _nine("key_a", Traffic(30, 0, 3_000_000, 0, 1_000_000)),
            _nine("key_b", Traffic(10, 0, 500_000, 0, 500_000)),
            _nine("key_a", Traffic(2, 0, 40_000, 0, 10_000), "bedrock", "spill"),
        ),
        (
            # Two instances for the whole of one hour, and one for half of the next, which nobody asked anything.
            HourOfInstances(_DAY + timedelta(hours=9), "fleet", "g5.2xlarge", InstanceUse(7200, 2_424_000)),
            HourOfInstances(_DAY + timedelta(hours=10), "fleet", "g5.2xlarge", InstanceUse(1800, 606_000)),
        ),
    )
    report = _report(hours)
    assert [group.name for group in report.groups] == ["2026-11-23T09Z", "2026-11-23T10Z"]
    nine, ten = (group.amounts for group in report.groups)
    spilled = 40_000 + 2 * 10_000
    assert (nine.micro_usd, nine.spill_micro_usd) == (2_424_000 + spilled, spilled)
    assert (ten.micro_usd, ten.idle_micro_usd, ten.utilisation) == (606_000, 606_000, 0.0)
    # 5 M tokens of the 7,200 s x 1,450.65 tokens/s that the benchmark gives this type.
    capacity = round((1139.8 + 310.85) * 7200)
    assert nine.utilisation == 5_000_000 / capacity
    assert nine.idle_micro_usd == round(2_424_000 * (capacity - 5_000_000) / capacity)
    assert nine.usd_per_million_tokens == nine.micro_usd / 5_050_000

    by_key = {group.name: group.amounts for group in _report(hours, "key").groups}
    assert by_key["key_a"].micro_usd == 2_424_000 * 4 // 5 + spilled
    assert by_key["key_b"].micro_usd == 2_424_000 // 5
    assert by_key["(no request)"].micro_usd == 606_000


def test_warming_up_is_neither_idle_nor_capacity() -> None:
    # Five minutes of the hour it could not answer yet: $0.30 of $3.60.
    use = InstanceUse(3600, 3_600_000, 0, 300, 300_000)
    spec = a_spec(name="support", capacity={"min": 0, "max": 1, "tokens_per_minute_per_instance": 100_000})
    hours = Hours(
        (_nine("key_a", Traffic(10, 0, 1_000_000, 0, 375_000)), _nine("key_b", Traffic(10, 0, 1_000_000, 0, 375_000))),
        (HourOfInstances(_DAY + timedelta(hours=9), "fleet", "g6e.xlarge", use),),
    )
    report = _report(hours, "key", deployment=a_deployment("support", spec=spec))
    whole = report.total.amounts
    # 2.75 M tokens of the 5.5 M that 55 minutes could have: half of $3.30 is idle.
    assert (whole.utilisation, whole.warm_up_micro_usd, whole.idle_micro_usd) == (0.5, 300_000, 1_650_000)
    assert [group.amounts.warm_up_micro_usd for group in report.groups] == [150_000, 150_000]
    assert [group.amounts.warm_up_seconds for group in report.groups] == [150, 150]


def test_an_instance_that_never_answered_warmed_up_all_its_life_and_was_not_idle() -> None:
    use = InstanceUse(600, 600_000, 0, 600, 600_000)
    hours = Hours((), (HourOfInstances(_DAY, "fleet", "g6e.xlarge", use),))
    amounts = _report(hours).total.amounts
    assert (amounts.micro_usd, amounts.warm_up_micro_usd, amounts.idle_micro_usd) == (600_000, 600_000, 0)
    assert amounts.utilisation is None


def test_types_side_by_side_have_answered_together_and_not_each_everything() -> None:
    spec = a_spec(name="support", capacity={"min": 0, "max": 2, "tokens_per_minute_per_instance": 100_000})
    hour = _DAY + timedelta(hours=9)
    hours = Hours(
        (_nine("key_a", Traffic(10, 0, 2_000_000, 0, 1_000_000)),),
        (
            HourOfInstances(hour, "fleet", "g6e.xlarge", InstanceUse(3600, 3_600_000)),
            HourOfInstances(hour, "fleet", "g5.2xlarge", InstanceUse(1800, 606_000)),
        ),
    )
    amounts = _report(hours, deployment=a_deployment("support", spec=spec)).total.amounts
    # 3 M tokens of the 6 M and 3 M that one hour and half an hour could have had: 2 M and 1 M of them.
    assert (amounts.served_tokens, amounts.capacity_tokens) == (3_000_000, 9_000_000)
    assert amounts.idle_micro_usd == 2_400_000 + 404_000


def test_the_same_hour_elsewhere_is_priced_where_prices_are_known() -> None:
    hours = Hours(
        (_nine("key_a", Traffic(40, 0, 3_000_000, 0, 1_000_000)),),
        (HourOfInstances(_DAY + timedelta(hours=9), "fleet", "g6e.xlarge", InstanceUse(3600, 3_600_000)),),
    )
    (group,) = _report(hours).groups
    # 3 M x $1 + 1 M x $2 on Bedrock; the same hour of the type that SageMaker sells at $7.20; no units are known.
    assert group.elsewhere == {"bedrock": 5_000_000, "jumpstart": 7_200_000, "import": None}


def test_only_what_bedrock_itself_read_from_its_cache_is_cheaper_there() -> None:
    price = TokenPrice(1.0, 2.0, Source("a test", "2026-11-24"), cached_usd=0.1)
    hours = Hours(
        (
            _nine("key_a", Traffic(40, 0, 3_000_000, 2_000_000, 1_000_000)),
            _nine("key_a", Traffic(10, 0, 1_000_000, 500_000, 0), "bedrock", "spill"),
        )
    )
    (group,) = _report(hours, prices=a_price_book(bedrock={SPILL_MODEL: price})).groups
    # The spill cost 0.5 M x $1 + 0.5 M x $0.10; the fleet's prompts would cost $3 there, its completions $2.
    assert group.amounts.micro_usd == 550_000
    assert group.elsewhere is not None
    assert group.elsewhere["bedrock"] == 550_000 + 3_000_000 + 2_000_000


def test_what_bedrock_had_in_its_cache_would_be_work_for_instances() -> None:
    spec = a_spec(
        name="support",
        path="bedrock",
        spill=None,
        capacity={"instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 100_000},
    )
    deployment = a_deployment("support", spec=spec, target=BedrockTarget(SPILL_MODEL, "converse"))
    hours = Hours((_nine("key_a", Traffic(40, 0, 7_000_000, 6_900_000, 0), "bedrock"),))
    (group,) = _report(hours, deployment=deployment).groups
    # 7 M tokens are more than the 6 M of one instance's hour: two of $3.60.
    assert group.elsewhere is not None
    assert group.elsewhere["fleet"] == 7_200_000


def test_a_capacity_of_ones_own_goes_before_the_benchmark() -> None:
    spec = a_spec(name="support", capacity={"min": 0, "max": 1, "tokens_per_minute_per_instance": 100_000})
    hours = Hours(
        (_nine("key_a", Traffic(10, 0, 1_000_000, 0, 500_000)),),
        (HourOfInstances(_DAY + timedelta(hours=9), "fleet", "g6e.xlarge", InstanceUse(3600, 3_600_000)),),
    )
    (group,) = _report(hours, deployment=a_deployment("support", spec=spec)).groups
    # 1.5 M tokens of the 6 M that an hour could have.
    assert (group.amounts.utilisation, group.amounts.idle_micro_usd) == (0.25, 2_700_000)


def test_an_unknown_price_is_no_zero() -> None:
    hours = Hours((), (HourOfInstances(_DAY, "fleet", "x9.huge", InstanceUse(3600, 0, 3600)),))
    report = _report(hours)
    assert not report.total.amounts.is_priced
    assert report.total.amounts.usd_per_million_tokens is None
    assert report.unknown == ["instance x9.huge"]


def test_what_a_primary_was_before_is_not_priced_as_the_spill_target() -> None:
    """A name that was retired from Bedrock and asked for again as a fleet keeps its hours, not its model."""
    before = HourOfTraffic(_DAY, "primary", "bedrock", "key_1", Traffic(1, 0, 1_000_000, completion_tokens=1_000_000))
    report = _report(Hours((before,)), deployment=a_deployment("support", created_at=_DAY))
    assert report.total.amounts.micro_usd == 0
    assert report.total.amounts.unpriced_tokens == 2_000_000
    assert report.unknown == ["the model that was support's primary"]


def test_a_retired_primary_keeps_its_price() -> None:
    """Without a target and without a spill target, as a retirement leaves it."""
    spec = a_spec(name="support", path="bedrock", capacity=None, spill=None)
    retired = a_deployment("support", spec=spec, status=Status.RETIRED, target=None, created_at=_DAY)
    answered = HourOfTraffic(_DAY, "primary", "bedrock", "key_1", Traffic(1, 0, 1_000_000, completion_tokens=1_000_000))
    report = _report(Hours((answered,)), deployment=retired)
    # A dollar for the prompt's million, two for the completion's.
    assert (report.total.amounts.micro_usd, report.unknown) == (3_000_000, [])
