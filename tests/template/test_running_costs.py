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
