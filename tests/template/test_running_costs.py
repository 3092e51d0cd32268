"""What bills while nothing runs is there on purpose, and comes to less than a dollar; counted, never timed."""

import pytest

from spillway.domain.pricing.price_book import price_book
from tests.bench.running_costs import EXTRA_USD, HOURS, Item, deployment_months, idle_month, seconds_for_a_dollar, usd
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import REPOSITORY

# What an alarm is left for: it has no event that a rule could wait for.
ALARMS = {"DeadLettersAlarm", "CheckMissingAlarm", "GatewayErrorsAlarm"}


def test_an_alarm_looks_at_one_metric_and_stands_only_where_no_event_tells(fleet_stack: StaticStack) -> None:
    alarms = fleet_stack.of_type("AWS::CloudWatch::Alarm")
    assert set(alarms) == ALARMS
    # CloudWatch bills an alarm for each metric of an expression, and a high resolution three times.
    assert not [name for name in alarms if "Metrics" in fleet_stack.properties(name)]
    assert all(fleet_stack.properties(name)["Period"] >= 60 for name in alarms)


# Called by workflows, whose traces it is a part of; its own run a day is one trace.
TRACED = "SmokeTestFunction"


def test_no_run_of_a_schedule_is_a_trace_that_bills(fleet_stack: StaticStack) -> None:
    targets = {
        fleet_stack.properties(name)["Target"]["Arn"] for name in fleet_stack.of_type("AWS::Scheduler::Schedule")
    }
    modes = {
        name: fleet_stack.properties(name)["TracingConfig"]["Mode"]
        for name in fleet_stack.of_type("AWS::Lambda::Function")
        if fleet_stack.resolve({"Fn::GetAtt": [name, "Arn"]}) in targets
    }
    assert len(modes) == len(targets) == 5
    # Said rather than left out: what CloudFormation does to a mode that goes missing is not written down.
    assert {mode for name, mode in modes.items() if name != TRACED} == {"PassThrough"}


def test_no_table_is_encrypted_by_a_key_whose_use_bills(fleet_stack: StaticStack) -> None:
    tables = fleet_stack.of_type("AWS::DynamoDB::Table")
    assert tables
    assert not [name for name in tables if "SSESpecification" in fleet_stack.properties(name)]


def test_an_idle_month_costs_less_than_a_dollar_with_room_for_looks_that_take_longer() -> None:
    items = idle_month()
    assert usd(items) < 1
    # A quarter of a second is assumed: what only an account can tell may be wrong by half.
    assert seconds_for_a_dollar(items) > 0.375
    units = {item.name: item.units for item in items}
    # Three writes a look would be a lease taken, given back, and a look metered that nobody shares.
    assert units["DynamoDB writes"] < 2.1 * 60 * HOURS
    # The whole price book at every look would be a dozen reads more.
    assert units["DynamoDB reads"] < 3 * 60 * HOURS
    assert units["metrics read"] == 0


# How many metrics the check read of each a minute while CloudWatch kept its counters, and how many were custom ones.
METRICS = {
    "bedrock, budget, busy": (2, 5),
    "import, busy": (5, 8),
    "jumpstart, asleep": (1, 0),
    "jumpstart, busy": (3, 8),
    "fleet, asleep": (1, 0),
    "fleet, awake, idle": (4, 3),
    "fleet, weighed, busy": (7, 11),
}


@pytest.fixture(scope="module")
def months() -> dict[str, list[Item]]:
    return deployment_months()


@pytest.mark.parametrize("name", METRICS)
def test_a_deployment_costs_at_most_a_quarter_of_what_its_metrics_did(months: dict[str, list[Item]], name: str) -> None:
    read, custom = METRICS[name]
    before = (
        read * 60 * HOURS * EXTRA_USD["metric_read"] + custom * price_book().platform["cloudwatch_metric_month"].usd
    )
    by_name = {item.name: item for item in months[name]}
    assert by_name["metrics read"].units == by_name["custom metrics"].units == 0
    # What the table's reads, and the agents' writes into it, cost instead.
    now = by_name["DynamoDB reads"].usd + by_name["its instances' words"].usd
    assert now <= before / 4


def test_every_kind_of_deployment_is_counted(months: dict[str, list[Item]]) -> None:
    assert months.keys() == {"bedrock", *METRICS}


def test_the_pages_figures_are_those_that_are_counted(months: dict[str, list[Item]]) -> None:
    page = (REPOSITORY / "docs/costs.md").read_text(encoding="utf-8")
    rows = {
        cells[1]: cells for line in page.splitlines() if len(cells := [each.strip() for each in line.split("|")]) > 5
    }
    items = idle_month()
    shown = [cells for cells in rows.values() if cells[-2] in ("template", "counted") or "assumed" in cells[-2]]
    assert [cells[4] for cells in shown] == [f"{item.usd:.3f}" for item in items if item.units]
    assert rows["**altogether**"][4] == f"**{usd(items):.3f}**"
    assert f"about ${usd(items):.2f} a month" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    deployments = [cells[4] for cells in rows.values() if "read" in cells[5] or cells[1] == "Bedrock"]
    assert deployments == [f"{usd(added):.3f}" for added in months.values()]
