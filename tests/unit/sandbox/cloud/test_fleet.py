"""Auto Scaling groups, instances and target groups behave over time as AWS's do."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.user_data import user_data
from spillway.adapters.dynamodb.loads_table import LoadsTable
from spillway.domain.deployments.resource_names import Names
from spillway.domain.observations.signals import Signal
from tests.builders import a_spec
from tests.sandbox.cloud.activities import LAUNCH_FAILED, LAUNCH_OK, TERMINATED
from tests.sandbox.cloud.clock import ManualClock
from tests.sandbox.cloud.load_balancer import Forward, Refusal
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.ports import EngineLoad
from tests.unit.sandbox.cloud.conftest import Clients
from tests.unit.sandbox.cloud.fleets import NAME, USER_DATA, FleetCloud


@pytest.fixture
def cloud(moto: MotoCloud, clients: Clients, clock: ManualClock) -> FleetCloud:
    return FleetCloud(moto, clients, clock)


def test_an_instance_boots_before_it_answers(cloud: FleetCloud) -> None:
    cloud.make(desired=1)
    assert cloud.group()["Instances"] == []

    cloud.clock.advance(6)
    assert cloud.states() == ["Pending"]
    cloud.clock.advance(20)
    assert cloud.states() == ["InService"]
    assert cloud.group()["Instances"][0]["InstanceType"] == "g6.xlarge"
    assert cloud.health() == ["initial"]
    cloud.clock.advance(60)
    assert cloud.health() == ["unhealthy"]
    cloud.clock.advance(130)
    assert cloud.health() == ["healthy"]

    assert [engine.model for engine in cloud.engines.all.values()] == ["chat"]
    assert cloud.named(LAUNCH_OK)[0]["AutoScalingGroupName"] == NAME
    assert cloud.named(LAUNCH_OK)[0]["EC2InstanceId"] == cloud.ids()[0]


def test_a_type_without_capacity_fails_the_activity_in_awss_words(cloud: FleetCloud) -> None:
    cloud.faults.insufficient_capacity.add("g6.xlarge")
    cloud.make(desired=1)
    cloud.clock.advance(10)

    activity = cloud.autoscaling.describe_scaling_activities(AutoScalingGroupName=NAME)["Activities"][0]
    assert activity["StatusCode"] == "Failed"
    assert "We currently do not have sufficient g6.xlarge capacity" in activity["StatusMessage"]
    assert cloud.group()["Instances"] == []
    assert "sufficient g6.xlarge capacity" in cloud.named(LAUNCH_FAILED)[0]["StatusMessage"]

    cloud.faults.clear()
    cloud.clock.advance(70)
    assert cloud.states() == ["Pending"]


def test_the_next_type_in_order_is_taken_where_the_first_is_out(cloud: FleetCloud) -> None:
    cloud.faults.insufficient_capacity.add("g6.xlarge")
    cloud.make(desired=1, types=("g6.xlarge", "g5.xlarge"))
    cloud.clock.advance(10)
    assert [found["InstanceType"] for found in cloud.group()["Instances"]] == ["g5.xlarge"]


def test_a_type_that_its_zone_does_not_have_fails_the_activity_in_ec2s_words(cloud: FleetCloud) -> None:
    cloud.make(desired=1, types=("p5e.48xlarge", "p6-b200.48xlarge"))
    cloud.clock.advance(10)
    assert cloud.group()["Instances"] == []
    assert cloud.named(LAUNCH_FAILED)[0]["StatusMessage"] == (
        "Your requested instance type (p6-b200.48xlarge) is not supported in your requested Availability Zone "
        "(us-east-1a). Please retry your request by not specifying an Availability Zone or choosing us-east-1c. "
        "Launching EC2 instance failed."
    )


def test_a_quota_of_none_is_told_in_ec2s_words(cloud: FleetCloud) -> None:
    cloud.faults.resource_limit["g6.xlarge"] = 0
    cloud.make(desired=1)
    cloud.clock.advance(10)
    assert "vCPU limit of 0" in cloud.named(LAUNCH_FAILED)[0]["StatusMessage"]


def test_scale_in_drains_requests_in_flight_and_then_terminates(cloud: FleetCloud) -> None:
    cloud.make(desired=1)
    cloud.clock.advance(300)
    (engine,) = cloud.engines.all.values()
    engine.present = EngineLoad(running=1)

    cloud.autoscaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=0)
    cloud.clock.advance(60)
    assert (cloud.health(), cloud.states(), engine.ended) == (["draining"], ["Terminating"], "")
    engine.present = EngineLoad()
    cloud.clock.advance(15)

    assert (cloud.health(), cloud.group()["Instances"], engine.ended) == ([], [], "stopped")
    assert len(cloud.named(TERMINATED)) == 1
    (reservation,) = cloud.ec2.describe_instances()["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] == "terminated"


def test_a_dead_instance_is_noticed_and_replaced(cloud: FleetCloud) -> None:
    cloud.make(desired=1)
    cloud.clock.advance(300)
    (first,) = cloud.ids()

    cloud.fleet.kill_instance(first)
    assert cloud.engines.all[first].ended == "killed"
    assert cloud.health() == ["healthy"]
    cloud.clock.advance(30)
    assert cloud.health() == ["unhealthy"]
    cloud.clock.advance(300)

    assert cloud.ids() != [first]
    assert (cloud.states(), cloud.health()) == (["InService"], ["healthy"])


def test_a_spot_instance_gets_two_minutes_notice(cloud: FleetCloud) -> None:
    cloud.make(desired=1, spot=True)
    cloud.clock.advance(300)
    (first,) = cloud.ids()
    described = cloud.ec2.describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]
    assert described["InstanceLifecycle"] == "spot"

    cloud.fleet.interrupt_spot(first)
    (warning,) = cloud.named("EC2 Spot Instance Interruption Warning")
    assert warning == {"instance-id": first, "instance-action": "terminate"}
    cloud.clock.advance(119)
    assert cloud.engines.all[first].ended == ""
    cloud.clock.advance(2)
    assert cloud.engines.all[first].ended == "killed"


def test_an_engine_that_crashes_while_loading_never_gets_healthy(cloud: FleetCloud) -> None:
    cloud.faults.crash_while_loading.add("chat")
    cloud.make(desired=1)
    cloud.clock.advance(900)
    assert (cloud.states(), cloud.health()) == (["InService"], ["unhealthy"])


def test_load_balancer_health_replaces_what_never_answers(cloud: FleetCloud) -> None:
    cloud.faults.crash_while_loading.add("g6.xlarge")
    cloud.make(desired=1, health="ELB")
    cloud.clock.advance(30)
    (first,) = cloud.ids()
    cloud.clock.advance(330)
    assert first not in cloud.ids()
    assert len(cloud.named(TERMINATED)) == 1


def test_the_agent_tells_the_table_that_its_boot_script_names(cloud: FleetCloud, clients: Clients) -> None:
    dynamodb = clients("dynamodb")
    dynamodb.create_table(
        TableName="loads",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    config = FleetConfig("s", "us-east-1", "vpc", ("s",), "sg", "listener", "profile", "loads", False, None)
    cloud.make(
        desired=2, user_data=user_data(a_spec(name="chat", model={"id": "Qwen/Qwen3-8B"}), Names("s", "chat"), config)
    )
    cloud.clock.advance(301)
    for engine in cloud.engines.all.values():
        engine.present = EngineLoad(running=3, waiting=2, kv_cache_use=0.5)
    cloud.clock.advance(120)
    now = cloud.clock.now()
    load = LoadsTable(dynamodb, "loads").read({"chat": {Signal.ENGINES}}, now, now)["chat"]
    assert (load.running, load.waiting, load.kv_cache_use) == (6.0, 4.0, 0.5)


def test_an_agent_of_before_there_was_the_table_puts_a_datapoint_a_minute(cloud: FleetCloud) -> None:
    cloud.make(desired=2)
    cloud.clock.advance(301)
    for engine in cloud.engines.all.values():
        engine.present = EngineLoad(running=3, waiting=2, kv_cache_use=0.5)
    cloud.clock.advance(120)

    metric = {
        "Namespace": "Spillway/Engine",
        "MetricName": "RequestsWaiting",
        "Dimensions": [{"Name": "Deployment", "Value": "chat"}],
    }
    answer = cloud.cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "w", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=datetime(2026, 11, 24, 9, 6, tzinfo=UTC),
        EndTime=cloud.clock.now(),
    )
    assert answer["MetricDataResults"][0]["Values"] == [4.0, 4.0]
    assert answer["MetricDataResults"][0]["Timestamps"][-1] == datetime(2026, 11, 24, 9, 6, tzinfo=UTC)


def test_capacity_stays_within_the_groups_bounds(cloud: FleetCloud) -> None:
    cloud.make(desired=0, most=1)
    with pytest.raises(ClientError, match="above max value 1"):
        cloud.autoscaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=2)
    cloud.autoscaling.update_auto_scaling_group(AutoScalingGroupName=NAME, MaxSize=3, DesiredCapacity=2)
    cloud.clock.advance(30)
    assert cloud.states() == ["InService", "InService"]
    assert cloud.group()["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"][0]["InstanceType"] == "g6.xlarge"


def test_a_group_is_made_once_and_deleted_only_by_force_while_it_has_instances(cloud: FleetCloud) -> None:
    cloud.make(desired=1)
    cloud.clock.advance(300)
    with pytest.raises(ClientError, match="AlreadyExists"):
        cloud.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=NAME, MinSize=0, MaxSize=1, VPCZoneIdentifier=cloud.subnets[0],
            LaunchTemplate={"LaunchTemplateName": NAME},
        )  # fmt: skip
    with pytest.raises(ClientError, match="ResourceInUse"):
        cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME)

    cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
    assert cloud.group()["Status"] == "Delete in progress"
    cloud.clock.advance(30)

    assert cloud.group() == {}
    assert cloud.ids() == []


def test_a_request_goes_round_the_healthy_targets_with_its_path_rewritten(cloud: FleetCloud) -> None:
    cloud.make(desired=2)
    cloud.route()
    path = "/prod/fleets/chat/v1/chat/completions?x=1"
    assert cloud.load_balancer.resolve("/elsewhere", {}) == Refusal(404, "no fleet")
    assert cloud.load_balancer.resolve(path, {}) == Refusal(503, "Service Temporarily Unavailable")
    cloud.clock.advance(60)
    assert cloud.load_balancer.resolve(path, {}) == Refusal(502, "Bad Gateway")
    cloud.clock.advance(240)

    answers = [cloud.load_balancer.resolve(path, {"Host": "x"}) for _ in range(4)]
    assert all(isinstance(found, Forward) and found.path == "/v1/chat/completions?x=1" for found in answers)
    assert len({found.engine_url for found in answers if isinstance(found, Forward)}) == 2
    rules = cloud.elb.describe_rules(ListenerArn=cloud.listener)["Rules"]
    assert rules[0]["Transforms"][0]["Type"] == "url-rewrite"


def test_requests_keep_off_a_target_that_drains(cloud: FleetCloud) -> None:
    cloud.make(desired=2)
    cloud.route()
    cloud.clock.advance(300)
    for engine in cloud.engines.all.values():
        engine.present = EngineLoad(running=1)
    cloud.autoscaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=1)
    cloud.clock.advance(10)
    answers = {cloud.load_balancer.resolve("/fleets/chat/v1/models", {}) for _ in range(4)}
    assert len(answers) == 1


def hooked(cloud: FleetCloud) -> None:
    cloud.make(
        desired=1,
        LifecycleHookSpecificationList=[
            {
                "LifecycleHookName": "engine-ready",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                "HeartbeatTimeout": 2700,
                "DefaultResult": "ABANDON",
            }
        ],
    )


def test_a_hook_holds_an_instance_until_its_engine_answers(cloud: FleetCloud) -> None:
    hooked(cloud)
    cloud.clock.advance(60)
    assert (cloud.states(), cloud.health()) == (["Pending:Wait"], [])
    cloud.clock.advance(140)
    assert cloud.states() == ["InService"]
    cloud.clock.advance(10)
    assert cloud.health() == ["healthy"]


def test_an_engine_that_crashes_abandons_its_hook_and_the_group_tries_again(cloud: FleetCloud) -> None:
    cloud.faults.crash_while_loading.add("chat")
    hooked(cloud)
    cloud.clock.advance(30)
    (first,) = cloud.ids()

    cloud.clock.advance(240)

    statuses = {
        found["StatusCode"]: found.get("StatusMessage", "")
        for found in cloud.autoscaling.describe_scaling_activities(AutoScalingGroupName=NAME)["Activities"]
    }
    assert "was abandoned: Lifecycle Action Completed with ABANDON Result" in statuses["Cancelled"]
    assert cloud.named(LAUNCH_FAILED)[0]["EC2InstanceId"] == first
    assert first not in cloud.ids()
    assert cloud.named("EC2 Instance-launch Lifecycle Action")[0]["LifecycleHookName"] == "engine-ready"


def test_rebalancing_launches_the_replacement_before_the_interruption(cloud: FleetCloud) -> None:
    cloud.make(desired=1, spot=True, CapacityRebalance=True)
    cloud.clock.advance(300)
    (first,) = cloud.ids()
    cloud.fleet.interrupt_spot(first)
    cloud.clock.advance(60)
    assert len(cloud.ids()) == 2
    cloud.clock.advance(300)
    assert len(cloud.ids()) == 1
    assert first not in cloud.ids()


def test_least_outstanding_requests_prefers_the_idle_engine(cloud: FleetCloud) -> None:
    cloud.make(desired=2)
    cloud.route()
    attribute = {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"}
    cloud.elb.modify_target_group_attributes(TargetGroupArn=cloud.target_group, Attributes=[attribute])
    cloud.clock.advance(300)
    busy, idle = cloud.engines.all.values()
    busy.present = EngineLoad(running=5)
    urls = {cloud.load_balancer.resolve("/fleets/chat/v1/models", {}) for _ in range(4)}
    assert {found.engine_url for found in urls if isinstance(found, Forward)} == {idle.url}


def homes(cloud: FleetCloud) -> dict[str, str]:
    """Return the engine that each of 60 conversations is led to."""
    found = {
        key: cloud.load_balancer.resolve("/fleets/chat/v1/models", {"X-Spillway-Affinity": key})
        for key in (f"{number:016x}" for number in range(60))
    }
    return {key: each.engine_url for key, each in found.items() if isinstance(each, Forward)}


def test_proxies_lead_a_conversation_to_one_engine_until_it_dies(cloud: FleetCloud) -> None:
    cloud.make(desired=3, user_data=USER_DATA + "docker run --detach --name proxy haproxy\n")
    cloud.route()
    cloud.clock.advance(300)
    before = homes(cloud)
    assert homes(cloud) == before
    assert len(set(before.values())) == 3

    dead = next(iter(cloud.fleet.machines.values()))
    assert dead.engine
    url = dead.engine.url
    cloud.fleet.crash_engine(dead.id)
    others = set(before.values()) - {url}
    # The balancer takes its time to notice; meanwhile what enters by the dead engine's instance is led on all the same.
    after = homes(cloud)
    moved = {key for key in before if before[key] != after[key]}
    assert moved == {key for key in before if before[key] == url}
    assert {after[key] for key in moved} == others


def test_a_busy_conversation_overflows_to_another_engine(cloud: FleetCloud) -> None:
    cloud.make(desired=3, user_data=USER_DATA + "docker run --detach --name proxy haproxy\n")
    cloud.route()
    cloud.clock.advance(300)
    key, home = next(iter(homes(cloud).items()))
    busy = next(engine for engine in cloud.engines.all.values() if engine.url == home)
    busy.present = EngineLoad(running=9)
    assert homes(cloud)[key] != home


def test_without_proxies_conversations_go_round(cloud: FleetCloud) -> None:
    cloud.make(desired=2)
    cloud.route()
    cloud.clock.advance(300)
    headers = {"x-spillway-affinity": "aa"}
    answers = [cloud.load_balancer.resolve("/fleets/chat/v1/models", headers) for _ in range(4)]
    assert len({found.engine_url for found in answers if isinstance(found, Forward)}) == 2


def test_an_engine_that_ends_at_start_never_enters_service(cloud: FleetCloud) -> None:
    cloud.make(desired=1, user_data=USER_DATA.replace("Qwen/Qwen3-8B", "acme/none"))
    cloud.clock.advance(400)
    (first, *_) = cloud.fleet.launched
    assert "acme/none" in first.last_words
    assert cloud.engines.all == {}
