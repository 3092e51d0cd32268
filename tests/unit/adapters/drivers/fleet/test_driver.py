import base64
import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from spillway.adapters.drivers.fleet.config import HOOK_NAME
from spillway.adapters.drivers.fleet.group import MARK_TAG
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import CapacityUnavailable, Conflict, InvalidRequest, Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import FleetTarget
from tests.builders import a_deployment, a_spec
from tests.unit.adapters.drivers.conftest import FleetWorld

FLEET = a_deployment("support-llama")
BASE = "spillway-support-llama"
TAGS = {"spillway:stack": "spillway", "spillway:deployment": "support-llama"}


def group_of(world: FleetWorld) -> dict[str, Any]:
    groups = world.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[BASE])["AutoScalingGroups"]
    assert len(groups) == 1
    found: dict[str, Any] = groups[0]
    return found


def template_of(world: FleetWorld) -> dict[str, Any]:
    versions = world.ec2.describe_launch_template_versions(LaunchTemplateName=BASE)["LaunchTemplateVersions"]
    data: dict[str, Any] = versions[-1]["LaunchTemplateData"]
    return data


def script_of(template: dict[str, Any]) -> str:
    """Return the user data as an instance's cloud-init unpacks it."""
    return gzip.decompress(base64.b64decode(template["UserData"])).decode()


def leftovers(world: FleetWorld) -> dict[str, int]:
    rules = world.elb.describe_rules(ListenerArn=world.config.listener_arn)["Rules"]
    return {
        "groups": len(world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]),
        "templates": len(world.ec2.describe_launch_templates()["LaunchTemplates"]),
        "target groups": len(world.elb.describe_target_groups()["TargetGroups"]),
        "rules": len([rule for rule in rules if rule["Priority"] != "default"]),
    }


NOTHING = {"groups": 0, "templates": 0, "target groups": 0, "rules": 0}
ONE_OF_EACH = dict.fromkeys(NOTHING, 1)


def all_healthy(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = frozenset(instance["InstanceId"] for instance in group_of(world)["Instances"])
    monkeypatch.setattr(type(world.driver.route), "healthy", lambda *_: ids)


def an_activity(number: int, status: str, message: str = "") -> dict[str, Any]:
    return {
        "ActivityId": f"activity-{number}",
        "AutoScalingGroupName": BASE,
        "Cause": "a difference between desired and actual capacity",
        "StartTime": datetime(2026, 11, 24, tzinfo=UTC),
        "StatusCode": status,
        "StatusMessage": message,
    }


def activities_are(world: FleetWorld, monkeypatch: pytest.MonkeyPatch, *activities: dict[str, Any]) -> None:
    monkeypatch.setattr(
        world.autoscaling, "describe_scaling_activities", lambda **kw: {"Activities": activities[: kw["MaxRecords"]]}
    )


def test_provision_makes_one_of_each_thing_and_tags_it(world: FleetWorld) -> None:
    made = world.driver.provision(FLEET, 1)

    assert leftovers(world) == ONE_OF_EACH
    assert made["instance_type"] == "g6e.xlarge"
    group = group_of(world)
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (0, 4, 1)
    assert group["TargetGroupARNs"] == [made["target_group_arn"]]
    assert {tag["Key"]: (tag["Value"], tag["PropagateAtLaunch"]) for tag in group["Tags"]} == {
        key: (value, True) for key, value in TAGS.items()
    }
    template = world.ec2.describe_launch_templates()["LaunchTemplates"][0]
    for tags in (template["Tags"], *(kind["Tags"] for kind in template_of(world)["TagSpecifications"])):
        assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS
    for arn in made["target_group_arn"], made["rule_arn"]:
        tags = world.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS


def test_a_repeated_provision_makes_nothing_twice(world: FleetWorld) -> None:
    assert world.driver.provision(FLEET, 1) == world.driver.provision(FLEET, 1)
    assert leftovers(world) == ONE_OF_EACH


@pytest.mark.parametrize(("asked", "told"), [("hermes", "hermes"), ("none", None), (None, None)])
def test_what_reads_calls_of_tools_is_told_with_what_was_made(
    world: FleetWorld, asked: str | None, told: str | None
) -> None:
    spec = a_spec(engine={"tool_call_parser": asked})
    assert world.driver.provision(a_deployment(spec=spec), 1).get("tool_call_parser") == told
    assert ("--tool-call-parser" in script_of(template_of(world))) == (told is not None)


def test_the_balancer_asks_the_engine_where_it_answers(world: FleetWorld) -> None:
    world.driver.provision(FLEET, 1)
    (group,) = world.elb.describe_target_groups()["TargetGroups"]
    assert (group["Port"], group["HealthCheckPort"], group["HealthCheckPath"]) == (8000, "traffic-port", "/health")


def test_an_engine_too_busy_for_its_health_check_is_not_replaced(world: FleetWorld) -> None:
    world.driver.provision(FLEET, 1)
    (group,) = world.elb.describe_target_groups()["TargetGroups"]
    assert group["HealthCheckTimeoutSeconds"] < group["HealthCheckIntervalSeconds"], "the balancer wants it so"
    assert group["HealthCheckIntervalSeconds"] * group["UnhealthyThresholdCount"] >= 90
    # A new instance must be found healthy within its grace period.
    grace = group_of(world)["HealthCheckGracePeriod"]
    assert group["HealthCheckIntervalSeconds"] * (group["HealthyThresholdCount"] + 1) < grace


def test_only_a_container_that_reads_weights_of_ours_reaches_the_metadata_service(world: FleetWorld) -> None:
    own = a_spec(model={"id": "meta-llama/Llama-3.1-8B-Instruct", "weights": "s3://models-bucket/llama/"})
    world.driver.provision(a_deployment(spec=own), 1)
    assert template_of(world)["MetadataOptions"]["HttpPutResponseHopLimit"] == 2


def test_instances_are_closed_tightly(world: FleetWorld) -> None:
    world.driver.provision(FLEET, 1)
    data = template_of(world)
    assert (data["MetadataOptions"]["HttpTokens"], data["MetadataOptions"]["HttpPutResponseHopLimit"]) == (
        "required",
        1,
    )
    disk = data["BlockDeviceMappings"][0]["Ebs"]
    assert (disk["Encrypted"], disk["VolumeType"], disk["DeleteOnTermination"]) == (True, "gp3", True)
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True
    assert data["NetworkInterfaces"][0]["Groups"] == [world.config.security_group_id]
    script = script_of(data)
    assert "--served-model-name support-llama" in script
    assert "@@" not in script


@pytest.mark.parametrize(("market", "share"), [("on-demand", 100), ("spot", 0)])
def test_types_are_tried_in_order_on_the_wanted_market(world: FleetWorld, market: str, share: int) -> None:
    capacity = {"max": 4, "instance_types": ["g6e.xlarge", "ml.g5.2xlarge"], "market": market}
    world.driver.provision(a_deployment(spec=a_spec(capacity=capacity)), 1)
    policy = group_of(world)["MixedInstancesPolicy"]
    assert [one["InstanceType"] for one in policy["LaunchTemplate"]["Overrides"]] == ["g6e.xlarge", "g5.2xlarge"]
    assert policy["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == share
    assert policy["InstancesDistribution"]["OnDemandAllocationStrategy"] == "prioritized"


def test_the_group_waits_for_the_engine(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(world.autoscaling, "create_auto_scaling_group", lambda **kw: asked.update(kw))
    world.driver.provision(FLEET, 1)
    hook = asked["LifecycleHookSpecificationList"][0]
    assert hook["LifecycleHookName"] == HOOK_NAME
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert hook["DefaultResult"] == "ABANDON"
    assert asked["HealthCheckType"] == "ELB"


def test_the_rule_drops_everything_before_the_engines_path(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    create = world.elb.create_rule
    monkeypatch.setattr(world.elb, "create_rule", lambda **kw: asked.update(kw) or create(**kw))
    world.driver.provision(FLEET, 1)
    assert asked["Conditions"][0]["PathPatternConfig"]["Values"] == ["*/fleets/support-llama/*"]
    rewrite = asked["Transforms"][0]["UrlRewriteConfig"]["Rewrites"][0]
    import re

    def rewritten(path: str) -> str:
        return re.sub(rewrite["Regex"], rewrite["Replace"].replace("$", "\\"), path)

    assert rewritten("/prod/fleets/support-llama/v1/chat/completions") == "/v1/chat/completions"
    assert rewritten("/fleets/support-llama/metrics") == "/metrics"


def test_a_taken_rule_priority_is_stepped_over(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    create = world.elb.create_rule

    def first_is_taken(**kw: Any) -> Any:
        tried.append(kw["Priority"])
        if len(tried) == 1:
            raise ClientError({"Error": {"Code": "PriorityInUse", "Message": "taken"}}, "CreateRule")
        return create(**kw)

    monkeypatch.setattr(world.elb, "create_rule", first_is_taken)
    world.driver.provision(FLEET, 1)
    assert tried[1] == tried[0] % 50_000 + 1
    world.driver.provision(a_deployment("other"), 1)
    assert len(set(tried)) == 3


def test_two_fleets_live_behind_one_listener(world: FleetWorld) -> None:
    world.driver.provision(FLEET, 1)
    world.driver.provision(a_deployment("other-model"), 2)
    assert world.driver.release(FLEET) == []
    assert leftovers(world) == ONE_OF_EACH


def test_probe_sees_nothing_before_anything_is_made(world: FleetWorld) -> None:
    assert world.driver.probe(FLEET) == Capacity(instance_type="g6e.xlarge")


def test_probe_counts_as_ready_only_what_answers(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.driver.provision(FLEET, 2)
    monkeypatch.setattr(type(world.driver.route), "healthy", lambda *_: frozenset())
    seen = world.driver.probe(FLEET)
    assert (seen.desired, seen.ready, seen.starting) == (2, 0, 2)
    all_healthy(world, monkeypatch)
    seen = world.driver.probe(FLEET)
    assert (seen.desired, seen.ready, seen.starting, seen.problem) == (2, 2, 0, None)


SENTENCE = "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient"


def empty_group(world: FleetWorld, desired: int) -> None:
    """A group that wants instances and has none, which moto never has."""
    world.driver.provision(FLEET, 0)
    from moto.autoscaling.models import autoscaling_backends

    backend = autoscaling_backends["123456789012"]["us-east-1"]
    backend.autoscaling_groups[BASE].desired_capacity = desired


def test_a_launch_refused_for_capacity_is_raised_in_awss_words(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_group(world, 1)
    activities_are(world, monkeypatch, an_activity(1, "Failed", SENTENCE))
    with pytest.raises(CapacityUnavailable, match="InsufficientInstanceCapacity"):
        world.driver.probe(FLEET)


def test_a_refusal_beside_a_ready_instance_is_told_not_raised(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.driver.provision(FLEET, 1)
    all_healthy(world, monkeypatch)
    from moto.autoscaling.models import autoscaling_backends

    autoscaling_backends["123456789012"]["us-east-1"].autoscaling_groups[BASE].desired_capacity = 2
    activities_are(world, monkeypatch, an_activity(1, "Failed", SENTENCE))
    seen = world.driver.probe(FLEET)
    assert (seen.ready, seen.problem) == (1, SENTENCE)


@pytest.mark.parametrize(
    "activities",
    [
        [],
        [an_activity(1, "InProgress")],
        [an_activity(1, "Failed", "Internal error. Launching EC2 instance failed.")],
        [an_activity(1, "Cancelled", "Lifecycle Action was abandoned")],
    ],
)
def test_what_is_no_refusal_is_waited_for(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch, activities: list[Any]
) -> None:
    empty_group(world, 1)
    activities_are(world, monkeypatch, *activities)
    assert world.driver.probe(FLEET).problem is None


def test_a_refusal_from_before_the_last_resize_is_old_news(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.driver.provision(FLEET, 0)
    old = an_activity(1, "Failed", SENTENCE)
    activities_are(world, monkeypatch, old)
    world.driver.scale(FLEET, 1)
    assert {tag["Key"]: tag["Value"] for tag in group_of(world)["Tags"]}[MARK_TAG] == "activity-1"
    world.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=group_of(world)["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=True
    )
    from moto.autoscaling.models import autoscaling_backends

    autoscaling_backends["123456789012"]["us-east-1"].autoscaling_groups[BASE].desired_capacity = 1
    assert world.driver.probe(FLEET).problem is None
    activities_are(world, monkeypatch, an_activity(2, "Failed", SENTENCE), old)
    with pytest.raises(CapacityUnavailable):
        world.driver.probe(FLEET)


def test_scale_resizes_and_keeps_the_bounds(world: FleetWorld) -> None:
    world.driver.provision(FLEET, 1)
    world.driver.scale(FLEET, 3)
    world.driver.scale(FLEET, 3)
    group = group_of(world)
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (0, 4, 3)
    world.driver.scale(FLEET, 0)
    assert world.driver.probe(FLEET).billed == 0


CHANGED = a_deployment(spec=a_spec(capacity={"max": 6, "instance_types": ["g6e.2xlarge"], "market": "spot"}))


@pytest.mark.parametrize("verb", ["provision", "scale"])
@pytest.mark.parametrize("desired", [1, 2])
def test_a_group_follows_a_changed_spec_once(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch, verb: str, desired: int
) -> None:
    world.driver.provision(FLEET, 1)
    asked: list[dict[str, Any]] = []
    update = world.autoscaling.update_auto_scaling_group

    def noted(**parameters: Any) -> Any:
        asked.append(parameters)
        return update(**parameters)

    monkeypatch.setattr(world.autoscaling, "update_auto_scaling_group", noted)
    for _ in range(2):
        getattr(world.driver, verb)(CHANGED, desired)
    group = group_of(world)
    assert (group["MaxSize"], group["DesiredCapacity"]) == (6, desired)
    policy = group["MixedInstancesPolicy"]
    assert [one["InstanceType"] for one in policy["LaunchTemplate"]["Overrides"]] == ["g6e.2xlarge"]
    assert policy["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 0
    assert [each["CapacityRebalance"] for each in asked] == [True]


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_instances_get_or_lose_their_proxy_with_a_maximum_of_several(
    world: FleetWorld, before: int, after: int
) -> None:
    def has_proxy() -> bool:
        return "--name proxy" in script_of(template_of(world))

    def fleet(maximum: int) -> Deployment:
        return a_deployment(spec=a_spec(capacity={"max": maximum, "instance_types": ["g6e.xlarge"]}))

    world.driver.provision(fleet(before), 1)
    assert has_proxy() is (before > 1)
    for _ in range(2):
        world.driver.scale(fleet(after), 1)
    assert has_proxy() is (after > 1)
    assert len(world.ec2.describe_launch_template_versions(LaunchTemplateName=BASE)["LaunchTemplateVersions"]) == 2


def test_scale_without_a_group_says_so(world: FleetWorld) -> None:
    with pytest.raises(CapacityUnavailable, match="gone"):
        world.driver.scale(FLEET, 1)


def test_release_of_nothing_is_done_at_once(world: FleetWorld) -> None:
    assert world.driver.release(FLEET) == []


def test_release_leaves_nothing_and_may_be_repeated(world: FleetWorld) -> None:
    world.driver.provision(FLEET, 2)
    assert world.driver.release(FLEET) == []
    assert leftovers(world) == NOTHING
    assert world.driver.release(FLEET) == []


PROVISIONING_CALLS = [
    ("elb", "create_target_group"),
    ("elb", "modify_target_group_attributes"),
    ("elb", "describe_rules"),
    ("elb", "create_rule"),
    ("ec2", "describe_images"),
    ("ec2", "create_launch_template"),
    ("autoscaling", "create_auto_scaling_group"),
]


@pytest.mark.parametrize(("service", "call"), PROVISIONING_CALLS)
def test_a_fleet_half_made_is_released_or_finished(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch, service: str, call: str
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, call)

    with monkeypatch.context() as patch:
        target = "get_paginator" if call == "describe_rules" else call
        patch.setattr(getattr(world, service), target, refuse)
        with pytest.raises(Retryable):
            world.driver.provision(FLEET, 1)
    assert world.driver.release(FLEET) == []
    assert leftovers(world) == NOTHING
    with monkeypatch.context() as patch:
        patch.setattr(getattr(world, service), target, refuse)
        with pytest.raises(Retryable):
            world.driver.provision(FLEET, 1)
    world.driver.provision(FLEET, 1)
    assert leftovers(world) == ONE_OF_EACH


def test_release_reports_what_is_still_going(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.driver.provision(FLEET, 1)
    monkeypatch.setattr(world.autoscaling, "delete_auto_scaling_group", lambda **_: None)
    remaining = world.driver.release(FLEET)
    assert remaining[0] == f"Auto Scaling group {BASE}"
    assert remaining[1].startswith("instance i-")
    assert leftovers(world)["templates"] == 1


def test_preflight_passes_for_a_fleet_within_its_quota(world: FleetWorld) -> None:
    world.quotas.known = {"L-DB2E81BA": 16}
    world.driver.preflight(FLEET)


def test_preflight_names_the_quota_that_is_too_small(world: FleetWorld) -> None:
    world.quotas.known = {"L-DB2E81BA": 8}
    with pytest.raises(CapacityUnavailable, match=r"4 x g6e.xlarge need 16 vCPUs.*L-DB2E81BA is 8"):
        world.driver.preflight(FLEET)


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        (["g9.huge"], "g9.huge"),
        (["m5.large"], "no NVIDIA GPU"),
        (["g5g.xlarge"], "x86-64"),
    ],
)
def test_preflight_refuses_types_that_cannot_run_the_engine(world: FleetWorld, types: list[str], sentence: str) -> None:
    fleet = a_deployment(spec=a_spec(capacity={"max": 1, "instance_types": types}))
    with pytest.raises(InvalidRequest, match=sentence) as raised:
        world.driver.preflight(fleet)
    assert raised.value.param == "capacity.instance_types"


def test_preflight_wants_a_token_for_gated_weights_unless_they_are_in_s3(world: FleetWorld) -> None:
    object.__setattr__(world.config, "hugging_face_secret_arn", None)
    with pytest.raises(InvalidRequest, match="gated") as raised:
        world.driver.preflight(FLEET)
    assert raised.value.param == "model.id"
    own = a_spec(model={"id": "meta-llama/Llama-3.1-8B-Instruct", "weights": "s3://models-bucket/llama/"})
    world.driver.preflight(a_deployment(spec=own))


def test_preflight_needs_the_machine_image(world: FleetWorld) -> None:
    from moto.ssm.models import ssm_backends

    ssm_backends["123456789012"]["us-east-1"]._parameters.clear()
    with pytest.raises(CapacityUnavailable, match="no machine image"):
        world.driver.preflight(FLEET)


def test_the_target_is_the_fleets_door() -> None:
    from spillway.adapters.drivers.fleet.disabled import DisabledFleetDriver

    assert DisabledFleetDriver().target(FLEET) == FleetTarget("support-llama")


def _their_group(world: FleetWorld, tags: list[dict[str, Any]]) -> None:
    template = {"LaunchTemplateName": "theirs", "LaunchTemplateData": {"ImageId": "ami-1", "InstanceType": "t3.micro"}}
    world.ec2.create_launch_template(**template)
    world.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=BASE,
        MinSize=0,
        MaxSize=9,
        DesiredCapacity=2,
        LaunchTemplate={"LaunchTemplateName": "theirs"},
        VPCZoneIdentifier=world.config.subnet_ids[0],
        Tags=[{**tag, "PropagateAtLaunch": True} for tag in tags],
    )


def _their_template(world: FleetWorld, tags: list[dict[str, Any]]) -> None:
    tagged = [{"ResourceType": "launch-template", "Tags": tags}] if tags else []
    data = {"ImageId": "ami-1", "InstanceType": "t3.micro"}
    world.ec2.create_launch_template(LaunchTemplateName=BASE, LaunchTemplateData=data, TagSpecifications=tagged)


def _their_target_group(world: FleetWorld, tags: list[dict[str, Any]]) -> None:
    made = world.elb.create_target_group(Name=BASE, Protocol="HTTP", Port=80, VpcId=world.config.vpc_id)
    if tags:
        world.elb.add_tags(ResourceArns=[made["TargetGroups"][0]["TargetGroupArn"]], Tags=tags)


@pytest.mark.parametrize(
    ("take", "what"),
    [
        (_their_group, "Auto Scaling group"),
        (_their_template, "launch template"),
        (_their_target_group, "target group"),
    ],
)
@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({"spillway:stack": "spillway-support", "spillway:deployment": "llama"}, "'llama' of the stack 'spillway-supp"),
        ({"spillway:stack": "spillway", "spillway:deployment": "other"}, "'other' of the stack 'spillway'"),
        ({}, "something else than Spillway"),
    ],
)
def test_what_another_owner_has_made_is_neither_used_nor_changed_nor_deleted(
    world: FleetWorld, take: Callable[..., None], what: str, tags: dict[str, str], owner: str
) -> None:
    take(world, [{"Key": key, "Value": value} for key, value in tags.items()])
    before = leftovers(world)
    for verb in (world.driver.preflight, lambda fleet: world.driver.provision(fleet, 1)):
        with pytest.raises(Conflict, match=f"{what} {BASE} is there already and belongs to .*{owner}"):
            verb(FLEET)
        assert leftovers(world) == before
    if what == "Auto Scaling group":
        with pytest.raises(Conflict):
            world.driver.scale(FLEET, 1)
        assert group_of(world)["DesiredCapacity"] == 2
    # What carries this deployment's name elsewhere is none of its instances.
    assert world.driver.release(FLEET) == []
    assert leftovers(world) == before
