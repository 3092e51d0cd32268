"""Events and schedules reach their targets, and what cannot is kept in the target's dead-letter queue."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud import scheduler
from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.clock import ManualClock
from tests.sandbox.cloud.cron import is_due, rate_seconds
from tests.sandbox.cloud.delivery import Delivery
from tests.sandbox.cloud.events import Events, fill
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.scheduler import Scheduler
from tests.unit.sandbox.cloud.conftest import Clients
from tests.waiting import eventually

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:react"
ROLE = "arn:aws:iam::123456789012:role/scheduler"


class Cloud:
    """Buses, rules and schedules whose functions a test scripts."""

    def __init__(self, moto: MotoCloud, clients: Clients, clock: ManualClock) -> None:
        self.clock = clock
        self.runs: list[tuple[str, Any]] = []
        self.running: Future[Any] | None = None
        self.refusal: Exception | None = None
        self.delivery = Delivery(self._invoke_event, self._on_target)
        self.events = Events(clock, self.delivery)
        self.events.install(moto.patches)
        scheduler.install(moto.patches)
        Scheduler(clock, self.delivery).start()
        self.bus, self.queues, self.schedules = clients("events"), clients("sqs"), clients("scheduler")
        self.states = clients("stepfunctions")

    def _invoke_event(self, function: str, payload: bytes) -> Future[Any] | None:
        self.runs.append((function, json.loads(payload)))
        return self.running

    def _on_target(self, source_arn: str, target: dict[str, Any]) -> None:
        assert source_arn.startswith("arn:aws:")
        if self.refusal and ":sqs:" not in target["Arn"]:
            raise self.refusal

    def rule(self, pattern: dict[str, Any], bus: str = "default", **target: Any) -> None:
        self.bus.put_rule(Name="rule", EventBusName=bus, EventPattern=json.dumps(pattern))
        self.bus.put_targets(Rule="rule", EventBusName=bus, Targets=[{"Id": "1", "Arn": FUNCTION, **target}])

    def queue(self, name: str) -> str:
        url = self.queues.create_queue(QueueName=name)["QueueUrl"]
        return str(
            self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        )

    def messages(self, name: str) -> list[dict[str, Any]]:
        url = self.queues.get_queue_url(QueueName=name)["QueueUrl"]
        answer = self.queues.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
        return list(answer.get("Messages", []))

    def schedule(self, expression: str, **target: Any) -> None:
        self.schedules.create_schedule(
            Name="check",
            ScheduleExpression=expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": FUNCTION, "RoleArn": ROLE, **target},
        )

    def after(self, seconds: float, runs: int) -> None:
        self.clock.advance(seconds)
        eventually(lambda: len(self.runs) == runs)


@pytest.fixture
def cloud(moto: MotoCloud, clients: Clients, clock: ManualClock) -> Iterator[Cloud]:
    cloud = Cloud(moto, clients, clock)
    yield cloud
    cloud.delivery.close()


WAKE = {"source": ["spillway"], "detail-type": ["WakeRequested"]}


def put(cloud: Cloud, source: str = "spillway", bus: str = "spill") -> dict[str, Any]:
    entry = {"Source": source, "DetailType": "WakeRequested", "Detail": '{"deployment": "chat"}', "EventBusName": bus}
    return dict(cloud.bus.put_events(Entries=[entry]))


def test_a_products_event_reaches_the_function_of_a_rule_on_its_own_bus(cloud: Cloud) -> None:
    cloud.bus.create_event_bus(Name="spill")
    cloud.rule(WAKE, "spill")

    assert put(cloud)["FailedEntryCount"] == 0
    eventually(lambda: cloud.runs)

    function, event = cloud.runs[0]
    assert function == FUNCTION
    assert event["detail"] == {"deployment": "chat"}
    assert event["time"] == "2026-11-24T09:00:00Z"
    assert set(event) == {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}


def test_an_event_that_no_rule_wants_reaches_nothing(cloud: Cloud) -> None:
    cloud.rule({**WAKE, "detail": {"deployment": [{"prefix": "code-"}]}})
    put(cloud, bus="default")
    cloud.rule(WAKE)
    put(cloud, bus="default")
    eventually(lambda: cloud.runs)
    assert len(cloud.runs) == 1


def test_aws_services_put_events_on_the_default_bus_and_customers_cannot(cloud: Cloud) -> None:
    cloud.rule({"source": ["aws.autoscaling"], "detail": {"AutoScalingGroupName": [{"prefix": "spill-"}]}})
    assert put(cloud, source="aws.autoscaling", bus="default")["Entries"][0]["ErrorCode"].startswith("NotAuthorized")

    cloud.events.emit("aws.autoscaling", "EC2 Instance Launch Successful", {"AutoScalingGroupName": "spill-chat"})
    eventually(lambda: cloud.runs)

    assert [event["detail-type"] for _, event in cloud.runs] == ["EC2 Instance Launch Successful"]
    assert cloud.events.seen[0]["Source"] == "aws.autoscaling"


def test_a_target_may_shape_its_input(cloud: Cloud) -> None:
    transformer = {
        "InputPathsMap": {"name": "$.detail.deployment", "detail": "$.detail"},
        "InputTemplate": '{"deployment": <name>, "text": "wake <name>", "detail": <detail>}',
    }
    cloud.rule(WAKE, InputTransformer=transformer)
    put(cloud, bus="default")
    eventually(lambda: cloud.runs)
    assert cloud.runs[0][1] == {"deployment": "chat", "text": "wake chat", "detail": {"deployment": "chat"}}


def test_quotes_in_a_value_are_escaped_inside_a_template() -> None:
    assert json.loads(fill('{"why": "it said <x>"}', {"x": 'a "b"'})) == {"why": 'it said a "b"'}


def test_queues_and_state_machines_are_targets_too(cloud: Cloud) -> None:
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    role = "arn:aws:iam::123456789012:role/workflow"
    machine = cloud.states.create_state_machine(name="scale", definition=definition, roleArn=role)["stateMachineArn"]
    cloud.rule(WAKE, Arn=cloud.queue("copy"))
    targets = [{"Id": "2", "Arn": machine, "RoleArn": role, "InputPath": "$.detail"}]
    cloud.bus.put_targets(Rule="rule", Targets=targets)

    put(cloud, bus="default")

    (message,) = eventually(lambda: cloud.messages("copy"))
    assert json.loads(message["Body"])["detail"] == {"deployment": "chat"}
    (run,) = eventually(lambda: cloud.states.list_executions(stateMachineArn=machine)["executions"])
    assert cloud.states.describe_execution(executionArn=run["executionArn"])["input"] == '{"deployment": "chat"}'


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AwsError("AccessDeniedException", "not allowed", 403), "AccessDeniedException"),
        (LookupError("Function not found"), "ResourceNotFoundException"),
    ],
)
def test_what_cannot_be_delivered_goes_to_the_targets_queue(cloud: Cloud, error: Exception, code: str) -> None:
    cloud.refusal = error
    cloud.rule(WAKE, DeadLetterConfig={"Arn": cloud.queue("dead")})
    put(cloud, bus="default")

    (message,) = eventually(lambda: cloud.messages("dead"))

    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == code
    assert [found.code for found in cloud.delivery.undelivered] == [code]
    assert cloud.runs == []


def test_a_rate_ticks_on_sandbox_time(cloud: Cloud) -> None:
    cloud.schedule("rate(1 minute)", Input='{"at": "<aws.scheduler.scheduled-time>"}')
    cloud.clock.advance(5)
    for minute in range(1, 4):
        cloud.after(60, runs=minute)
    assert cloud.runs[0] == (FUNCTION, {"at": "2026-11-24T09:01:05Z"})


def test_turns_do_not_pile_up_behind_one_that_still_runs(cloud: Cloud) -> None:
    cloud.running = Future()
    cloud.schedule("rate(1 minute)")
    cloud.clock.advance(5)
    cloud.after(60, runs=1)
    cloud.clock.advance(300)
    assert len(cloud.runs) == 1

    cloud.running.set_result(None)
    cloud.after(60, runs=2)


def test_a_cron_expression_is_due_at_its_minutes(cloud: Cloud) -> None:
    cloud.schedule("cron(30 9 ? * MON-FRI *)")
    cloud.clock.advance(1700)
    assert cloud.runs == []
    cloud.after(200, runs=1)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("cron(0/15 * * * ? *)", True),
        ("cron(1 9 * * ? *)", False),
        ("cron(0 9 24 11 ? 2026)", True),
        ("cron(0 9 ? NOV TUE *)", True),
        ("cron(0 9 ? * SUN,MON *)", False),
    ],
)
def test_cron_fields(expression: str, due: bool) -> None:
    nine = datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert is_due(expression, nine.replace(hour=8, minute=59), nine) is due


def test_expressions_that_are_none() -> None:
    assert rate_seconds("cron(0 9 * * ? *)") is None
    assert rate_seconds("rate(5 minutes)") == 300
    with pytest.raises(ValueError, match="not a cron expression"):
        is_due("cron(1 2)", datetime.now(UTC), datetime.now(UTC))


@pytest.mark.parametrize(
    "expression",
    [
        "every minute",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "rate(-1 hour)",
        "cron(0 9 * * *)",
        "cron(60 9 * * ? *)",
        "cron(0 9 0 * ? *)",
        "cron(0 9 * 13 ? *)",
        "cron(0 9 ? * FUN *)",
        "cron(0 9 ? * 8 *)",
        "cron(0/0 9 * * ? *)",
        "cron(0 9 * * * *)",
        "cron(0 9 1-2-3 * ? *)",
        "cron(0 9 * * ? 1969)",
    ],
)
def test_a_schedule_that_is_never_due_is_refused(cloud: Cloud, expression: str) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid Schedule Expression"):
        cloud.schedule(expression)


def test_a_zone_that_is_none_is_refused_also_of_a_schedule_that_is_there(cloud: Cloud) -> None:
    cloud.schedule("rate(1 minute)")
    there = cloud.schedules.list_schedules()["Schedules"][0]["Name"]
    given = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": FUNCTION, "RoleArn": ROLE}}
    times = {"ScheduleExpression": "cron(0 9 * * ? *)", "ScheduleExpressionTimezone": "Europe/Nowhere"}
    for call, name in ((cloud.schedules.create_schedule, "other"), (cloud.schedules.update_schedule, there)):
        with pytest.raises(ClientError, match="Invalid Schedule Expression Timezone Europe/Nowhere"):
            call(Name=name, **given, **times)
    cloud.schedules.update_schedule(Name=there, **given, **{**times, "ScheduleExpressionTimezone": "Europe/Berlin"})


def test_what_ends_with_the_cloud_is_not_delivered_any_more(cloud: Cloud) -> None:
    cloud.rule({"source": ["aws.states"]})
    cloud.delivery.close()
    cloud.events.emit("aws.states", "Step Functions Execution Status Change", {"status": "ABORTED"})
    assert cloud.runs == []
