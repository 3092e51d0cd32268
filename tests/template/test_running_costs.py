"""What bills while nothing runs is in the template on purpose."""

from tests.sandbox.iam.static_stack import StaticStack

# What an alarm is left for: it has no event that a rule could wait for.
ALARMS = {"DeadLettersAlarm", "CheckMissingAlarm", "GatewayErrorsAlarm"}


def test_an_alarm_looks_at_one_metric_and_stands_only_where_no_event_tells(fleet_stack: StaticStack) -> None:
    alarms = fleet_stack.of_type("AWS::CloudWatch::Alarm")
    assert set(alarms) == ALARMS
    # CloudWatch bills an alarm for each metric of an expression, and a high resolution three times.
    assert not [name for name in alarms if "Metrics" in fleet_stack.properties(name)]
    assert all(fleet_stack.properties(name)["Period"] >= 60 for name in alarms)


def test_no_run_of_a_schedule_is_a_trace_that_bills(fleet_stack: StaticStack) -> None:
    targets = {
        fleet_stack.properties(name)["Target"]["Arn"] for name in fleet_stack.of_type("AWS::Scheduler::Schedule")
    }
    modes = {
        fleet_stack.resolve({"Fn::GetAtt": [name, "Arn"]}): fleet_stack.properties(name)["TracingConfig"]["Mode"]
        for name in fleet_stack.of_type("AWS::Lambda::Function")
    }
    assert len(targets) == 4
    # Said rather than left out: what CloudFormation does to a mode that goes missing is not written down.
    assert {modes[arn] for arn in targets} == {"PassThrough"}


def test_no_table_is_encrypted_by_a_key_whose_use_bills(fleet_stack: StaticStack) -> None:
    tables = fleet_stack.of_type("AWS::DynamoDB::Table")
    assert tables
    assert not [name for name in tables if "SSESpecification" in fleet_stack.properties(name)]
